"""A store whose disk is full: said in so many words, nothing damaged, and well again by itself once there is room."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.devstack.settings import CHECKOUT, inherited_environment

pytestmark = pytest.mark.fault

# What runs on the small disk, in a process of its own.
_SCRIPT = """
import asyncio, json, resource, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from praxiscope_common.errors import DomainError
from praxiscope_common.storage.filesystem import FilesystemStore

root, kind = Path(sys.argv[1]), sys.argv[2]
if kind == "limit":  # where this user may mount nothing
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

async def pieces(count):
    for _ in range(count):
        yield bytes(1 << 16)

async def attempt(work):
    try:
        await work
    except DomainError as error:
        return [type(error).__mro__[1].__name__, error.reason, error.retry_after_s]
    return ["", "", None]

async def main():
    store = FilesystemStore(root)
    said = {}
    await store.put("a/kept", b"small")
    said["bytes"] = await attempt(store.put("a/kept", bytes(3 << 20)))
    said["pieces"] = await attempt(store.put("a/kept", pieces(48)))
    said["kept"] = [b"".join([chunk async for chunk in store.read("a/kept")]).decode(), (await store.stat("a/kept")).size_bytes]
    said["left"] = [path.name for path in (root / "writing").iterdir()]
    if kind == "disk":
        await store.put("a/filler", bytes((1 << 20) - (48 << 10)))
        errors = []
        for number in range(200):  # until even a folder finds no room
            errors.append(await attempt(store.put(f"{number}/x/y/z", bytes(2048))))
            errors.append(await attempt(store.move("a/kept", f"moved/{number}/b/kept")))
            errors.append(await attempt(store.move(f"moved/{number}/b/kept", "a/kept")))
        said["odd"] = [error for error in errors if error[1] not in ("", "STORE_FULL", "OBJECT_NOT_FOUND")]
        said["full"] = sum(error[1] == "STORE_FULL" for error in errors)
        await store.delete("a/filler")
    said["again"] = await attempt(store.put("a/again", b"there is room"))
    print(json.dumps(said))

asyncio.run(main())
"""
_MOUNT = 'mount -t tmpfs -o size=1m,nr_inodes=200 tmpfs "$1" && exec "$2" "$3" "$1" disk'


def run_on_a_small_disk(tmp_path: Path) -> tuple[str, dict[str, object]]:
    """Runs the script on a disk of one megabyte in a mount namespace of its own, or under a limit of file sizes where the system allows none."""
    script, disk = tmp_path / "script.py", tmp_path / "disk"
    script.write_text(_SCRIPT)
    disk.mkdir()
    options = {"cwd": CHECKOUT, "env": inherited_environment(), "capture_output": True, "text": True, "timeout": 60}
    mounted = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, "sh", disk, sys.executable, script],
        check=False,
        **options,  # type: ignore[call-overload]
    )
    if mounted.stdout:
        return "disk", json.loads(mounted.stdout)
    assert "Traceback" not in mounted.stderr, mounted.stderr
    limited = subprocess.run([sys.executable, script, disk, "limit"], check=False, **options)  # type: ignore[call-overload]
    return "limit", json.loads(limited.stdout)


def test_a_full_disk_is_said_damages_nothing_and_passes(tmp_path: Path) -> None:
    kind, said = run_on_a_small_disk(tmp_path)
    full = ["UnavailableError", "STORE_FULL", 30.0]
    assert said["bytes"] == full
    assert said["pieces"] == full
    assert said["kept"] == ["small", 5]
    assert said["left"] == []
    assert said["again"] == ["", "", None]
    if kind == "disk":
        assert said["odd"] == []
        assert said["full"]
