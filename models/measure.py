"""Measures how long the provisioned models take on this machine.

    python -m models.measure --repository REPOSITORY [--threads 1] [--repeats 40]

Runs in the model environment, with onnxruntime in this process as the model server runs it: so the figures leave out
what a call to the server adds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

_CASES = {
    "movenet_multipose": [(1, 224, 384, 3), (1, 256, 256, 3), (1, 224, 128, 3)],
    "blazepose_full": [(1, 256, 256, 3), (2, 256, 256, 3), (8, 256, 256, 3)],
    "centernet": [(1, 512, 512, 3)],
}


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Times of one model at one input size.

    Attributes:
        model: Name of the model.
        shape: Of the input.
        median_wall_ms: Time that passed.
        median_cpu_ms: Time of all cores together.
    """

    model: str
    shape: tuple[int, ...]
    median_wall_ms: float
    median_cpu_ms: float


def measure(repository: Path, model: str, shape: tuple[int, ...], *, threads: int, repeats: int) -> Measurement:
    """Runs one model on noise; the first runs are not counted.

    Args:
        repository: As `models.provision` makes it.
        model: Name of the model.
        shape: Of the input.
        threads: Cores per inference.
        repeats: Runs that are counted.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = repository / model / "1" / "model.onnx"
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    net_input = session.get_inputs()[0]
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    walls_ms: list[float] = []
    cpus_ms: list[float] = []
    for _ in range(repeats + 3):
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        session.run(None, {net_input.name: images})
        walls_ms.append(1000 * (time.perf_counter() - wall_s))
        cpus_ms.append(1000 * (time.process_time() - cpu_s))
    return Measurement(
        model=model,
        shape=shape,
        median_wall_ms=statistics.median(walls_ms[3:]),
        median_cpu_ms=statistics.median(cpus_ms[3:]),
    )


def main(arguments: Sequence[str]) -> int:
    """Runs the command and gives its exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.measure", description="Times the models, one JSON a line.")
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=40)
    options = parser.parse_args(arguments)
    for model, shapes in _CASES.items():
        for shape in shapes:
            result = measure(options.repository, model, shape, threads=options.threads, repeats=options.repeats)
            sys.stdout.write(json.dumps(vars(result)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
