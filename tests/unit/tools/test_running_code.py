"""A stack that runs other code than lies in the checkout is told apart, and nothing else is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bench import stack as bench_stack
from tools.devstack.code import fingerprint
from tools.devstack.settings import CHECKOUT, read_settings
from tools.devstack.status import print_status, read_state


def lay_out(checkout: Path) -> Path:
    """A checkout with a service; returns its source."""
    source = checkout / "services" / "one" / "src" / "one.py"
    source.parent.mkdir(parents=True)
    source.write_text("a = 1\n")
    return source


def test_only_what_runs_counts(tmp_path: Path) -> None:
    source = lay_out(tmp_path)
    before = fingerprint(tmp_path)
    os.utime(source, (1, 1))
    (source.parent / "__pycache__").mkdir()
    (source.parent / "__pycache__" / "one.py").write_text("x")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "one.py").write_text("x")
    (source.parent / "README.md").write_text("x")
    assert fingerprint(tmp_path) == before
    source.write_text("a = 2\n")
    changed = fingerprint(tmp_path)
    assert changed != before
    source.write_text("a = 1\n")
    assert fingerprint(tmp_path) == before
    source.rename(source.with_name("two.py"))
    assert fingerprint(tmp_path) not in {before, changed}


@pytest.mark.parametrize(("code", "is_other"), [("", True), ("0" * 64, True), (None, False)])
def test_a_stack_of_other_code_is_said_and_not_measured(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: str | None,
    is_other: bool,
) -> None:
    monkeypatch.setenv("PRAXISCOPE_STACK_STATE", str(tmp_path))
    state = {"supervisor_pid": os.getpid(), "parts": [], "code": fingerprint(CHECKOUT) if code is None else code}
    (tmp_path / "state.json").write_text(json.dumps(state))
    found = read_state(read_settings(os.environ))
    assert found.is_alive
    assert ("make down && make up" in found.complaint) is is_other
    print_status(read_settings(os.environ))
    assert ("make down && make up" in capsys.readouterr().out) is is_other
    assert ("make down && make up" in bench_stack.complaint()) is is_other


def test_a_stack_that_is_not_up_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAXISCOPE_STACK_STATE", str(tmp_path))
    assert read_state(read_settings(os.environ)).complaint == ""
