"""The CUDA kernels' own source, compiled by g++ against stand-ins for CUDA (`cuda_runtime.h` here), for tests alone.

No service can choose it: its library has a name of its own, which only `EmulatedCudaKernels` loads.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from praxiscope_worlds.kernels import CudaKernels
from tools.devstack.settings import CHECKOUT

HERE = Path(__file__).resolve().parent
KERNELS = CHECKOUT / "libs" / "worlds" / "src" / "praxiscope_worlds" / "kernels"
CACHE = CHECKOUT / ".praxiscope" / "tests" / "cuda-emulation"
# The device's code is compiled without contraction too (tools/cuda.py), so this rounds as it does but for exponentials and logarithms.
_FLAGS = ("-std=c++17", "-march=x86-64-v3", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")
_FLAGS += ("-Wno-subobject-linkage", "-I", str(HERE))


class EmulatedCudaKernels(CudaKernels):
    """`CudaKernels` on the emulated library."""

    library_name: ClassVar[str] = "splat-cuda-emulated-for-tests.so"
    # What C++ leaves open, as a float that no int can hold, ends the process.
    flags: ClassVar[Sequence[str]] = (
        *("-O1", "-fPIC", "-shared"),
        *("-fsanitize=undefined,float-cast-overflow", "-fno-sanitize-recover=all"),
    )

    def __init__(self) -> None:
        super().__init__(build(self.library_name, ["emulation.cpp"], self.flags).parent)
        self.library = self._library
        self.library.emulation_set_order.argtypes = [ctypes.c_uint64]
        self.library.emulation_set_pieces.argtypes = [ctypes.c_int64]
        self.library.emulation_live_bytes.restype = ctypes.c_int64

    @property
    def live_bytes(self) -> int:
        """Memory of the device that is held."""
        return int(self.library.emulation_live_bytes())

    @contextmanager
    def ordered(self, seed: int) -> Iterator[None]:
        """Threads and blocks run in an order that is drawn from a seed."""
        self.library.emulation_set_order(seed)
        try:
            yield
        finally:
            self.library.emulation_set_order(0)

    @contextmanager
    def limited(self, piece_count: int) -> Iterator[None]:
        """The device gives so many pieces of memory and no more."""
        self.library.emulation_set_pieces(piece_count)
        try:
            yield
        finally:
            self.library.emulation_set_pieces(2**63 - 1)

    @contextmanager
    def without_devices(self) -> Iterator[None]:
        """The machine has no device."""
        self.library.emulation_set_device_count(0)
        try:
            yield
        finally:
            self.library.emulation_set_device_count(1)


def build(name: str, sources: Sequence[str], flags: Sequence[str]) -> Path:
    """Compiles sources of this folder once for each state of the kernels, whatever the number of test processes; returns what came of it."""
    digest = hashlib.sha256(repr((sources, flags, _FLAGS)).encode())
    read = [path for folder in (HERE, KERNELS / "cuda", KERNELS / "cpu") for path in folder.rglob("*")]
    for path in sorted(path for path in read if path.suffix in {".h", ".hpp", ".cpp", ".cu", ".cuh"}):
        digest.update(path.name.encode() + path.read_bytes())
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / digest.hexdigest()[:16] / name
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return target
        for old in folder.iterdir():
            if old.is_dir():
                shutil.rmtree(old)
        target.parent.mkdir()
        fresh = target.with_suffix(".new")
        command = ["g++", *_FLAGS, *flags, *(str(HERE / source) for source in sources), "-o", str(fresh)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        fresh.rename(target)
    return target
