"""What builds and checks the CUDA kernels, on a machine without a GPU and without NVIDIA's toolkit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.cuda.toolkit import ToolkitError, build, find_toolkit
from tools.devstack.settings import CHECKOUT


def write_nvcc(home: Path, *, release: str = "13.0", compiles: str = "exit 1") -> dict[str, str]:
    """A compiler that knows its version and some architectures; returns the environment that finds it."""
    nvcc = home / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    answers = f'--version) echo "Cuda compilation tools, release {release}, V{release}.88";;'
    answers += " --list-gpu-arch) printf 'compute_75\\ncompute_86\\ncompute_90\\ncompute_100\\n';;"
    nvcc.write_text(f'#!/bin/sh\ncase "$1" in {answers} *) {compiles};; esac\n', encoding="utf-8")
    nvcc.chmod(0o755)
    return {"CUDA_HOME": str(home), "PATH": "/usr/bin:/bin"}


def test_a_check_without_a_device_says_so_and_fails() -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "tools.cuda", "check"]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=CHECKOUT, env=environment, timeout=60
    )
    assert done.returncode == 1 and done.stderr.startswith("no CUDA device here: "), done.stderr
    assert done.stdout == ""


def test_a_machine_without_the_toolkit_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="CUDA toolkit 12 or newer"):
        find_toolkit({"PATH": str(tmp_path)}, checkout=tmp_path)


def test_a_toolkit_that_is_too_old_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"of CUDA 11\.5"):
        find_toolkit(write_nvcc(tmp_path, release="11.5"), checkout=tmp_path)


def test_what_the_compiler_says_is_told(tmp_path: Path) -> None:
    toolkit = find_toolkit(write_nvcc(tmp_path, compiles="echo 'line 3: no such thing' >&2; exit 2"), checkout=tmp_path)
    with pytest.raises(ToolkitError, match="no such thing"):
        build(toolkit, tmp_path / "built")
    assert not list((tmp_path / "built").iterdir())


def test_a_library_is_built_for_what_the_toolkit_knows(tmp_path: Path) -> None:
    """Of the architectures that the kernels are written for; the newest of them stays as PTX for later devices."""
    environment = write_nvcc(tmp_path, compiles='for word; do last=$word; done; echo "$@" > "$last"')
    toolkit = find_toolkit(environment, checkout=tmp_path)
    assert toolkit.version == (13, 0) and toolkit.architectures == (75, 86, 90)
    library = build(toolkit, tmp_path / "built")
    arguments = library.read_text(encoding="utf-8").split()
    assert [each for each in arguments if each.startswith("-gencode")] == [
        "-gencode=arch=compute_75,code=sm_75",
        "-gencode=arch=compute_86,code=sm_86",
        "-gencode=arch=compute_90,code=[sm_90,compute_90]",
    ]
    assert "-fmad=false" in arguments and [each.name for each in library.parent.iterdir()] == ["splat-cuda.so"]
