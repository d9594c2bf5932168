"""Builds the C++ kernels of `libs/worlds` into `.praxiscope/kernels`: one library for each level of instructions that is worth having.

Nothing is built for this machine alone (`-march=native`): what is built here runs on any machine of its level, and the loader picks by what the processor can.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

LEVELS = ("x86-64-v3", "x86-64-v4")
FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi", "-fPIC", "-shared", "-pthread")
_SOURCES = Path("libs/worlds/src/praxiscope_worlds/kernels/cpu")


class CompilerError(Exception):
    """There is no compiler, or it failed; the message says what to do."""


def find_sources(checkout: Path) -> list[Path]:
    """Returns every file that goes into the libraries."""
    return sorted(path for path in (checkout / _SOURCES).iterdir() if path.suffix in {".cpp", ".hpp"})


def describe_compiler() -> str:
    """Returns the compiler's version and how it is called.

    Raises:
        CompilerError: There is none.
    """
    compiler = _find_compiler()
    version = subprocess.run([compiler, "--version"], check=False, capture_output=True, text=True, timeout=30).stdout
    return "\n".join([version.splitlines()[0] if version else compiler, *FLAGS, *LEVELS])


def build(checkout: Path, folder: Path, levels: Sequence[str] = LEVELS) -> list[Path]:
    """Compiles one library a level, side by side; one that is in use is replaced, not overwritten.

    Args:
        checkout: Root of the repository.
        folder: Where the libraries go.
        levels: Levels of the x86-64 psABI.

    Returns:
        The libraries.

    Raises:
        CompilerError: There is no compiler, or it failed.
    """
    compiler = _find_compiler()
    folder.mkdir(parents=True, exist_ok=True)
    sources = [str(path) for path in find_sources(checkout) if path.suffix == ".cpp"]
    running = []
    for level in levels:
        fresh = folder / f"splat-{level}.so.new"
        command = [compiler, *FLAGS, f"-march={level}", *sources, "-o", str(fresh)]
        running.append((level, fresh, subprocess.Popen(command, stderr=subprocess.PIPE, text=True)))
    built = []
    for level, fresh, process in running:
        _, output = process.communicate()
        if process.returncode:
            raise CompilerError(f"{compiler} failed for {level}:\n{output.strip()[-3000:]}")
        built.append(fresh.replace(folder / f"splat-{level}.so"))
    return built


def _find_compiler() -> str:
    for name in ("g++", "clang++"):
        if found := shutil.which(name):
            return found
    raise CompilerError("The kernels need a C++ compiler. On Debian: apt-get install g++")
