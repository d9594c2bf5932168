"""The Makefile."""

from __future__ import annotations

import subprocess

from tools.devstack.settings import CHECKOUT


def test_no_target_stands_twice() -> None:
    """Make takes the last of two and warns; whoever merges does not see it."""
    command = ["env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", "-n", "help"]
    made = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert made.stderr == ""
