"""Times drawing and gradients of Gaussian worlds, trains one from photos, and draws a mesh. `make bench PART=worlds`.

    python -m bench.worlds [--garden test_garden.npz] [--fox FOLDER] [--threads 2] [--tier draft ...] [--kernels FOLDER] [--only-meshes]

The paths may stand in the variables GARDEN and FOX. Neither may be shipped: the first is gsplat's (Apache-2.0, points of MipNeRF360's garden), the second
instant-ngp's fox (evaluation only). Ends with code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.figure import machine
from bench.worlds.drawing import time_drawing
from bench.worlds.streaming import time_streaming
from bench.worlds.tracing import time_tracing
from bench.worlds.training import train_fox
from generation_service.core.config import TIERS
from praxiscope_worlds.kernels import CpuKernels
from tools.devstack.settings import CHECKOUT


def main(arguments: Sequence[str]) -> int:
    """Prints all figures; ends with code 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.worlds", description=__doc__)
    parser.add_argument("--garden", default=os.environ.get("GARDEN"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kernels", default=str(CHECKOUT / ".praxiscope" / "kernels"))
    parser.add_argument("--fox", default=os.environ.get("FOX"))
    parser.add_argument("--tier", action="append", choices=list(TIERS))
    parser.add_argument("--only-meshes", action="store_true")
    options = parser.parse_args(arguments)
    print(machine())
    kernels = CpuKernels(Path(options.kernels), thread_count=options.threads)
    met = [time_tracing(options.threads)]
    if options.only_meshes:
        return 0 if all(met) else 1
    met += [time_drawing(kernels, Path(options.garden) if options.garden else None)]
    time_streaming(kernels)
    tiers = tuple(options.tier or TIERS)
    met.append(train_fox(Path(options.fox) if options.fox else None, options.threads, tiers))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
