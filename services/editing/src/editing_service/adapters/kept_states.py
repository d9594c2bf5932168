"""Worlds between edits, kept in memory up to so many bytes; those asked for least recently go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from editing_service.core.consistency import Looks
from editing_service.core.state import EditState


@dataclass(kw_only=True, eq=False)
class KeptState:
    """A world between two edits, and how it looks.

    Attributes:
        state: The world.
        looks: From where it is looked at.
        viewpoints_m: From where it is seen, [C, 3].
        pictures: How it looks from there; None until somebody asked.
    """

    state: EditState
    looks: Looks
    viewpoints_m: np.ndarray
    pictures: Sequence[np.ndarray] | None = field(default=None)

    def look(self) -> Sequence[np.ndarray]:
        """Draws the pictures, or returns them where that was done before."""
        if self.pictures is None:
            self.pictures = self.looks.pictures(self.state)
        return self.pictures

    def arrays(self) -> Iterable[np.ndarray]:
        """Returns what takes memory."""
        yield from self.state.arrays()
        yield from self.pictures or ()


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

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> KeptState | None:
        """Returns a state if it is kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Key, kept: KeptState) -> None:
        """Keeps a state, and lets others go until all fit; one that does not fit by itself is not kept."""
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while self._kept and self.bytes_kept() > self._max_bytes:
            self._kept.popitem(last=False)

    def forget(self, stack_name: str) -> None:
        """Lets the states of a stack go."""
        for key in [key for key in self._kept if key[0] == stack_name]:
            del self._kept[key]

    def bytes_kept(self) -> int:
        """Returns how much all of them take."""
        arrays = {_owner(array): array for kept in self._kept.values() for array in kept.arrays()}
        return sum(array.nbytes for array in arrays.values())


def _owner(array: np.ndarray) -> int:
    """Returns what views of the same memory share."""
    return id(array if array.base is None else array.base)
