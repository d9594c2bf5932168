"""How far a long-running operation is, for whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_DONE = {"STATE_SUCCEEDED", "STATE_FAILED", "STATE_CANCELLED"}


@dataclass(frozen=True, kw_only=True)
class StageProgress:
    """One part of an operation.

    Attributes:
        name: The part's name.
        progress: 0 to 1.
        weight: Its share of the whole.
        elapsed_s: Seconds it took so far.
    """

    name: str
    progress: float
    weight: float
    elapsed_s: float


@dataclass(frozen=True, kw_only=True)
class Progress:
    """An operation.

    Attributes:
        name: `projects/{project}/operations/{operation}`.
        state: As in `STATE_RUNNING`.
        progress: 0 to 1.
        stages: Its parts.
        message: What is being done.
        document: The operation as it came, JSON.
    """

    name: str
    state: str
    progress: float
    stages: Sequence[StageProgress]
    message: str
    document: Mapping[str, Any]

    @property
    def is_done(self) -> bool:
        """Whether nothing will change any more."""
        return bool(self.document.get("done")) or self.state in _DONE


def progress_from(document: Mapping[str, Any]) -> Progress:
    """Returns the progress that an operation in JSON tells."""
    metadata = document.get("metadata") or {}
    return Progress(
        name=str(document.get("name", "")),
        state=str(metadata.get("state", "STATE_UNSPECIFIED")),
        progress=float(metadata.get("progress", 0.0)),
        stages=[
            StageProgress(
                name=str(stage.get("name", "")),
                progress=float(stage.get("progress", 0.0)),
                weight=float(stage.get("weight", 0.0)),
                elapsed_s=float(stage.get("elapsedS", stage.get("elapsed_s", 0.0))),
            )
            for stage in metadata.get("stages") or ()
        ],
        message=str(metadata.get("message", "")),
        document=document,
    )
