"""Zip archives of a few files: .obj with its picture, and .usdz."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping

from praxiscope_worlds.formats._check import Check, FindingCode

_MAX_FILES = 64
_PIECE_BYTES = 1 << 20
# A fixed time, so that the same world gives the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)
_ALIGNMENT = 64
_LOCAL_HEADER_BYTES, _EXTRA_HEADER_BYTES = 30, 4
_PADDING_ID = 0x1986


def write_zip(files: Mapping[str, bytes], *, is_compressed: bool) -> Iterator[bytes]:
    """Writes an archive; without compression every file begins at a multiple of 64 bytes, as USDZ wants it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED if is_compressed else zipfile.ZIP_STORED
            entry.external_attr = 0o644 << 16
            if not is_compressed:
                before = target.tell() + _LOCAL_HEADER_BYTES + len(name.encode())
                padding = -(before + _EXTRA_HEADER_BYTES) % _ALIGNMENT
                entry.extra = _PADDING_ID.to_bytes(2, "little") + padding.to_bytes(2, "little") + b"\0" * padding
            archive.writestr(entry, content)
    yield target.getvalue()


def read_zip(check: Check, data: memoryview) -> dict[str, bytes]:
    """Unpacks an archive: few files, and no more bytes than allowed, whatever its headers say."""
    files: dict[str, bytes] = {}
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            check.limit(len(entries), _MAX_FILES, "files in a zip")
            for entry in entries:
                check.need(
                    not entry.flag_bits & 1, FindingCode.UNSUPPORTED, f"zip: {entry.filename[:60]}", "it is encrypted"
                )
                pieces = []
                with archive.open(entry) as opened:
                    while piece := opened.read(_PIECE_BYTES):
                        total += len(piece)
                        check.limit(total, check.limits.max_expanded_bytes, "bytes after decompression")
                        pieces.append(piece)
                files[entry.filename] = b"".join(pieces)
    # zipfile's RuntimeError is an encrypted entry, its NotImplementedError a compression that it does not know.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError, RuntimeError) as error:
        check.fail(FindingCode.INCONSISTENT, "zip", f"it cannot be unpacked: {str(error)[:120]}")
    return files
