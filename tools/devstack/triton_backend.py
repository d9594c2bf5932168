"""Builds the model server's `onnxruntime` backend (models/serving/onnxruntime) against the library that the wheel of onnxruntime carries."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "models" / "serving" / "onnxruntime"
_FLAGS = ("-std=c++17", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared")
# The name that the library calls itself by, whatever its file is called in the wheel.
_LIBRARY = "libonnxruntime.so.1"


class BackendError(Exception):
    """The backend cannot be built; the message says what to do."""


def fingerprint(packages: Path) -> str:
    """What the backend is built of, for knowing when it must be built again.

    Args:
        packages: The folder with the wheel's packages.
    """
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.read_bytes())
    versions = sorted(path.name for path in packages.glob("onnxruntime-*.dist-info"))
    return f"{' '.join(versions)} {digest.hexdigest()}"


def build_backend(packages: Path, backends: Path) -> None:
    """Compiles the backend and lays the library beside it.

    Args:
        packages: The folder with the wheel's packages.
        backends: The server's folder of backends.

    Raises:
        BackendError: There is no compiler, it failed, or there is no library.
    """
    libraries = sorted((packages / "onnxruntime" / "capi").glob("libonnxruntime.so.*"))
    if not libraries:
        raise BackendError(f"onnxruntime is not installed in {packages}; install requirements/models.txt there")
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise BackendError("The model server's backend needs a C++ compiler. On Debian: apt-get install g++")
    folder = backends / "onnxruntime"
    folder.mkdir()
    library = shutil.copyfile(libraries[-1], folder / _LIBRARY)
    command = [
        compiler,
        *_FLAGS,
        *sorted(str(path) for path in SOURCES.glob("*.cpp")),
        str(library),
        # The library is found beside the backend; what Triton has is found in the server that loads it.
        "-Wl,-rpath,$ORIGIN",
        "-o",
        str(folder / "libtriton_onnxruntime.so"),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BackendError(f"{compiler} failed for the model server's backend:\n{done.stderr.strip()[-3000:]}")
