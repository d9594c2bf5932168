"""Everything that only a GPU can say: parity on the device, what compute-sanitizer sees, and how fast it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

from tools.cuda.device import count_devices
from tools.cuda.toolkit import CHECKOUT, KERNELS, build, find_toolkit
from tools.setup import kernels as cpu_kernels

# As the project's own settings, less the plug-ins that these tests do not need and a bare machine does not have.
_PYTEST = (
    "-m",
    "pytest",
    "-c",
    os.devnull,
    "--rootdir",
    str(CHECKOUT),
    "--noconftest",
    "-W",
    "error",
    "-p",
    "no:cacheprovider",
)
_TESTS = "tests/unit/worlds/test_kernels.py"
_SANITIZER_TOOLS = ("memcheck", "racecheck", "synccheck")


def check(environ: Mapping[str, str]) -> bool:
    """Builds the library, runs everything on the device, and says whether all held.

    Raises:
        NoDeviceError: There is no device.
        ToolkitError: The library cannot be built.
    """
    print(f"devices: {count_devices()}", flush=True)
    toolkit = find_toolkit(environ)
    print(f"nvcc of CUDA {toolkit.version[0]}.{toolkit.version[1]}: {build(toolkit, KERNELS)}", flush=True)
    if not any(KERNELS.glob("splat-x86-64-*.so")):
        cpu_kernels.build(CHECKOUT, KERNELS)
    held = {"parity": _run([*_PYTEST, "--import-mode=importlib", "-q", _TESTS], environ)}
    sanitizer = shutil.which("compute-sanitizer", path=environ.get("PATH", ""))
    for tool in _SANITIZER_TOOLS if sanitizer else ():
        command = [str(sanitizer), "--tool", tool, "--error-exitcode", "1", sys.executable, "-m", "tools.cuda.exercise"]
        held[tool] = _run_program(command, environ)
    if sanitizer is None:
        print("compute-sanitizer: not run: not on PATH")
    held["speed and parity of large scenes"] = _run(["-m", "bench.worlds.cuda"], environ)
    print()
    for name, is_good in held.items():
        print(f"  {name:40} {'ok' if is_good else 'FAILED'}")
    return all(held.values())


def _run(arguments: Sequence[str], environ: Mapping[str, str]) -> bool:
    return _run_program([sys.executable, *arguments], environ)


def _run_program(command: Sequence[str], environ: Mapping[str, str]) -> bool:
    sources = [str(CHECKOUT), *map(str, sorted(CHECKOUT.glob("libs/*/src")))]
    environment = {**environ, "PYTHONPATH": os.pathsep.join(sources), "PRAXISCOPE_TEST_CUDA": "1"}
    print(f"\n$ {' '.join(command)}", flush=True)
    return subprocess.run(command, check=False, cwd=CHECKOUT, env=environment).returncode == 0
