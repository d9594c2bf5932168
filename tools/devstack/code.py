"""Which code a stack was started with: services do not notice that theirs has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

_ROOMS = ("libs", "services", "models", "tools/devstack")
_KINDS = {".py", ".sql", ".go", ".cpp", ".hpp", ".json", ".pbtxt"}
_LEFT_OUT = {"__pycache__", "node_modules", "testdata"}


def fingerprint(checkout: Path) -> str:
    """Returns what is the same as long as all that a stack runs is: a digest of the sources' names and contents."""
    digest = hashlib.sha256()
    for path in sorted(path for room in _ROOMS for path in (checkout / room).rglob("*") if path.suffix in _KINDS):
        name = path.relative_to(checkout)
        if _LEFT_OUT.isdisjoint(name.parts):
            digest.update(f"{name.as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
