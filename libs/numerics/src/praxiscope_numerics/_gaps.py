"""Gaps in a series: where they are, and filling those that are short enough to be guessed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.interpolate import PchipInterpolator

from praxiscope_numerics._arrays import BoolArray, FloatArray


def find_runs(mask: Bool[BoolArray, " time"]) -> list[tuple[int, int]]:
    """Lists the half-open index ranges over which a mask is true.

    Args:
        mask: One flag per sample.

    Returns:
        Pairs (start, stop), in order; empty where nothing is true.
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return [(int(start), int(stop)) for start, stop in zip(edges[0::2], edges[1::2], strict=True)]


def fill_gaps(
    samples: Float[FloatArray, "time ..."], time_s: Float[FloatArray, " time"], *, max_gap_s: float
) -> tuple[Float[FloatArray, "time ..."], Bool[BoolArray, "time ..."]]:
    """Fills gaps between two seen samples by a monotone cubic; never before the first or after the last one.

    A monotone cubic (PCHIP) does not overshoot: what it puts in lies between the samples at the two sides of the gap.

    Args:
        samples: Values over time, NaN where missing; each trailing component is treated by itself.
        time_s: Times of the samples in seconds, strictly increasing.
        max_gap_s: Longest gap to fill, in seconds from the last seen sample before it to the first one after it; 0
            fills nothing.

    Returns:
        The filled copy, and a mask that is true where a value was put in.

    **Source:** F. N. Fritsch, R. E. Carlson, "Monotone piecewise cubic interpolation", SIAM J. Numer. Anal. 17, 1980.
    """
    columns = samples.reshape(len(samples), -1).copy()
    is_filled = np.zeros(columns.shape, dtype=np.bool_)
    for i_column in range(columns.shape[1]):
        column = columns[:, i_column]
        is_seen = np.isfinite(column)
        if is_seen.sum() < 2:
            continue
        curve = PchipInterpolator(time_s[is_seen], column[is_seen])
        for start, stop in find_runs(~is_seen):
            is_inner = start > 0 and stop < len(column)
            # Half a microsecond of slack: frame times are sums of rounded fractions.
            if is_inner and time_s[stop] - time_s[start - 1] <= max_gap_s + 5e-7:
                column[start:stop] = curve(time_s[start:stop])
                is_filled[start:stop, i_column] = True
    return columns.reshape(samples.shape), is_filled.reshape(samples.shape)
