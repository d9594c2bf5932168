"""A measured number beside what it should be."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from tools.devstack.settings import CHECKOUT


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of a table.

    Attributes:
        name: What was measured.
        value: The number.
        unit: Its unit.
        goal: What it should be at most, or at least; None where it is only told.
        is_at_least: Whether more is better.
        note: How it came about.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    is_at_least: bool = False
    note: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the goal holds; a number that is no number meets none."""
        if self.goal is None:
            return True
        return self.value >= self.goal if self.is_at_least else self.value <= self.goal

    def __str__(self) -> str:
        """The line."""
        verdict = "" if self.goal is None else f"{'>=' if self.is_at_least else '<='} {self.goal:g}"
        word = "" if self.goal is None else "ok" if self.is_met else "MISS"
        return f"  {self.name:52} {self.value:9.2f} {self.unit:9} {verdict:10} {word:5} {self.note}".rstrip()


def tell(figures: Sequence[Figure]) -> bool:
    """Prints figures and says whether all goals hold."""
    for figure in figures:
        print(figure, flush=True)
    return all(figure.is_met for figure in figures)


def machine() -> str:
    """Returns what was measured on, and which commit."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"machine: {os.cpu_count()} cores; load {load}; commit {found.stdout.strip()}"
