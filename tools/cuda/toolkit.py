"""Finds NVIDIA's compiler and calls it. It is proprietary: whoever wants it installs it, and nothing of it is ours to ship."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
KERNELS = CHECKOUT / ".praxiscope" / "kernels"
LIBRARY = "splat-cuda.so"
# What the kernels are written for; a toolkit compiles those that it knows (CUDA 13 no longer knows 70). The last one also stays as PTX, for devices to come.
ARCHITECTURES = (70, 75, 80, 86, 89, 90)
# No contraction: two kernels must compute the same from the same, and tests on the host round likewise.
FLAGS = ("-std=c++17", "-O3", "-fmad=false", "-shared", "-Xcompiler=-fPIC", "--threads=2")
# C++17, cudaLaunchKernelEx, and memory pools.
MIN_VERSION = (12, 0)
_SOURCE = CHECKOUT / "libs" / "worlds" / "src" / "praxiscope_worlds" / "kernels" / "cuda" / "splat_cuda.cu"


class ToolkitError(Exception):
    """There is no compiler, or it failed; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Toolkit:
    """A compiler.

    Attributes:
        nvcc: Its program.
        version: Of CUDA.
        architectures: Those of ours that it knows.
    """

    nvcc: Path
    version: tuple[int, int]
    architectures: tuple[int, ...]


def find_toolkit(environ: Mapping[str, str], *, checkout: Path = CHECKOUT) -> Toolkit:
    """Finds nvcc: in CUDA_HOME, on PATH, or where `make cuda-compile` put NVIDIA's wheels.

    Raises:
        ToolkitError: There is none, it is too old, or it does not run.
    """
    homes = [Path(environ["CUDA_HOME"]) / "bin"] if environ.get("CUDA_HOME") else []
    on_path = shutil.which("nvcc", path=environ.get("PATH", ""))
    wheels = checkout.glob(".venv-cuda/lib/python3*/site-packages/nvidia/cu*/bin")
    candidates = [
        *(home / "nvcc" for home in homes),
        *([Path(on_path)] if on_path else []),
        *(w / "nvcc" for w in wheels),
    ]
    nvcc = next((path for path in candidates if path.exists()), None)
    if nvcc is None:
        raise ToolkitError(
            "There is no nvcc on PATH or in the bin folder of CUDA_HOME. Install NVIDIA's CUDA toolkit 12 or newer (Debian's package"
            " nvidia-cuda-toolkit is too old), or have `make cuda-compile` fetch it as wheels."
        )
    found = re.search(r"release (\d+)\.(\d+)", _ask(nvcc, "--version"))
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < MIN_VERSION:
        raise ToolkitError(f"{nvcc} is of CUDA {version[0]}.{version[1]}; the kernels need 12 or newer.")
    known = {int(number) for number in re.findall(r"compute_(\d+)$", _ask(nvcc, "--list-gpu-arch"), re.MULTILINE)}
    return Toolkit(nvcc=nvcc, version=version, architectures=tuple(each for each in ARCHITECTURES if each in known))


def build(toolkit: Toolkit, folder: Path, *, has_strict_warnings: bool = False) -> Path:
    """Compiles the library for all architectures that a toolkit knows; one that is in use is replaced, not overwritten.

    Args:
        toolkit: The compiler.
        folder: Where the library goes.
        has_strict_warnings: Every warning in our source is an error.

    Returns:
        The library.

    Raises:
        ToolkitError: The compiler failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{LIBRARY}.new"
    *older, newest = toolkit.architectures
    codes = [f"-gencode=arch=compute_{each},code=sm_{each}" for each in older]
    codes.append(f"-gencode=arch=compute_{newest},code=[sm_{newest},compute_{newest}]")
    strict = ("-Werror=all-warnings", "-Xcompiler=-Wall,-Wextra,-Werror") if has_strict_warnings else ()
    # NVIDIA's wheels have their libraries in lib, where nvcc does not look.
    libraries = f"-L{toolkit.nvcc.parent.parent / 'lib'}"
    command = [str(toolkit.nvcc), *FLAGS, *strict, *codes, libraries, str(_SOURCE), "-o", str(fresh)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ToolkitError(f"{toolkit.nvcc} failed:\n{(done.stdout + done.stderr).strip()[-3000:]}")
    return fresh.replace(folder / LIBRARY)


def try_library(library: Path) -> str:
    """Loads a library, opens the first device, and returns what it says; where there is no device, CUDA's words for that."""
    loaded = ctypes.CDLL(str(library))
    loaded.splat_cuda_describe.restype = ctypes.c_char_p
    opened, name, capability = ctypes.c_void_p(), ctypes.create_string_buffer(256), ctypes.c_int32()
    code = loaded.splat_cuda_open(0, ctypes.byref(opened), name, ctypes.byref(capability))
    if code:
        return f"it loads, and finds: {loaded.splat_cuda_describe(code).decode()}"
    loaded.splat_cuda_close(opened)
    return f"it loads, and opens {name.value.decode()} (sm_{capability.value})"


def _ask(nvcc: Path, argument: str) -> str:
    try:
        return subprocess.run([str(nvcc), argument], check=False, capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolkitError(f"{nvcc} does not run: {error}") from error
