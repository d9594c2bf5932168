"""What it costs to ask Triton, as the vision service asks it, instead of running the net in this process."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench import stack
from bench.figure import Figure
from vision_inference_service.adapters.triton_models import TritonModels, TritonSettings

_CALLS = 300
_WARM_UP = 20
GOAL_MS = 1.2


@dataclass(frozen=True, kw_only=True)
class Net:
    """A net and the input it is asked with.

    Attributes:
        name: For the table.
        model: The net's name.
        height: Of the input.
        width: Of the input.
    """

    name: str
    model: str
    height: int
    width: int


NETS = (
    Net(name="landmarks of one person", model="blazepose_full", height=256, width=256),
    Net(name="people, long side 384", model="movenet_multipose", height=224, width=384),
    Net(name="people, smallest picture", model="movenet_multipose", height=32, width=32),
)


def measure() -> Sequence[Figure]:
    """Asks both in turns."""
    return asyncio.run(_measure())


async def _measure() -> Sequence[Figure]:
    command = [str(stack.peer_python()), "bench/latency/onnx_peer.py", str(stack.MODELS)]
    settings = TritonSettings(address=stack.settings().address("triton-grpc"), is_local=True)
    figures: list[Figure] = []
    async with TritonModels(settings, metadata=dict) as models:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
            for net in NETS:
                figures.append(await _compare(models, peer, net))
            assert peer.stdin is not None
            peer.stdin.close()
    return figures


async def _compare(models: TritonModels, peer: subprocess.Popen[str], net: Net) -> Figure:
    images = np.random.default_rng(7).integers(0, 256, (net.height, net.width, 3), np.uint8)
    ask: Callable[[], Awaitable[object]] = (
        (lambda: models.estimate_landmarks(images[None]))
        if net.model == "blazepose_full"
        else (lambda: models.detect_persons(images))
    )
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(_CALLS + _WARM_UP):
        theirs.append(_in_process(peer, net))
        start = time.perf_counter()
        await ask()
        ours.append(1e3 * (time.perf_counter() - start))
    triton, script = statistics.median(ours[_WARM_UP:]), statistics.median(theirs[_WARM_UP:])
    quiet = _lower_quartile(ours[_WARM_UP:]) - _lower_quartile(theirs[_WARM_UP:])
    note = f"({triton:.2f} and {script:.2f} ms, {_CALLS} calls each, in turns; {quiet:.2f} ms between lower quartiles)"
    return Figure(
        name=f"Triton call over in process: {net.name}",
        value=triton - script,
        unit="ms p50",
        goal=GOAL_MS,
        note=note,
    )


def _lower_quartile(times_ms: Sequence[float]) -> float:
    """Returns what a quarter of the calls stayed under: those that other work on the machine disturbed least."""
    return statistics.quantiles(times_ms, n=4)[0]


def _in_process(peer: subprocess.Popen[str], net: Net) -> float:
    assert peer.stdin is not None and peer.stdout is not None
    peer.stdin.write(f"{net.model} {net.height} {net.width}\n")
    peer.stdin.flush()
    return float(peer.stdout.readline())
