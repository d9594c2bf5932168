"""Whether a version of a model fits on the model servers.

Model servers of a pool stand behind one name that spreads calls over them, so each of them holds every version, and a version fits where it fits on
all of them. A version that does not fit waits: nothing that answers is ever taken out to make room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One model server and the memory of its device.

    Attributes:
        name: Its pod.
        budget_bytes: What versions may take together.
    """

    name: str
    budget_bytes: int


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a version goes.

    Attributes:
        instances: The servers that hold it; empty where it has to wait.
        shortfall_bytes: By how much it is too large for the fullest server; 0 where it fits.
        message: What a person is told.
    """

    instances: tuple[str, ...]
    shortfall_bytes: int
    message: str


def place(need_bytes: int, held_bytes: int, instances: Sequence[Instance]) -> Placement:
    """Finds room for a version.

    Args:
        need_bytes: What it takes.
        held_bytes: What the versions that are loaded or being loaded take, on each server.
        instances: The servers that are ready; none means that nothing can be placed.
    """
    if not instances:
        return Placement(instances=(), shortfall_bytes=0, message="no model server is ready")
    tightest = min(instances, key=lambda instance: (instance.budget_bytes, instance.name))
    shortfall_bytes = held_bytes + need_bytes - tightest.budget_bytes
    if shortfall_bytes > 0:
        free_bytes = max(0, tightest.budget_bytes - held_bytes)
        return Placement(
            instances=(),
            shortfall_bytes=shortfall_bytes,
            message=f"needs {need_bytes} bytes, and {tightest.name} has {free_bytes} of {tightest.budget_bytes} left",
        )
    names = tuple(sorted(instance.name for instance in instances))
    return Placement(instances=names, shortfall_bytes=0, message=f"fits on {', '.join(names)}")
