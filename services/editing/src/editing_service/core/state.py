"""A world while it is edited.

Rows never move: a Gaussian keeps its number until the stack ends, one that is taken away stays as a dead row, new ones come behind. So a mask of one moment
fits every later one, and states share the arrays that an edit did not touch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64

from editing_service.core.arrays import AnyArray, BoolArray, FloatArray
from editing_service.core.errors import InvalidEditError
from editing_service.core.neighbours import median_spacing
from praxiscope_worlds import GaussianWorld

ARRAYS = ("means_m", "quaternions_wxyz", "log_scales", "opacity_logits", "sh")
# Beyond this float32 has no room for squares, and no world is so large.
_MAX_COORDINATE_M = 1e8
_MAX_ABS_LOG_SCALE = 40.0
# A logit whose opacity draws nothing.
_DEAD_LOGIT = np.float32(-100.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class EditState:
    """A world between two edits.

    Attributes:
        rows: All rows, dead ones too.
        is_alive: Which rows are Gaussians of the world, [N].
        world_from_base: Rigid transform that the ground's levelling gave to the whole world so far, [4, 4]; cameras of the base world go along.
    """

    rows: GaussianWorld
    is_alive: Bool[BoolArray, " N"]
    world_from_base: Float64[FloatArray, "4 4"]

    def __post_init__(self) -> None:
        """Makes the arrays read-only: states share them."""
        for array in (*self.arrays(), self.world_from_base):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def count(self) -> int:
        """How many Gaussians there are."""
        return int(np.count_nonzero(self.is_alive))

    @cached_property
    def spacing_m(self) -> float:
        """Median distance of a Gaussian to its nearest neighbour; 0 where there are not two."""
        return median_spacing(self.rows.means_m[self.is_alive])

    @cached_property
    def drawn(self) -> GaussianWorld:
        """All rows, dead ones without opacity: what is drawn looks the same as `world`, without a copy of the rest."""
        if self.count == len(self):
            return self.rows
        return replace(self.rows, opacity_logits=np.where(self.is_alive, self.rows.opacity_logits, _DEAD_LOGIT))

    def world(self) -> GaussianWorld:
        """Returns the Gaussians, without dead rows, in the order of the rows."""
        return self.rows if self.count == len(self) else self.rows.select(self.is_alive)

    def arrays(self) -> tuple[AnyArray, ...]:
        """Returns what takes the memory."""
        return (*(getattr(self.rows, name) for name in ARRAYS), self.is_alive)


def open_state(world: GaussianWorld) -> EditState:
    """Returns the state of a world that was not edited."""
    # views of their own, so that making them read-only does not reach whoever else holds the world
    rows = GaussianWorld(**{name: getattr(world, name)[:] for name in ARRAYS})
    return EditState(rows=rows, is_alive=np.ones(len(world), np.bool_), world_from_base=np.eye(4))


def rows_differ(before: EditState, after: EditState, names: tuple[str, ...] = ARRAYS) -> BoolArray:
    """Returns which of the rows that both states have differ in some of the arrays, bit for bit, [min(N, M)]."""
    count = min(len(before), len(after))
    differs = np.zeros(count, np.bool_)
    for name in names:
        old, new = getattr(before.rows, name), getattr(after.rows, name)
        if old is new:
            continue
        unequal = old[:count].view(np.uint32) != new[:count].view(np.uint32)
        # column by column: numpy is slow along short axes
        for column in unequal.reshape(count, -1).T:
            differs |= column
    return differs


def check_numbers(rows: GaussianWorld, which: BoolArray | slice) -> None:
    """Refuses numbers that no world has.

    Args:
        rows: The rows after an edit.
        which: Those that it touched.

    Raises:
        InvalidEditError: One is not finite, or too large.
    """
    is_good = bool(
        np.all(np.abs(rows.means_m[which]) <= _MAX_COORDINATE_M)
        and np.all(np.abs(rows.log_scales[which]) <= _MAX_ABS_LOG_SCALE)
        and np.all(np.isfinite(rows.quaternions_wxyz[which]))
        and np.all(np.isfinite(rows.sh[which]))
    )
    if not is_good:
        raise InvalidEditError(
            "Gaussians would lie beyond 1e8 m, or be larger or smaller than any world's; edit less of it."
        )


def joined(first: GaussianWorld, second: GaussianWorld) -> GaussianWorld:
    """Returns the rows of two worlds, one behind the other; the second takes the first's degree of harmonics."""
    sh = np.zeros((len(second), *first.sh.shape[1:]), np.float32)
    shared = min(first.sh.shape[1], second.sh.shape[1])
    sh[:, :shared] = second.sh[:, :shared]
    fitted = replace(second, sh=sh)
    return GaussianWorld(
        **{name: np.concatenate([getattr(first, name), getattr(fitted, name)]).astype(np.float32) for name in ARRAYS}
    )
