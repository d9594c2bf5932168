"""Whether two ways of drawing agree, given that drawing jumps: alpha below 1/255 does not count, and a pixel closes at a transmittance of 1e-4.

Rounding may put a pixel on the other side of either jump. So there are two tiers: nearly all numbers agree tightly; a small share may differ, by no more than
such a jump can do, and to both sides alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far apart two arrays may be.

    Attributes:
        tight: Most that nearly all numbers differ, of the largest expected one (or of 1, where that is more).
        loose: Most that any number differs, likewise.
        loose_share: Share of the numbers that may be between the two.
        bias: Most that the mean of all differences may be, likewise.
    """

    tight: float
    loose: float
    loose_share: float
    bias: float


# A jump at the least alpha moves a pixel by 1/255 of a colour; two may meet.
PICTURE = Tolerance(tight=2e-5, loose=0.01, loose_share=2e-3, bias=2e-6)
# Depth is a quotient: a pixel that alpha hardly covers moves more.
DEPTH = Tolerance(tight=1e-4, loose=0.5, loose_share=5e-3, bias=1e-4)
# A gradient is a sum over pixels; one that jumps moves all of a Gaussian's numbers.
GRADIENT = Tolerance(tight=1e-3, loose=0.05, loose_share=0.02, bias=2e-4)


def find_disagreement(found: np.ndarray, expected: np.ndarray, tolerance: Tolerance) -> str | None:
    """Returns what is wrong, or None. Missing values (NaN) must be missing in both."""
    if found.shape != expected.shape:
        return f"shapes {found.shape} and {expected.shape}"
    if (np.isnan(found) != np.isnan(expected)).mean() > tolerance.loose_share:
        return "values are missing in one and not in the other"
    seen = ~(np.isnan(found) | np.isnan(expected))
    if not seen.any():
        return None
    differences = found[seen].astype(np.float64) - expected[seen]
    unit = (
        max(1.0, float(np.abs(expected[seen]).max()))
        if tolerance is not GRADIENT
        else float(np.abs(expected[seen]).max())
    )
    if unit == 0.0:
        return None if not differences.any() else "something where nothing should be"
    differences /= unit
    worst, share, bias = (
        np.abs(differences).max(),
        (np.abs(differences) > tolerance.tight).mean(),
        abs(differences.mean()),
    )
    if not worst <= tolerance.loose:
        return f"a difference of {worst:.2e}"
    # One number may always be at a jump, however few there are.
    if share > max(tolerance.loose_share, 1.5 / differences.size):
        return f"{share:.2%} differ by more than {tolerance.tight:.0e}"
    if bias > tolerance.bias + tolerance.loose * 1.5 / differences.size:
        return f"a bias of {bias:.2e}"
    return None
