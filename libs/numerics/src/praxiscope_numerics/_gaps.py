"""Gaps in a series: where they are, and filling those that are short enough to be guessed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.interpolate import PchipInterpolator

from praxiscope_numerics._arrays import BoolArray, FloatArray, IntArray

# Filters and curves hold several copies of what they are given.
_COLUMNS_AT_ONCE = 16


def find_runs(mask: Bool[BoolArray, " time"]) -> list[tuple[int, int]]:
    """Lists the half-open index ranges over which a mask is true.

    Args:
        mask: One flag per sample.

    Returns:
        Pairs (start, stop), in order; empty where nothing is true.
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return [(int(start), int(stop)) for start, stop in zip(edges[0::2], edges[1::2], strict=True)]


def group_columns(
    masks: Bool[BoolArray, "time column"],
) -> Iterator[tuple[Int[IntArray, " alike"], Bool[BoolArray, " time"]]]:
    """Groups columns whose masks are equal, so that they can be worked on together; a large group comes in parts.

    Args:
        masks: One flag per sample and column.

    Yields:
        Indices of columns, and the mask that they share.
    """
    packed = np.packbits(masks, axis=0)
    groups: dict[bytes, list[int]] = {}
    for i_column in range(masks.shape[1]):
        groups.setdefault(packed[:, i_column].tobytes(), []).append(i_column)
    for alike in groups.values():
        for first in range(0, len(alike), _COLUMNS_AT_ONCE):
            yield np.array(alike[first : first + _COLUMNS_AT_ONCE], np.int64), masks[:, alike[0]]


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
    for alike, is_seen in group_columns(np.isfinite(columns)):
        # Half a microsecond of slack: frame times are sums of rounded fractions.
        gaps = [
            (start, stop)
            for start, stop in find_runs(~is_seen)
            if start > 0 and stop < len(columns) and time_s[stop] - time_s[start - 1] <= max_gap_s + 5e-7
        ]
        if not gaps:
            continue
        curves = PchipInterpolator(time_s[is_seen], columns[np.ix_(is_seen, alike)], axis=0)
        for start, stop in gaps:
            columns[start:stop, alike] = curves(time_s[start:stop])
            is_filled[start:stop, alike] = True
    return columns.reshape(samples.shape), is_filled.reshape(samples.shape)
