"""What differs between two worlds of one stack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from editing_service.core.arrays import BoolArray, FloatArray
from editing_service.core.state import EditState, rows_differ

_SHAPE = ("means_m", "quaternions_wxyz", "log_scales")
_COLOR = ("opacity_logits", "sh")


@dataclass(frozen=True, kw_only=True, eq=False)
class Bounds:
    """A part of space that holds centres.

    Attributes:
        min_m: The least of each coordinate, [3].
        max_m: The largest of each coordinate, [3].
    """

    min_m: Float64[FloatArray, " 3"]
    max_m: Float64[FloatArray, " 3"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Difference:
    """What an edit, or several, did.

    Attributes:
        is_changed: Rows that are in both worlds and differ, [N] of the first.
        is_removed: Rows that only the first has, [N].
        is_added: Rows that only the second has, [M] of the second.
        moved_count: Of the changed, those that are elsewhere, turned, or of another extent.
        recolored_count: Of the changed, those of another colour or opacity.
        bounds: Where all that differs lies, in both; None where nothing does.
    """

    is_changed: Bool[BoolArray, " N"]
    is_removed: Bool[BoolArray, " N"]
    is_added: Bool[BoolArray, " M"]
    moved_count: int
    recolored_count: int
    bounds: Bounds | None

    @property
    def changed_count(self) -> int:
        """How many changed."""
        return int(np.count_nonzero(self.is_changed))

    @property
    def removed_count(self) -> int:
        """How many are only in the first."""
        return int(np.count_nonzero(self.is_removed))

    @property
    def added_count(self) -> int:
        """How many are only in the second."""
        return int(np.count_nonzero(self.is_added))


def compare(first: EditState, second: EditState, *, shared_count: int) -> Difference:
    """Compares two worlds.

    Args:
        first: The one.
        second: The other.
        shared_count: How many rows both have from where they parted; rows behind these are different Gaussians even where their numbers are equal.
    """
    in_first, in_second = first.is_alive[:shared_count], second.is_alive[:shared_count]
    in_both = in_first & in_second
    is_moved = rows_differ(first, second, _SHAPE)[:shared_count] & in_both
    is_recolored = rows_differ(first, second, _COLOR)[:shared_count] & in_both
    is_changed = _padded(is_moved | is_recolored, len(first))
    is_removed = first.is_alive & ~_padded(in_both, len(first))
    is_added = second.is_alive & ~_padded(in_both, len(second))
    return Difference(
        is_changed=is_changed,
        is_removed=is_removed,
        is_added=is_added,
        moved_count=int(np.count_nonzero(is_moved)),
        recolored_count=int(np.count_nonzero(is_recolored)),
        bounds=bounds_of(
            first.rows.means_m[is_changed | is_removed],
            second.rows.means_m[is_added | _padded(is_changed[:shared_count], len(second))],
        ),
    )


def bounds_of(*groups: np.ndarray) -> Bounds | None:
    """Returns the bounds of all points, [N, 3] each; None where there are none."""
    filled = [group for group in groups if len(group)]
    if not filled:
        return None
    return Bounds(
        min_m=np.min([group.min(axis=0) for group in filled], axis=0).astype(np.float64),
        max_m=np.max([group.max(axis=0) for group in filled], axis=0).astype(np.float64),
    )


def _padded(mask: BoolArray, count: int) -> BoolArray:
    padded = np.zeros(count, np.bool_)
    padded[: min(count, len(mask))] = mask[:count]
    return padded
