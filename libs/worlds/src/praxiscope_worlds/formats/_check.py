"""What a reader finds wrong with a file, and what a stranger's file may cost.

InvalidInputError
├── InvalidWorldFileError     the bytes are not what the format says; carries findings    INVALID_WORLD_FILE
├── WorldFileTooLargeError    more bytes, Gaussians, corners or pixels than allowed        WORLD_FILE_TOO_LARGE
└── UnknownWorldFormatError   no format here reads such a file                             UNKNOWN_WORLD_FORMAT
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

import numpy as np

from praxiscope_common.errors import InvalidInputError

# Decodes a JPEG or PNG picture: its bytes and the most pixels it may have, to [H, W, 3] RGB. This library knows no codec; `praxiscope_media.decode_image`
# is one.
PictureDecoder = Callable[[bytes, int], np.ndarray]

# A file with thousands of small faults is told as the first of them and a count.
_MAX_FINDINGS = 50


class FindingCode(StrEnum):
    """What kind of fault a finding is."""

    NOT_THIS_FORMAT = "not_this_format"
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing_bytes"
    BAD_HEADER = "bad_header"
    MISSING = "missing"
    INCONSISTENT = "inconsistent"
    OUT_OF_RANGE = "out_of_range"
    NOT_FINITE = "not_finite"
    UNSUPPORTED = "unsupported"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong with a file, or that reading it leaves out.

    Attributes:
        code: Its kind.
        where: The place: a byte offset, a header line, a JSON path, an element.
        message: What is there and what should be.
        is_fatal: The file cannot be read for it; otherwise it is read without the part that is wrong.
    """

    code: FindingCode
    where: str
    message: str
    is_fatal: bool

    def __str__(self) -> str:
        """One line."""
        return f"{self.where}: {self.message}"


class InvalidWorldFileError(InvalidInputError):
    """The file is not what its format says; write it again with a tool that keeps to the format."""

    reason = "INVALID_WORLD_FILE"
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: list[Finding], *, format_name: str) -> InvalidWorldFileError:
        """The error for findings, of which the last is why reading ended."""
        last = findings[-1]
        error = cls(
            f"the {format_name} file cannot be read; {last}",
            metadata={"format": format_name, "code": last.code.value, "where": last.where},
        )
        error.findings = tuple(findings)
        return error


class WorldFileTooLargeError(InvalidInputError):
    """The file holds more than is allowed; split it or thin it out."""

    reason = "WORLD_FILE_TOO_LARGE"


class UnknownWorldFormatError(InvalidInputError):
    """No format is known by that name, ending or beginning."""

    reason = "UNKNOWN_WORLD_FORMAT"


@dataclass(frozen=True, kw_only=True)
class FileLimits:
    """What a stranger's file may cost. Memory while reading stays under a small multiple of the file and of what it holds.

    Attributes:
        max_file_bytes: Of the file itself.
        max_expanded_bytes: After decompression (.spz, .zip, .usdz).
        max_gaussians: Per world.
        max_corners: Of a mesh, after polygons and instances are written out; faces may be twice as many.
        max_texture_pixels: Of one picture.
        max_text_bytes: Of the JSON or the header text in a binary file.
    """

    max_file_bytes: int = 2 << 30
    max_expanded_bytes: int = 4 << 30
    max_gaussians: int = 20_000_000
    max_corners: int = 20_000_000
    max_texture_pixels: int = 16384 * 8192
    max_text_bytes: int = 8 << 20


class Check:
    """Collects what is found while one file is read.

    Attributes:
        format_name: Of the file's format, for messages.
        limits: What the file may cost.
    """

    def __init__(self, format_name: str, limits: FileLimits, *, picture_decoder: PictureDecoder | None = None) -> None:
        """Starts with nothing found."""
        self.format_name = format_name
        self.limits = limits
        self._picture_decoder = picture_decoder
        self._findings: list[Finding] = []

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far."""
        return tuple(self._findings)

    def note(self, code: FindingCode, where: str, message: str) -> None:
        """Keeps a finding that reading goes on after."""
        if len(self._findings) < _MAX_FINDINGS:
            self._findings.append(Finding(code=code, where=where, message=message, is_fatal=False))

    def fail(self, code: FindingCode, where: str, message: str) -> NoReturn:
        """Ends the reading.

        Raises:
            InvalidWorldFileError: Always.
        """
        self._findings.append(Finding(code=code, where=where, message=message, is_fatal=True))
        raise InvalidWorldFileError.of(self._findings, format_name=self.format_name)

    def need(self, is_so: bool, code: FindingCode, where: str, message: str) -> None:
        """Ends the reading unless something is so."""
        if not is_so:
            self.fail(code, where, message)

    def picture(self, encoded: bytes, where: str) -> np.ndarray | None:
        """Decodes a texture, [H, W, 3] RGB; None, and a finding, where no decoder was given."""
        if self._picture_decoder is None:
            self.note(FindingCode.LEFT_OUT, where, "no decoder of pictures was given; the texture is left out")
            return None
        try:
            return self._picture_decoder(encoded, self.limits.max_texture_pixels)
        except InvalidInputError as error:
            self._findings.append(
                Finding(code=FindingCode.INCONSISTENT, where=where, message=error.message, is_fatal=True)
            )
            raise InvalidWorldFileError.of(self._findings, format_name=self.format_name) from error

    def limit(self, count: int, maximum: int, what: str) -> None:
        """Refuses more than is allowed.

        Raises:
            WorldFileTooLargeError: It is more.
        """
        if count > maximum:
            raise WorldFileTooLargeError(
                f"the {self.format_name} file holds {count} {what}; at most {maximum} are allowed",
                metadata={"format": self.format_name, "count": str(count), "maximum": str(maximum), "what": what},
            )
