"""What an object store can do; `filesystem` and `s3` do it, and one suite of tests runs over both."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from praxiscope_common.errors import InvalidInputError, NotFoundError, UnavailableError

CHUNK_BYTES = 1 << 20
_KEY = re.compile(r"^[a-zA-Z0-9_-][a-zA-Z0-9_.-]*(/[a-zA-Z0-9_-][a-zA-Z0-9_.-]*)*$")
_MAX_KEY_LENGTH = 900


class ObjectNotFoundError(NotFoundError):
    """There is no object under this key."""

    reason = "OBJECT_NOT_FOUND"


class InvalidKeyError(InvalidInputError):
    """The key has characters or parts that keys may not have."""

    reason = "INVALID_OBJECT_KEY"


class StoreUnavailableError(UnavailableError):
    """The object store does not answer at the moment; try again."""

    reason = "STORE_UNAVAILABLE"


class StoreFullError(UnavailableError):
    """The object store has no room left; free some, then try again."""

    reason = "STORE_FULL"


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """What the store knows of an object.

    Attributes:
        key: Its key.
        size_bytes: Its length.
        sha256: SHA-256 of its bytes, 64 hexadecimal digits.
    """

    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where a party without the store's keys finds or puts an object: one of the two is set.

    Attributes:
        key: Key below the shared root of a file system store.
        url: Presigned address of an S3 store.
    """

    key: str = ""
    url: str = ""


class ObjectStore(Protocol):
    """Bytes under keys. Objects appear whole or not at all."""

    async def put(self, key: str, chunks: AsyncIterator[bytes] | bytes) -> ObjectInfo:
        """Stores bytes under `key`, in place of what was there."""
        ...

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yields the bytes from `start` up to `end`, in chunks."""
        ...

    async def stat(self, key: str) -> ObjectInfo:
        """Returns what is known of the object under `key`."""
        ...

    async def delete(self, key: str) -> None:
        """Removes the object under `key`, if there is one."""
        ...

    async def delete_prefix(self, prefix: str) -> None:
        """Removes all objects whose keys start with `prefix`, which ends with a slash."""
        ...

    def list(self, prefix: str) -> AsyncIterator[str]:
        """Yields the keys that start with `prefix`, which ends with a slash, in their order."""
        ...

    async def move(self, source: str, target: str) -> None:
        """Puts the object under `source` under `target`; does nothing where that was done before."""
        ...

    async def compose(self, sources: Sequence[str], target: str) -> ObjectInfo:
        """Joins the objects under `sources` under `target` and returns what came of it; the sources stay."""
        ...

    def open_seekable(self, key: str) -> BinaryIO:
        """Returns a file to read from and seek in, for code that runs in a thread of its own."""
        ...

    async def locate_for_put(self, key: str, size_bytes: int, lifetime_s: int) -> Location:
        """Returns where somebody without the store's keys may put an object."""
        ...

    async def locate_for_get(self, key: str, lifetime_s: int) -> Location:
        """Returns where somebody without the store's keys finds an object."""
        ...

    async def probe(self) -> None:
        """Returns if the store answers.

        Raises:
            StoreUnavailableError: If it does not.
        """
        ...


def check_key(key: str) -> str:
    """Returns `key` if it is one.

    Raises:
        InvalidKeyError: If it is not; a key never leaves its root.
    """
    if len(key) > _MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise InvalidKeyError(metadata={"key": key[:200]})
    return key
