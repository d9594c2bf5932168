"""Numbers in text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from praxiscope_worlds.formats._check import Check, FindingCode


def rows_of_text(check: Check, rows: list[list[bytes]], *, widths: Sequence[int], where: str) -> np.ndarray:
    """A table of float32 of words; all rows must have one of the widths, and the same."""
    found = {len(row) for row in rows}
    if len(found) != 1 or not found <= set(widths):
        wrong = ", ".join(map(str, sorted(found)[:4]))
        check.fail(
            FindingCode.INCONSISTENT, where, f"rows of {wrong} numbers; {' or '.join(map(str, widths))} are expected"
        )
    try:
        with np.errstate(over="ignore"):
            return np.array(rows).astype(np.float64).astype(np.float32)
    except ValueError as error:
        check.fail(FindingCode.BAD_HEADER, where, f"no number: {str(error)[:80]}")
