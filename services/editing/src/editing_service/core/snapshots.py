"""Which worlds between edits are worth keeping beside their stack, and which go first.

A snapshot spares time and nothing else: without it the edits are done again, and give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_STACK_COUNT = 6
MAX_WORLD_COUNT = 24
# So much is written and read in a second at worst; a snapshot that takes longer than the edits spares nothing.
_BYTES_A_SECOND = 100e6
_NAME = re.compile(r"([a-z0-9]+)/([0-9a-f]+)/([0-9]{5})-([a-z0-9]+)-([0-9]{13})-([0-9]+)")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A world after an edit, as it lies in the object store.

    Attributes:
        stack_id: The stack.
        maker: What computed it; another one's bytes may be others.
        number: The edit's number in its stack, from 1, in the order in which edits were applied.
        edit_id: The edit.
        written_ms: When it was written, milliseconds of Unix time.
        size_bytes: What it takes.
    """

    stack_id: str
    maker: str
    number: int
    edit_id: str
    written_ms: int
    size_bytes: int

    @property
    def name(self) -> str:
        """The last part of its key, which says everything about it: nothing has to be read to choose one."""
        return f"{self.stack_id}/{self.maker}/{self.number:05}-{self.edit_id}-{self.written_ms:013}-{self.size_bytes}"


def snapshot_of(name: str) -> Snapshot | None:
    """Reads a name; None where it is none."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    stack_id, maker, number, edit_id, written_ms, size_bytes = found.groups()
    return Snapshot(
        stack_id=stack_id,
        maker=maker,
        number=int(number),
        edit_id=edit_id,
        written_ms=int(written_ms),
        size_bytes=int(size_bytes),
    )


def is_worth_it(replay_s: float, size_bytes: int, *, after_s: float) -> bool:
    """Says whether edits took long enough for their outcome to be kept.

    Args:
        replay_s: What doing them again takes, from the snapshot or the base world before.
        size_bytes: What the outcome takes.
        after_s: From how long on one is kept of a small world.
    """
    return replay_s >= max(after_s, 2.0 * size_bytes / _BYTES_A_SECOND)


def to_drop(held: Sequence[Snapshot], newest: Snapshot, *, max_bytes: int) -> list[Snapshot]:
    """Returns which snapshots of a world's stacks go now that another was written.

    Another maker's go at once. Of the stack's own, those go whose neighbours are nearest, so that what is left lies evenly along it; of all stacks', those
    that were written longest ago.

    Args:
        held: All of the base world, in any order.
        newest: The one that was written; it stays.
        max_bytes: What all may take together.
    """
    left = [item for item in held if item.maker == newest.maker]
    own = sorted((item for item in left if item.stack_id == newest.stack_id), key=lambda item: item.number)
    while len(own) > MAX_STACK_COUNT:
        least = _least_missed(own, newest)
        own.remove(least)
        left.remove(least)
    oldest_first = sorted((item for item in left if item != newest), key=lambda item: item.written_ms)
    while oldest_first and (len(left) > MAX_WORLD_COUNT or sum(item.size_bytes for item in left) > max_bytes):
        left.remove(oldest_first.pop(0))
    return [item for item in held if item not in left]


def _least_missed(own: Sequence[Snapshot], newest: Snapshot) -> Snapshot:
    """Returns the one that spares the fewest edits, counted from the one before it; ties go to the earlier one."""
    numbers_before = [0, *(item.number for item in own)]
    spared = [(item.number - before, item) for before, item in zip(numbers_before, own, strict=False) if item != newest]
    return min(spared, key=lambda counted: counted[0])[1]
