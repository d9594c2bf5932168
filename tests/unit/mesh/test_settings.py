"""A machine that cannot have a mesh is told what it lacks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.mesh import __main__ as command
from tools.mesh import settings


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with everything."""
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(settings.os, "geteuid", lambda: 0)
    monkeypatch.setattr(settings.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(settings.subprocess, "run", lambda *_, **__: done)
    monkeypatch.setattr(settings, "CHECKOUT", Path("/usr"))  # wherever this one happens to be
    return monkeypatch


@pytest.mark.usefixtures("able")
def test_a_machine_with_everything_lacks_nothing() -> None:
    assert settings.missing_here() == []


def test_a_user_who_is_not_root_is_told(able: pytest.MonkeyPatch) -> None:
    able.setattr(settings.os, "geteuid", lambda: 1000)
    (said,) = settings.missing_here()
    assert said.startswith("root is needed")


def test_a_program_that_is_missing_is_named(able: pytest.MonkeyPatch) -> None:
    able.setattr(settings.shutil, "which", lambda name: None if name == "nsenter" else name)
    assert settings.missing_here() == ["the program nsenter is missing"]


def test_a_kernel_that_makes_no_namespaces_is_quoted(able: pytest.MonkeyPatch) -> None:
    refused = subprocess.CompletedProcess([], 1, "", "unshare: unshare failed: Operation not permitted\n")
    able.setattr(settings.subprocess, "run", lambda *_, **__: refused)
    (said,) = settings.missing_here()
    assert said.endswith("unshare: unshare failed: Operation not permitted")


def test_a_checkout_that_proxies_cannot_read_is_named(able: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    able.setattr(settings, "CHECKOUT", closed)
    able.setattr(settings, "COVERED", (str(tmp_path),))
    entered, covered = settings.missing_here()
    assert "cannot enter" in entered
    assert str(closed) in entered
    assert covered.startswith(f"{tmp_path} is covered")


@pytest.mark.parametrize("verb", [["build"], ["run", "true"]])
def test_nothing_passes_where_the_mesh_cannot_be_tried(
    able: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: list[str]
) -> None:
    able.setattr(settings.os, "geteuid", lambda: 1000)
    assert command.main(verb) == 3
    assert "cannot be tried here: root is needed" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["up"], ["run"], ["build", "more"]])
def test_what_is_no_command_is_explained(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert command.main(arguments) == 2
    assert "usage" in capsys.readouterr().err
