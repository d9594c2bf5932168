"""Profiles: where they are looked for, how they are kept."""

import stat
from pathlib import Path

import pytest

from praxiscope.client import Profile, ProfileError, read_profile
from praxiscope.client._profile import write_profile


def test_what_was_written_is_read_and_only_its_owner_can(tmp_path: Path) -> None:
    environ = {"PRAXISCOPE_HOME": str(tmp_path / "home")}
    first, second = (
        Profile(url="http://a", project="projects/p"),
        Profile(url="http://b", refresh_token='with "quotes"\\'),
    )
    write_profile("one", first, environ=environ)
    path = write_profile("two words", second, environ=environ)
    assert read_profile("one", environ=environ) == first
    assert read_profile(environ=environ) == second
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_checkout_above_the_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / ".praxiscope").mkdir()
    (tmp_path / ".praxiscope" / "profiles.toml").write_text('default = "local"\n[profiles.local]\nurl = "http://x"\n')
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    assert read_profile(environ={"HOME": "/nowhere"}, folder=inside).url == "http://x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no profile"),
        ('default = "x"', "no profile 'x'"),
        ("not toml", "cannot be read"),
        ('default = "x"\n[profiles.x]\nurl = "u"\ncolour = "red"', "cannot be read"),
    ],
)
def test_a_profile_that_cannot_be_used_says_why(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "profiles.toml").write_text(text)
    with pytest.raises(ProfileError, match=said):
        read_profile(environ={"PRAXISCOPE_HOME": str(tmp_path)}, folder=tmp_path)


def test_without_any_profile_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="praxiscope login"):
        read_profile(environ={"HOME": str(tmp_path)}, folder=tmp_path)
