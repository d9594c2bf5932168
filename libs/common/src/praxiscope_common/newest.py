"""A place for one thing: what comes while the last one has not been taken takes its place and is counted."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Newest(Generic[Item]):
    """The newest thing that nobody has taken yet."""

    def __init__(self) -> None:
        """Starts with nothing."""
        self._item: Item | None = None
        self._dropped_count = 0
        self._is_over = False
        self._changed = asyncio.Event()

    def put(self, item: Item) -> None:
        """Puts a thing there; one that is still there is dropped."""
        self._dropped_count += self._item is not None
        self._item = item
        self._changed.set()

    def end(self) -> None:
        """Says that nothing more comes."""
        self._is_over = True
        self._changed.set()

    async def take(self) -> tuple[Item, int] | None:
        """Waits for a thing and takes it; returns it and how many were dropped since the last one, or None where nothing more comes."""
        while self._item is None:
            if self._is_over:
                return None
            self._changed.clear()
            await self._changed.wait()
        taken = self._item, self._dropped_count
        self._item, self._dropped_count = None, 0
        return taken

    async def is_quiet(self, within_s: float) -> bool:
        """Waits a while, no longer than until the end; returns whether nothing came."""
        if self._item is None and not self._is_over:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._changed.wait()
        return self._item is None
