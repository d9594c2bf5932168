"""A node's own control groups: made before it starts, taken away after it has ended."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tools.cluster.settings import ClusterError

ROOT = Path("/sys/fs/cgroup")
_STOP_TIMEOUT_S = 10.0


def hierarchies() -> list[Path]:
    """Returns every place with control groups: one with version 2; one for each controller with version 1, and perhaps version 2 beside them."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return sorted(path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink())


def make_groups(name: str) -> None:
    """Makes a group of a name everywhere."""
    for hierarchy in hierarchies():
        if hierarchy.name == "unified":
            continue  # runc makes its own there, and nothing is counted in it
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        # With version 1 a new group has no processors and no memory until it is told which.
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if (group / setting).exists() and hierarchy.name.startswith("cpuset"):
                (group / setting).write_text((hierarchy / setting).read_text(encoding="ascii"), encoding="ascii")
        if hierarchy == ROOT:
            controllers = (hierarchy / "cgroup.controllers").read_text(encoding="ascii").split()
            (group / "cgroup.subtree_control").write_text(
                " ".join(f"+{item}" for item in controllers), encoding="ascii"
            )


def remove_groups(name: str) -> None:
    """Removes a group and all below it, everywhere.

    Raises:
        ClusterError: Something still runs in one.
    """
    deadline_s = time.monotonic() + _STOP_TIMEOUT_S
    while left := [hierarchy / name for hierarchy in hierarchies() if (hierarchy / name).is_dir()]:
        for group in left:
            for folder, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    continue  # the kernel still buries what ran there; the next round sees
        if time.monotonic() > deadline_s:
            raise ClusterError(f"{left[0]} cannot be removed: something still runs in it.")
        time.sleep(0.05)
