"""Files of protobuf messages, one behind another, each with its length before it, compressed with zstd."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, TypeVar

import zstandard
from google.protobuf.message import DecodeError, Message

from praxiscope_common.errors import DataLossError

_Message = TypeVar("_Message", bound=Message)
_MAX_RECORD_BYTES = 64 << 20
_LEVEL = 3


class BrokenRecordsError(DataLossError):
    """The file's records are cut off or damaged."""

    reason = "BROKEN_RECORDS"


def encode_records(messages: Iterable[Message]) -> bytes:
    """Returns the messages as a file's bytes."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
    pieces: list[bytes] = []
    for message in messages:
        body = message.SerializeToString()
        pieces.append(compressor.compress(_varint(len(body)) + body))
    pieces.append(compressor.flush())
    return b"".join(pieces)


def decode_records(file: BinaryIO, first: type[Message] | None, rest: type[_Message]) -> Iterator[_Message | Message]:
    """Yields a file's messages: the first as `first` where that is given, all others as `rest`.

    Raises:
        BrokenRecordsError: If the file is cut off or damaged.
    """
    expected: type[Message] = first or rest
    with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as reader:
        try:
            while (length := _read_varint(reader)) is not None:
                body = reader.read(length)
                if len(body) != length:
                    raise BrokenRecordsError()
                yield expected.FromString(body)
                expected = rest
        except (zstandard.ZstdError, DecodeError) as error:
            raise BrokenRecordsError() from error


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_varint(reader: zstandard.ZstdDecompressionReader) -> int | None:
    value, shift = 0, 0
    while True:
        byte = reader.read(1)
        if not byte:
            if shift:
                raise BrokenRecordsError()
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            if value > _MAX_RECORD_BYTES:
                raise BrokenRecordsError()
            return value
        shift += 7
