"""A training's state as one file of plain arrays."""

from __future__ import annotations

import io
import zipfile
from typing import BinaryIO

import numpy as np

from generation_service.core.types import PARAMETERS, TrainingState

_TABLES = ("values", "first_moments", "second_moments")
_ARRAYS = ("exposures", "exposure_moments", "pulls", "seen_counts")
_NUMBERS = ("version", "step", "seed")


def write_state(state: TrainingState) -> bytes:
    """Returns the file (.npz, not compressed: it is written every few seconds and lives for minutes)."""
    arrays = {f"{table}.{name}": getattr(state, table)[name] for table in _TABLES for name in PARAMETERS}
    arrays |= {name: getattr(state, name) for name in _ARRAYS}
    arrays |= {name: np.array(getattr(state, name), np.int64) for name in _NUMBERS}
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def read_state(file: BinaryIO) -> TrainingState:
    """Reads what `write_state` wrote.

    Raises:
        ValueError: It is not such a file, or not all of it.
    """
    try:
        return _read(file)
    except (zipfile.BadZipFile, EOFError, KeyError) as error:
        raise ValueError(f"this is no whole state of a training: {error}") from error


def _read(file: BinaryIO) -> TrainingState:
    with np.load(file, allow_pickle=False) as arrays:
        tables = {table: {name: arrays[f"{table}.{name}"] for name in PARAMETERS} for table in _TABLES}
        return TrainingState(
            version=int(arrays["version"]),
            step=int(arrays["step"]),
            seed=int(arrays["seed"]),
            values=tables["values"],
            first_moments=tables["first_moments"],
            second_moments=tables["second_moments"],
            exposures=arrays["exposures"],
            exposure_moments=arrays["exposure_moments"],
            pulls=arrays["pulls"],
            seen_counts=arrays["seen_counts"],
        )
