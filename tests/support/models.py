"""The model server and the sample video. Where they are missing a test is skipped with what to do, and under CI=1 it fails."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tools.devstack.settings import CHECKOUT
from tools.devstack.triton import RunningTriton, run_triton

_STATE = CHECKOUT / ".praxiscope"
REPOSITORY = _STATE / "models"
_SAMPLE_VIDEO = _STATE / "samples" / "demo.mp4"


@contextlib.contextmanager
def run_models(log: Path) -> Iterator[RunningTriton]:
    """Runs the model server until the end of the block."""
    environment = CHECKOUT / ".venv-models"
    if not (REPOSITORY / "movenet_multipose").is_dir() or not environment.is_dir():
        _missing(f"there are no models in {REPOSITORY.relative_to(CHECKOUT)}; `make setup` puts them there")
    with run_triton(environment, _STATE / "triton", REPOSITORY, log=log) as running:
        yield running


def find_sample_video() -> Path:
    """Returns the sample video."""
    named = os.environ.get("PRAXISCOPE_SAMPLE_VIDEO", "")
    path = Path(named) if named else _SAMPLE_VIDEO
    if not path.is_file():
        _missing(
            f"there is no sample video at {path}; `make setup` puts it there, or name it in PRAXISCOPE_SAMPLE_VIDEO"
        )
    return path


def _missing(what: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
