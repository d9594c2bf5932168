"""What this machine uses to fetch packages reaches a build as files over its own, and names nothing of this machine's disk."""

from pathlib import Path

import pytest

from tools.cluster import builder, debian
from tools.cluster.settings import ClusterError


def test_what_pip_is_told_here_is_told_there_but_for_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.example https://b.example")
    monkeypatch.setenv("PIP_FIND_LINKS", "/opt/somewhere")
    found = builder._pip_settings()
    assert found["index-url"] == "https://index.example/simple"
    assert found["extra-index-url"] == "https://a.example https://b.example"
    assert "find-links" not in found


def test_who_cannot_build_is_told_why_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="needs root: layers are laid over each other by mounts"):
        builder.Buildah({})
    with pytest.raises(ClusterError, match="needs root; or name BASE"):
        debian.make_root("base", debian.BASE_PACKAGES)


def test_a_base_says_nothing_of_where_it_was_made(tmp_path: Path) -> None:
    told = (
        "etc/apt/sources.list",
        "etc/hostname",
        "etc/resolv.conf",
        "var/log/bootstrap.log",
        "var/lib/apt/lists/mirror",
    )
    for name in (*told, "usr/bin/python3", "usr/share/doc/readme"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mirror.example")
    debian._strip(tmp_path)
    assert not [name for name in told if (tmp_path / name).exists()]
    assert (tmp_path / "usr/bin/python").resolve() == (tmp_path / "usr/bin/python3")
    assert (tmp_path / "var/lib/apt/lists/partial").is_dir()


def test_a_base_of_builds_has_all_that_the_base_has() -> None:
    assert set(debian.BASE_PACKAGES) < set(debian.BUILD_PACKAGES)
    assert "g++" not in debian.BASE_PACKAGES
