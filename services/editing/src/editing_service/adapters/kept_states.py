"""Worlds between edits, kept in memory up to so many bytes; those asked for least recently go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from editing_service.core.consistency import Looks
from editing_service.core.state import EditState

# A state's objects beside its arrays, about.
_OBJECT_BYTES = 4096


@dataclass(kw_only=True, eq=False)
class KeptState:
    """A world between two edits, and how it looks.

    Attributes:
        state: The world.
        looks: From where it is looked at.
        viewpoints_m: From where it is seen, [C, 3].
        replay_s: How long the edits took that led here from the base world, or from the last snapshot.
        is_own: Whether nothing else was put into the world on the way here.
        pictures: How it looks from there; None until somebody asked.
    """

    state: EditState
    looks: Looks
    viewpoints_m: np.ndarray
    replay_s: float = 0.0
    is_own: bool = True
    pictures: Sequence[np.ndarray] | None = field(default=None)

    def look(self) -> Sequence[np.ndarray]:
        """Draws the pictures, or returns them where that was done before."""
        if self.pictures is None:
            self.pictures = self.looks.pictures(self.state)
        return self.pictures

    @property
    def own_bytes(self) -> int:
        """What it takes beside its arrays: pictures, drawn or not yet, and itself."""
        return _OBJECT_BYTES + sum(12 * camera.width_px * camera.height_px for camera in self.looks.cameras)


Key = tuple[str, str]


class KeptStates:
    """States by stack and edit.

    Args:
        max_bytes: How much they may take together; arrays that states share count once.
    """

    def __init__(self, *, max_bytes: int) -> None:
        """Starts with none."""
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Key, KeptState] = OrderedDict()
        self._holder_counts: dict[int, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes_kept(self) -> int:
        """How much all of them take."""
        return self._bytes

    def get(self, key: Key) -> KeptState | None:
        """Returns a state if it is kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Key, kept: KeptState) -> None:
        """Keeps a state, and lets others go until all fit; one that does not fit by itself is not kept."""
        self._drop(key)
        self._kept[key] = kept
        self._bytes += kept.own_bytes
        for array in kept.state.arrays():
            holders = self._holder_counts.get(_owner(array), 0)
            self._holder_counts[_owner(array)] = holders + 1
            self._bytes += 0 if holders else array.nbytes
        while self._kept and self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def forget(self, stack_name: str) -> None:
        """Lets the states of a stack go."""
        for key in [key for key in self._kept if key[0] == stack_name]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        self._bytes -= kept.own_bytes
        for array in kept.state.arrays():
            self._holder_counts[_owner(array)] -= 1
            if not self._holder_counts[_owner(array)]:
                del self._holder_counts[_owner(array)]
                self._bytes -= array.nbytes


def _owner(array: np.ndarray) -> int:
    """Returns what views of the same memory share."""
    return id(array if array.base is None else array.base)
