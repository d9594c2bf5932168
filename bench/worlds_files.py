"""How fast worlds are written and read, beside plyfile (Gaussians) and trimesh (meshes): `make bench PART=worlds-files`.

A synthetic world of 100,000 Gaussians, with harmonics of degree 0 and 3, and a mesh of 40,000 corners; the best of several rounds. Time on this process'
processors (user and system) stands beside the time on the clock, because machines are shared. Peers write and read the same format in the same run.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from bench.figure import Figure, machine, tell
from praxiscope_worlds import SH_COUNTS, GaussianWorld, Mesh
from praxiscope_worlds.formats import FORMATS, WorldContent, read_world_file, write_world_file
from tools.devstack.settings import CHECKOUT

_GAUSSIAN_COUNT = 100_000
_SIDE = 200
_ROUNDS = 5
# Text and gzip are told without a goal; the others are to take tens of milliseconds.
_GOALS_MS = {"ply": 100, "splat": 100, "glb-gaussians": 100, "compressed-ply": 250, "glb": 100, "mesh-ply": 100}
# Formats that a peer writes and reads too, and what it is called there.
_PEERS = {"ply": "plyfile", "glb": "glb", "mesh-ply": "ply", "obj": "obj"}


def main() -> int:
    """Prints the table."""
    print(machine())
    figures: list[Figure] = []
    for degree in (0, 3):
        world = _world(degree)
        for name, found in FORMATS.items():
            if found.holds is WorldContent.GAUSSIANS:
                rounds = 1 if name.startswith("usda") else _ROUNDS
                figures += _measured(world, name, label=f"{name}, degree {degree}", rounds=rounds)
    mesh = _mesh()
    for name, found in FORMATS.items():
        if found.holds is WorldContent.MESH:
            figures += _measured(mesh, name, label=f"{name}, mesh", rounds=_ROUNDS)
    print("  peer/ours: CPU time of the peer's write and read over ours; plyfile for Gaussians, trimesh for the mesh")
    return 0 if tell(figures) else 1


def _measured(content: GaussianWorld | Mesh, name: str, *, label: str, rounds: int) -> list[Figure]:
    data = b"".join(write_world_file(content, format_name=name))
    write_ms = _best(lambda: b"".join(write_world_file(content, format_name=name)), rounds=rounds)
    read_ms = _best(lambda: read_world_file(data, format_name=name), rounds=rounds)
    goal = _GOALS_MS.get(name)
    kind = _PEERS.get(name)
    ratio = f", peer/ours {_peer_ms(kind, content) / (write_ms[0] + read_ms[0]):.2f}" if kind else ""
    note = f"{len(data) / 1e6:.1f} MB"
    return [
        Figure(
            name=f"write {label}",
            value=write_ms[0],
            unit="CPU ms",
            goal=goal,
            note=f"{write_ms[1]:.0f} ms on the clock, {note}",
        ),
        Figure(
            name=f"read {label}",
            value=read_ms[0],
            unit="CPU ms",
            goal=goal,
            note=f"{read_ms[1]:.0f} ms on the clock{ratio}",
        ),
    ]


def _best(work: Callable[[], object], *, rounds: int = _ROUNDS) -> tuple[float, float]:
    """Least CPU time and least clock time of several rounds, milliseconds."""
    times = []
    for _ in range(rounds):
        before, started_s = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        work()
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        times.append((1000 * cpu_s, 1000 * (time.perf_counter() - started_s)))
    return min(cpu for cpu, _ in times), min(clock for _, clock in times)


def _peer_ms(kind: str, content: GaussianWorld | Mesh) -> float:
    """CPU milliseconds that a peer takes to write and read the same format, in an environment of its own (`bench/worlds_files_peer.py`)."""
    python = CHECKOUT / ".venv-bench" / "bin" / "python"
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, **{name: value for name, value in vars(content).items() if value is not None})
        file.flush()
        command = [str(python), str(CHECKOUT / "bench" / "worlds_files_peer.py"), kind, file.name]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _world(degree: int) -> GaussianWorld:
    rng = np.random.default_rng(1)
    count = _GAUSSIAN_COUNT
    return GaussianWorld(
        means_m=rng.normal(size=(count, 3)).astype(np.float32) * 3,
        quaternions_wxyz=rng.normal(size=(count, 4)).astype(np.float32),
        log_scales=rng.uniform(-6, 0, (count, 3)).astype(np.float32),
        opacity_logits=rng.normal(size=count).astype(np.float32) * 2,
        sh=rng.uniform(-0.6, 0.6, (count, SH_COUNTS[degree], 3)).astype(np.float32),
    )


def _mesh() -> Mesh:
    rng = np.random.default_rng(1)
    columns, rows = np.meshgrid(np.arange(_SIDE), np.arange(_SIDE))
    corners = np.stack([columns, np.sin(columns / 20) + np.cos(rows / 15), rows], axis=-1).reshape(-1, 3)
    corner = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE)
    low = np.stack([corner[:-1, :-1], corner[1:, 1:], corner[:-1, 1:]], axis=-1).reshape(-1, 3)
    high = np.stack([corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:]], axis=-1).reshape(-1, 3)
    return Mesh(
        vertices_m=corners.astype(np.float32),
        faces=np.concatenate([low, high]).astype(np.int32),
        colors_rgb=rng.integers(0, 256, (_SIDE * _SIDE, 3)).astype(np.uint8),
    )


if __name__ == "__main__":
    sys.exit(main())
