"""What a file is, told from its name; what a browser is told decides whether it plays it."""

from __future__ import annotations

from collections.abc import Mapping

_TYPES: Mapping[str, str] = {
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "avi": "video/x-msvideo",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "csv": "text/csv",
    "txt": "text/plain",
    "json": "application/json",
    "html": "text/html",
    "zip": "application/zip",
    "glb": "model/gltf-binary",
}
UNKNOWN = "application/octet-stream"


def media_type_of(file_name: str) -> str:
    """Returns the media type that a file name's ending stands for."""
    return _TYPES.get(file_name.rpartition(".")[2].lower(), UNKNOWN)
