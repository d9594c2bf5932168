"""What the processor does during an analysis, by the code that runs: the part that moves bytes instead of working on them. `make bench`.

    python -m bench.motion.shares [--rounds 3]

Wants `perf` (Debian: linux-perf) and the right to use it on the stack's processes. All processes of the stack are sampled 499 times a second while
the sample video is analysed, and each sample is put down to the library, and within the C library to the function, that it was seen in. To what
moves bytes belong gRPC, protobuf, the model server without its nets, copies in memory, and the whole time in the kernel, though some of that is
changes between threads and new pages; so the share is an upper bound.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.figure import Figure
from bench.motion.__main__ import CASES, SAMPLE, analyse
from bench.stack import family
from praxiscope.client import Client, read_profile
from tools.devstack.settings import CHECKOUT, read_settings
from tools.devstack.status import read_state

GOAL_PERCENT = 6.0
SAMPLES_A_SECOND = 499
# The first whose pattern is found in `library symbol` takes a sample.
KINDS: Mapping[str, str] = {
    "nets": r"^onnxruntime",
    "video and pictures": r"^(libav|libsw|cv2|libSvtAv1|libvpx|libx264|libdav1d)",
    "gRPC, protobuf and the model server": r"^(cygrpc|_message|tritonserver|libtriton|triton_python|gateway)",
    "copies": r"^lib(c|stdc).*(memmove|memcpy|memset)",
    "kernel": r"^\[",
    "database": r"^postgres",
    "arrays and solvers": r"(_multiarray|_umath|openblas|scipy|_ufuncs|interpolate|^_[a-z]+\.cpython)",
    "Python": r"^(libpython|python)",
}
MOVING = ("gRPC, protobuf and the model server", "copies", "kernel")
_LINE = re.compile(r"^\s*[\d.]+%\s+(?P<count>\d+)\s+(?P<library>\S+)\s+(?P<symbol>\[.\].*)$")


def read_shares(report: str) -> dict[str, float]:
    """Sums `perf report --sort dso,sym --show-nr-samples` by kind, in percent.

    Raises:
        ValueError: There is nothing in it.
    """
    counts: Counter[str] = Counter()
    for line in report.splitlines():
        found = _LINE.match(line)
        if found:
            seen = f"{found['library']} {found['symbol']}"
            kind = next((kind for kind, pattern in KINDS.items() if re.search(pattern, seen)), "all else")
            counts[kind] += int(found["count"])
    if not counts:
        raise ValueError("perf saw nothing.")
    return {kind: 100.0 * count / counts.total() for kind, count in counts.items()}


def sample(processes: Sequence[int], target: Path) -> subprocess.Popen[bytes]:
    """Starts sampling; SIGINT ends it."""
    command = ["perf", "record", "-q", "-o", str(target), "-F", str(SAMPLES_A_SECOND), "-e", "cpu-clock"]
    return subprocess.Popen([*command, "-p", ",".join(map(str, processes))], stderr=subprocess.DEVNULL)


def main(arguments: Sequence[str]) -> int:
    """Prints the shares; ends with code 1 where too much is moved about."""
    parser = argparse.ArgumentParser(prog="python -m bench.motion.shares", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    state = read_state(read_settings(os.environ))
    if not state.is_alive:
        sys.stderr.write("The stack is not up: `make up`.\n")
        return 2
    if shutil.which("perf") is None:
        sys.stderr.write("perf is missing (Debian: linux-perf).\n")
        return 2
    processes = [process for part in state.parts for process in family(int(part["pid"]))]
    with Client(read_profile(folder=CHECKOUT)) as client, tempfile.TemporaryDirectory() as folder:
        version = client.upload(SAMPLE).latest_version
        analyse(client, version, CASES[0])  # once for nothing, so that nobody pays for a cold start
        target = Path(folder) / "perf.data"
        sampling = sample(processes, target)
        try:
            for _ in range(options.rounds):
                analyse(client, version, CASES[0])
        finally:
            sampling.send_signal(signal.SIGINT)
            sampling.wait(30)
        command = [
            "perf",
            "report",
            "-i",
            str(target),
            "--no-children",
            "--sort",
            "dso,sym",
            "-n",
            "-g",
            "none",
            "--stdio",
        ]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    shares = read_shares(report)
    for kind, percent in sorted(shares.items(), key=lambda item: -item[1]):
        print(f"  {percent:5.1f} %  {kind}")
    moved = Figure(
        name="copies, network and serialisation, at most",
        value=sum(shares.get(kind, 0.0) for kind in MOVING),
        unit="%",
        goal=GOAL_PERCENT,
        note=f"{options.rounds} analyses, {len(processes)} processes",
    )
    print(moved)
    return 0 if moved.is_met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
