"""A window of memory that this process and a model server on the same machine both see: inputs are put there, not sent.

The window is one file in the system's shared memory, cut into slots of equal size. Whoever wants to send an input takes
a slot, fills it, and gives it back when the answer is there; who finds none waits.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from vision_inference_service.core.types import ImageArray

_FOLDER = Path("/dev/shm")  # noqa: S108 - POSIX shared memory; the file is made exclusively and readable to us alone

_PREFIX = "praxiscope-"


class SharedWindow:
    """The window. Make it inside the event loop; close it at the end.

    Args:
        slot_bytes: Largest input.
        slot_count: Inputs at the same time.

    Attributes:
        key: The file's name as POSIX shared memory, as in `/praxiscope-17-4f1c`; the region's name at the server.
        byte_size: Of all slots together.
        slot_bytes: Of one.
    """

    def __init__(self, *, slot_bytes: int, slot_count: int) -> None:
        """Makes the file; it goes at `close`, or when the next one is made after this process was killed."""
        self.slot_bytes, self.byte_size = slot_bytes, slot_bytes * slot_count
        _remove_left_behind()
        self.key = f"/{_PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
        self._path = _FOLDER / self.key[1:]
        descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            # Reserved, not only promised: writing into memory that is not there would end the process.
            os.posix_fallocate(descriptor, 0, self.byte_size)
            self._memory = mmap.mmap(descriptor, self.byte_size)
        except OSError:
            self._path.unlink()
            raise
        finally:
            os.close(descriptor)
        self._free: asyncio.Queue[int] = asyncio.Queue()
        for i_slot in range(slot_count):
            self._free.put_nowait(i_slot * slot_bytes)

    @asynccontextmanager
    async def filled(self, images: ImageArray) -> AsyncIterator[int]:
        """Puts an input of at most `slot_bytes` into a free slot and gives the slot's offset.

        The slot is taken again when the block is left: only once the server has answered, or has been told to stop.
        """
        offset = await self._free.get()
        try:
            slot = np.frombuffer(self._memory, np.uint8, images.nbytes, offset).reshape(images.shape)
            np.copyto(slot, images)
            del slot
            yield offset
        finally:
            self._free.put_nowait(offset)

    def close(self) -> None:
        """Takes the file away; a server that still has it mapped keeps its view until it lets go."""
        self._path.unlink(missing_ok=True)
        self._memory.close()


def is_left_behind(key: str) -> bool:
    """Whether a window, by its key, belongs to a process of this machine that was killed."""
    owner = key.removeprefix(f"/{_PREFIX}").partition("-")[0]
    return key.startswith(f"/{_PREFIX}") and owner.isdecimal() and not Path(f"/proc/{owner}").exists()


def _remove_left_behind() -> None:
    """Takes away the files of processes that were killed."""
    for path in _FOLDER.glob(f"{_PREFIX}*-*"):
        if is_left_behind(f"/{path.name}"):
            path.unlink(missing_ok=True)
