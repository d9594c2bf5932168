"""The objects' backup: what is new is copied, what has gone stays for a while, and what is missing is copied back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from praxiscope_backup.core.catalogue import OBJECTS, REMOVED, BackupBrokenError, parse_moment
from praxiscope_common.storage.port import ObjectNotFoundError, ObjectStore

# What the platform keeps: assets and what operations keep for going on, and the models.
_AREAS = ("projects/", "system/")
_AT_ONCE = 4
# An asset's bytes are never changed under their key (a change is a version of its own); what operations keep is, so it is compared.
_CHANGING = "/operations/"


@dataclass(frozen=True, kw_only=True)
class Mirrored:
    """What a run did.

    Attributes:
        copied: Objects that were new or had changed.
        held: Objects that were there already.
        gone: Objects of the backup that are no longer where they were.
    """

    copied: int
    held: int
    gone: int


class ObjectBackup:
    """Keeps a copy of the objects of one store in another.

    Args:
        source: The platform's store.
        store: The backup store.
        now: The clock.
    """

    def __init__(self, source: ObjectStore, store: ObjectStore, *, now: Callable[[], datetime]) -> None:
        """Does nothing yet."""
        self._source, self._store, self._now = source, store, now

    async def mirror(self) -> Mirrored:
        """Copies what is new, and notes since when the others are gone. Both listings are read side by side, neither is held."""
        copied = held = gone = 0
        for area in _AREAS:
            copies: set[asyncio.Task[None]] = set()
            async for key, is_here, is_there in _side_by_side(
                self._source.list(area), _without(OBJECTS, self._store.list(f"{OBJECTS}{area}"))
            ):
                if not is_here:
                    gone += 1
                    await self._note_gone(key)
                elif is_there and not await self._has_changed(key):
                    held += 1
                else:
                    copied += 1
                    if len(copies) >= _AT_ONCE:
                        done, copies = await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
                        for task in done:
                            task.result()
                    copies.add(asyncio.create_task(_copy(self._source, key, self._store, f"{OBJECTS}{key}")))
            for task in copies:
                await task
            await self._forget_returned(area)
        return Mirrored(copied=copied, held=held, gone=gone)

    async def restore(self, *, moment: datetime) -> int:
        """Copies back what is missing of the objects that were there at `moment`; returns how many. Nothing is written over."""
        count = 0
        for area in _AREAS:
            async for key, is_here, is_there in _side_by_side(
                self._source.list(area), _without(OBJECTS, self._store.list(f"{OBJECTS}{area}"))
            ):
                if is_here or not is_there:
                    continue
                since = await self._gone_since(key)
                if since is None or since > moment:
                    await _copy(self._store, f"{OBJECTS}{key}", self._source, key)
                    count += 1
        return count

    async def prune(self, *, days: int) -> int:
        """Removes the copies of what has been gone for so many days; returns how many."""
        ends = self._now() - timedelta(days=days)
        count = 0
        for area in _AREAS:
            async for note in self._store.list(f"{REMOVED}{area}"):
                key = note.removeprefix(REMOVED)
                since = await self._gone_since(key)
                if since is not None and since <= ends:
                    await self._store.delete(f"{OBJECTS}{key}")
                    await self._store.delete(note)
                    count += 1
        return count

    async def _has_changed(self, key: str) -> bool:
        if _CHANGING not in key:
            return False
        here, there = await asyncio.gather(self._source.stat(key), self._store.stat(f"{OBJECTS}{key}"))
        return here.sha256 != there.sha256

    async def _note_gone(self, key: str) -> None:
        if await self._gone_since(key) is None:
            await self._store.put(f"{REMOVED}{key}", self._now().isoformat().encode())

    async def _gone_since(self, key: str) -> datetime | None:
        try:
            return parse_moment(b"".join([chunk async for chunk in self._store.read(f"{REMOVED}{key}")]).decode())
        except ObjectNotFoundError:
            return None

    async def _forget_returned(self, area: str) -> None:
        """What was put back is there again, and goes by its next removal."""
        async for key, is_here, is_gone in _side_by_side(
            self._source.list(area), _without(REMOVED, self._store.list(f"{REMOVED}{area}"))
        ):
            if is_here and is_gone:
                await self._store.delete(f"{REMOVED}{key}")


async def _copy(source: ObjectStore, key: str, target: ObjectStore, target_key: str) -> None:
    expected = await source.stat(key)
    written = await target.put(target_key, source.read(key))
    if written.sha256 != expected.sha256:
        await target.delete(target_key)
        raise BackupBrokenError(f"{key} is not what its checksum says; it was not copied.")


async def _without(prefix: str, keys: AsyncIterator[str]) -> AsyncIterator[str]:
    async for key in keys:
        yield key.removeprefix(prefix)


async def _side_by_side(first: AsyncIterator[str], second: AsyncIterator[str]) -> AsyncIterator[tuple[str, bool, bool]]:
    """Yields every key of two ordered listings, with whether each has it."""
    one, other = await anext(first, None), await anext(second, None)
    while one is not None or other is not None:
        key = min(key for key in (one, other) if key is not None)
        yield key, one == key, other == key
        if one == key:
            one = await anext(first, None)
        if other == key:
            other = await anext(second, None)
