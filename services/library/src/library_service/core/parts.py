"""How an upload is cut into parts, and where its parts and files lie in the store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from library_service.core.errors import PartOutOfRangeError
from library_service.core.types import Upload

# S3 takes 10,000 parts of 5 MiB to 5 GiB; 8 MiB keeps a phone's retry small, and doubling keeps a long film within the count.
MIN_PART_SIZE_BYTES = 8 << 20
MAX_PART_COUNT = 2_000
_UNSAFE = re.compile(r"[^a-zA-Z0-9._-]+")
_MAX_NAME_LENGTH = 80


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of an upload.

    Attributes:
        number: Counts from 1.
        offset_bytes: Where it begins in the whole.
        size_bytes: How long it is.
        object_key: Where it lies in the store.
    """

    number: int
    offset_bytes: int
    size_bytes: int
    object_key: str


def part_size_bytes(size_bytes: int) -> int:
    """Returns the size of the parts of an upload of `size_bytes`."""
    part_size = MIN_PART_SIZE_BYTES
    while part_size * MAX_PART_COUNT < size_bytes:
        part_size *= 2
    return part_size


def part_count(upload: Upload) -> int:
    """Returns how many parts an upload has; none where it has no bytes."""
    return -(-upload.size_bytes // upload.part_size_bytes)


def part_of(upload: Upload, number: int) -> Part:
    """Returns one part of an upload.

    Raises:
        PartOutOfRangeError: If there is no such part.
    """
    count = part_count(upload)
    if not 1 <= number <= count:
        raise PartOutOfRangeError(
            f"The upload has {count} parts; there is no part {number}.",
            metadata={"part_number": str(number), "part_count": str(count)},
        )
    offset = (number - 1) * upload.part_size_bytes
    return Part(
        number=number,
        offset_bytes=offset,
        size_bytes=min(upload.part_size_bytes, upload.size_bytes - offset),
        object_key=f"{parts_prefix(upload)}{number:05d}",
    )


def parts_of(upload: Upload) -> Sequence[Part]:
    """Returns all parts of an upload in their order."""
    return [part_of(upload, number) for number in range(1, part_count(upload) + 1)]


def parts_prefix(upload: Upload) -> str:
    """Returns where the parts of an upload lie."""
    return f"projects/{upload.project_id}/uploads/{upload.upload_id}/parts/"


def received_numbers(upload: Upload, keys: Sequence[str]) -> Sequence[int]:
    """Returns which parts are among the store's keys."""
    prefix = parts_prefix(upload)
    numbers = (key.removeprefix(prefix) for key in keys)
    return sorted(int(number) for number in numbers if number.isdigit() and 1 <= int(number) <= part_count(upload))


def file_object_key(project_id: str, asset_id: str, version: int, path: str) -> str:
    """Returns where a file of a version lies: under its own name, freed of what keys cannot hold."""
    folder, _, name = path.rpartition("/")
    safe = "/".join(_safe(part) for part in (*folder.split("/"), name) if part)
    return f"projects/{project_id}/assets/{asset_id}/v{version}/{safe}"


def _safe(part: str) -> str:
    stem, dot, suffix = part.rpartition(".")
    if not dot:
        stem, suffix = part, ""
    cleaned = _UNSAFE.sub("_", stem).strip(".")[:_MAX_NAME_LENGTH] or "file"
    ending = _UNSAFE.sub("", suffix)[:10]
    return f"{cleaned}.{ending}" if ending else cleaned
