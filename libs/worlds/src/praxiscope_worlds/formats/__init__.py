"""Files of worlds: bytes in, arrays out, and back. Which formats, and what each loses: docs/world-files.md."""

from praxiscope_worlds.formats._check import (
    FileLimits,
    Finding,
    FindingCode,
    InvalidWorldFileError,
    PictureDecoder,
    UnknownWorldFormatError,
    WorldFileTooLargeError,
)
from praxiscope_worlds.formats._harmonics import harmonics, turned_harmonics
from praxiscope_worlds.formats._registry import (
    FORMATS,
    WorldContent,
    WorldFile,
    WorldFormat,
    detect_format,
    format_named,
    read_world_file,
    validate_world_file,
    write_world_file,
)

__all__ = [
    "FORMATS",
    "FileLimits",
    "Finding",
    "FindingCode",
    "InvalidWorldFileError",
    "PictureDecoder",
    "UnknownWorldFormatError",
    "WorldContent",
    "WorldFile",
    "WorldFileTooLargeError",
    "WorldFormat",
    "detect_format",
    "format_named",
    "harmonics",
    "read_world_file",
    "turned_harmonics",
    "validate_world_file",
    "write_world_file",
]
