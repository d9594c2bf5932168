"""onnxruntime in a process, for the call's overhead to be taken from: reads `net height width` lines, answers with milliseconds.

Runs in the peers' environment (requirements/bench.txt). The session is set up as the model server sets up its own.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Opens a net with one thread that sleeps while it waits."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main() -> None:
    """Answers until there is nothing more to read."""
    models = Path(sys.argv[1])
    sessions: dict[str, onnxruntime.InferenceSession] = {}
    for line in sys.stdin:
        net, height, width = line.split()
        if net not in sessions:
            sessions[net] = open_session(models / net / "1" / "model.onnx")
        session = sessions[net]
        images = np.random.default_rng(7).integers(0, 256, (1, int(height), int(width), 3), np.uint8)
        start = time.perf_counter()
        session.run(None, {"images": images})
        print(1e3 * (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
