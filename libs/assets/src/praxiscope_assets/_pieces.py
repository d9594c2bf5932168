"""Bytes for the store from code that blocks: made or read in a thread, one piece at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

_CHUNK_BYTES = 1 << 20


async def pieces_from_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yields what an iterator makes, each piece made off the event loop."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


async def chunks_of_file(path: Path) -> AsyncIterator[bytes]:
    """Yields a file's bytes, a mebibyte at a time."""
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk
