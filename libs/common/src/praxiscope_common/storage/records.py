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
_READ_BYTES = 1 << 16
# Four compressed bytes can stand for a block of 128 KiB, so few are taken at a time: at most 16 MiB come out of these.
_DECOMPRESSED_AT_ONCE_BYTES = 512
# What our own files need is a quarter of this; a file that asks for more would make the reader hold that much.
_MAX_WINDOW_BYTES = 8 << 20
_MAX_VARINT_BITS = 35


class BrokenRecordsError(DataLossError):
    """The file's records are cut off or damaged."""

    reason = "BROKEN_RECORDS"


def encode_records(messages: Iterable[Message]) -> bytes:
    """Returns the messages as a file's bytes."""
    return b"".join(encode_records_in_pieces(messages))


def encode_records_in_pieces(messages: Iterable[Message]) -> Iterator[bytes]:
    """Yields a file's bytes as they come, so that a long one is never held; no piece is empty."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    for message in messages:
        body = message.SerializeToString()
        if piece := compressor.compress(_varint(len(body)) + body):
            yield piece
    yield compressor.flush()


def decode_records(file: BinaryIO, first: type[Message] | None, rest: type[_Message]) -> Iterator[_Message | Message]:
    """Yields a file's messages: the first as `first` where that is given, all others as `rest`.

    Raises:
        BrokenRecordsError: If the file is cut off or damaged.
    """
    expected: type[Message] = first or rest
    reader = _Reader(file)
    try:
        while (length := _read_varint(reader)) is not None:
            yield expected.FromString(reader.read(length))
            expected = rest
    except (zstandard.ZstdError, DecodeError) as error:
        raise BrokenRecordsError() from error


class _Reader:
    """Decompresses frame after frame. zstandard's own reader takes a frame that is cut off for the end of the file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._compressed = b""
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._waiting = bytearray()

    def is_at_end(self) -> bool:
        """Returns whether nothing is left.

        Raises:
            BrokenRecordsError: If the file ends inside a frame.
        """
        while not self._waiting:
            self._compressed = self._compressed or self._file.read(_READ_BYTES)
            if not self._compressed:
                if self._frame is not None:
                    raise BrokenRecordsError()
                return True
            self._frame = self._frame or zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
            taken, left = self._compressed[:_DECOMPRESSED_AT_ONCE_BYTES], self._compressed[_DECOMPRESSED_AT_ONCE_BYTES:]
            self._waiting += self._frame.decompress(taken)
            self._compressed = (self._frame.unused_data if self._frame.eof else b"") + left
            if self._frame.eof:
                self._frame = None
        return False

    def read(self, count: int) -> bytes:
        """Returns just that many bytes.

        Raises:
            BrokenRecordsError: If there are fewer.
        """
        pieces = bytearray()
        while len(pieces) < count:
            if self.is_at_end():
                raise BrokenRecordsError()
            missing = count - len(pieces)
            pieces += self._waiting[:missing]
            del self._waiting[:missing]
        return bytes(pieces)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_varint(reader: _Reader) -> int | None:
    if reader.is_at_end():
        return None
    value, shift = 0, 0
    while True:
        byte = reader.read(1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > _MAX_RECORD_BYTES:
                raise BrokenRecordsError()
            return value
        shift += 7
        if shift > _MAX_VARINT_BITS:
            raise BrokenRecordsError()
