"""The command: exit codes, what goes to which stream, and errors that say what to do."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from praxiscope.command import main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRAXISCOPE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["ops"],
        ["analyze"],
        ["track", "x.txt"],
        ["track", "x.txt", "--tracker", "deepsort", "-o", "y"],
    ],
)
def test_wrong_arguments_end_with_2(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: praxiscope" in capsys.readouterr().err


def test_without_a_profile_it_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["whoami"]) == 1
    captured = capsys.readouterr()
    assert "praxiscope login" in captured.err
    assert captured.out == ""


def test_with_json_an_error_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["whoami", "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["reason"] == "LOCAL"
    assert captured.err == ""


def test_a_platform_that_does_not_answer_ends_with_3(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("praxiscope.client._http._FIRST_BACKOFF_S", 0.001)
    (home / "profiles.toml").write_text(
        'default = "x"\n[profiles.x]\nurl = "http://127.0.0.1:9"\nproject = "projects/p"\napi_key = "pxk_1"\n'
    )
    assert main(["assets", "list"]) == 3
    said = capsys.readouterr().err
    assert "127.0.0.1:9 does not answer" in said
    assert "pxk_1" not in said


def test_a_key_that_is_about_to_end_is_warned_of(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("praxiscope.client._http._FIRST_BACKOFF_S", 0.001)
    (home / "profiles.toml").write_text(
        'default = "x"\n[profiles.x]\nurl = "http://127.0.0.1:9"\napi_key = "pxk_1"\napi_key_expire_time = "2020-01-01T00:00:00+00:00"\n'
    )
    main(["whoami"])
    assert "ends in 0 days" in capsys.readouterr().err
