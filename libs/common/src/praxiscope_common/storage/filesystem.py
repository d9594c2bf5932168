"""An object store in a folder. Objects lie under `objects/`, their checksums under `checksums/`, what is being written under `writing/`.

The gateway's blob handler writes into the same folder by the same rule (services/gateway/internal/blobs), so the rule is part of the contract: write to
`writing/`, sync, write the checksum, then rename.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from praxiscope_common.names import new_id
from praxiscope_common.storage.port import (
    CHUNK_BYTES,
    Location,
    ObjectInfo,
    ObjectNotFoundError,
    StoreFullError,
    StoreUnavailableError,
    check_key,
)

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# Nobody writes one object for longer than this.
_ABANDONED_AFTER_S = 24 * 3600
_MISSING = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


@contextlib.contextmanager
def _as_store_errors() -> Iterator[None]:
    """Raises what the disk says as what a store says."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFullError(retry_after_s=30.0) from error
        raise StoreUnavailableError(retry_after_s=1.0) from error


class FilesystemStore:
    """Keeps objects in a folder that every service sees.

    Args:
        root: The folder; made if it is not there.
    """

    def __init__(self, root: Path) -> None:
        """Makes the folders, and takes away what killed processes were writing long ago."""
        self._objects = root / "objects"
        self._checksums = root / "checksums"
        self._writing = root / "writing"
        for folder in (self._objects, self._checksums, self._writing):
            folder.mkdir(parents=True, exist_ok=True)
        oldest_s = time.time() - _ABANDONED_AFTER_S
        for path in self._writing.iterdir():
            with contextlib.suppress(FileNotFoundError):  # published, or taken away by another service
                if path.stat().st_mtime < oldest_s:
                    path.unlink()

    async def put(self, key: str, chunks: AsyncIterator[bytes] | bytes) -> ObjectInfo:
        """Stores bytes under `key`, in place of what was there."""
        target = self._path(key)
        temporary = self._writing / new_id()
        digest = hashlib.sha256()
        size_bytes = 0
        try:
            with _as_store_errors():
                file = await asyncio.to_thread(temporary.open, "wb")
            try:
                async for chunk in _as_chunks(chunks):
                    digest.update(chunk)
                    size_bytes += len(chunk)
                    with _as_store_errors():
                        await asyncio.to_thread(file.write, chunk)
            finally:
                with _as_store_errors():  # closing writes what was buffered
                    await asyncio.to_thread(file.close)
            await asyncio.to_thread(self._publish, temporary, key, target, digest.hexdigest())
        finally:
            temporary.unlink(missing_ok=True)
        return ObjectInfo(key=key, size_bytes=size_bytes, sha256=digest.hexdigest())

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yields the bytes from `start` up to `end`, in chunks."""
        with await asyncio.to_thread(self.open_seekable, key) as file:
            file.seek(start)
            left = None if end is None else max(0, end - start)
            while left is None or left > 0:
                with _as_store_errors():
                    chunk = await asyncio.to_thread(file.read, CHUNK_BYTES if left is None else min(CHUNK_BYTES, left))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk

    async def stat(self, key: str) -> ObjectInfo:
        """Returns what is known of the object under `key`."""
        return await asyncio.to_thread(self._stat, key)

    async def delete(self, key: str) -> None:
        """Removes the object under `key`, if there is one."""
        await asyncio.to_thread(self._delete, key)

    async def delete_prefix(self, prefix: str) -> None:
        """Removes all objects whose keys start with `prefix`, which ends with a slash."""
        folder = check_key(prefix.rstrip("/"))
        for base in (self._objects, self._checksums):
            await asyncio.to_thread(shutil.rmtree, base / folder, ignore_errors=True)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Yields the keys that start with `prefix`, which ends with a slash, in their order."""
        base = self._objects / check_key(prefix.rstrip("/"))
        # As text, which is S3's order; folder by folder would be another.
        for key in sorted(path.relative_to(self._objects).as_posix() for path in base.rglob("*") if path.is_file()):
            yield key

    async def move(self, source: str, target: str) -> None:
        """Puts the object under `source` under `target`; does nothing where that was done before."""
        await asyncio.to_thread(self._move, source, target)

    async def compose(self, sources: Sequence[str], target: str) -> ObjectInfo:
        """Joins the objects under `sources` under `target` and returns what came of it; the sources stay."""

        async def joined() -> AsyncIterator[bytes]:
            for source in sources:
                async for chunk in self.read(source):
                    yield chunk

        return await self.put(target, joined())

    def open_seekable(self, key: str) -> BinaryIO:
        """Returns a file to read from and seek in."""
        path = self._path(key)
        with _as_store_errors():
            try:
                return path.open("rb")
            except _MISSING as error:
                raise ObjectNotFoundError(metadata={"key": key}) from error

    async def locate_for_put(self, key: str, size_bytes: int, lifetime_s: int) -> Location:
        """Returns the key itself: whoever holds a ticket shares the folder."""
        return Location(key=check_key(key))

    async def locate_for_get(self, key: str, lifetime_s: int) -> Location:
        """Returns the key itself: whoever holds a ticket shares the folder."""
        return Location(key=check_key(key))

    async def probe(self) -> None:
        """Returns if the folder is there and can be written to."""
        if not os.access(self._writing, os.W_OK):
            raise StoreUnavailableError(retry_after_s=1.0)

    def _path(self, key: str) -> Path:
        return self._objects / check_key(key)

    @_as_store_errors()
    def _delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)
        (self._checksums / key).unlink(missing_ok=True)

    @_as_store_errors()
    def _stat(self, key: str) -> ObjectInfo:
        path = self._path(key)
        try:
            size_bytes = path.stat().st_size
        except _MISSING as error:
            raise ObjectNotFoundError(metadata={"key": key}) from error
        try:
            sha256 = (self._checksums / key).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return ObjectInfo(key=key, size_bytes=size_bytes, sha256=sha256)

    @_as_store_errors()
    def _publish(self, temporary: Path, key: str, target: Path, sha256: str) -> None:
        checksum = self._checksums / key
        checksum.parent.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        written = temporary.with_suffix(".sha256")  # a full disk leaves the checksum of the object before as it was
        try:
            written.write_text(sha256, encoding="ascii")
            written.replace(checksum)
        finally:
            written.unlink(missing_ok=True)
        temporary.replace(target)

    @_as_store_errors()
    def _move(self, source: str, target: str) -> None:
        source_path, target_path = self._path(source), self._path(target)
        if not source_path.exists() and not target_path.exists():
            raise ObjectNotFoundError(metadata={"key": source})
        for base in (self._checksums, self._objects):  # the object last: where it is, its checksum is
            (base / target).parent.mkdir(parents=True, exist_ok=True)
            # It may have been moved before, or be moved by a call beside this one.
            with contextlib.suppress(FileNotFoundError):
                (base / source).replace(base / target)


async def _as_chunks(chunks: AsyncIterator[bytes] | bytes) -> AsyncIterator[bytes]:
    if isinstance(chunks, bytes):
        yield chunks
        return
    async for chunk in chunks:
        yield chunk
