"""The custom resources as values, and their statuses as the API server keeps them.

Documents are what JSON gives: anything may be missing or of another kind than the schema says, since schemas change and objects stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operator_service.core.documents import part, parts
from operator_service.core.rollout import Phase, Progress, Reading, RolloutSpec

GROUP = "praxiscope.dev"
VERSION = "v1alpha1"
MEBIBYTE = 1 << 20
_MAX_MESSAGE = 1000
# What each phase says of the conditions that people and tools wait for: Placed, Loaded, Available.
_CONDITIONS: Mapping[Phase, tuple[str, str, str]] = {
    Phase.PENDING: ("False", "False", "False"),
    Phase.LOADING: ("True", "False", "False"),
    Phase.ROLLING_OUT: ("True", "True", "False"),
    Phase.AVAILABLE: ("True", "True", "True"),
    Phase.ROLLED_BACK: ("False", "False", "False"),
    Phase.FAILED: ("True", "False", "False"),
}


class SpecError(Exception):
    """A resource asks for what makes no sense; the message says what."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """An object of ours in the cluster.

    Attributes:
        kind: As in `InferenceModel`.
        name: Its name.
        uid: Its id.
        generation: Grows with every change of its spec.
    """

    kind: str
    name: str
    uid: str
    generation: int

    @property
    def reference(self) -> dict[str, Any]:
        """What makes another object go when this one goes."""
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
        }


def owner_of(kind: str, document: Mapping[str, Any]) -> Owner:
    """Returns which object a document is."""
    metadata = document["metadata"]
    return Owner(kind=kind, name=metadata["name"], uid=metadata["uid"], generation=int(metadata.get("generation", 1)))


def rollout_spec(document: Mapping[str, Any]) -> RolloutSpec:
    """Reads an InferenceModel.

    Raises:
        SpecError: If it makes no sense.
    """
    try:
        spec = part(document, "spec")
        rollout = part(spec, "rollout")
        return RolloutSpec(
            generation=int(document["metadata"].get("generation", 1)),
            model=str(spec["model"]),
            version=int(spec["version"]),
            memory_bytes=int(spec["memoryMiB"]) * MEBIBYTE,
            steps_percent=tuple(int(step) for step in rollout.get("stepsPercent", (5, 25, 50, 100))),
            step_requests=int(rollout.get("stepRequests", 200)),
            step_s=float(rollout.get("stepSeconds", 60)),
            max_error_share=float(rollout.get("maxErrorPercent", 1)) / 100,
            max_latency_ratio=float(rollout.get("maxLatencyPercent", 150)) / 100,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpecError(f"the spec cannot be read: {error}") from error


def progress_of(document: Mapping[str, Any]) -> Progress | None:
    """Reads how far an InferenceModel is; None where its status says nothing that can be read."""
    status = part(document, "status")
    try:
        step = part(status, "step")
        return Progress(
            generation=int(status["observedGeneration"]),
            phase=Phase(status["phase"]),
            i_step=int(step.get("index", 0)),
            step_start_s=float(step.get("startTimeS", 0)),
            start=_reading_of(part(step, "start")),
            stable_start=_reading_of(part(step, "stableStart")),
            reason=str(status.get("reason", "")),
            message=str(status.get("message", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def rollout_status(
    progress: Progress, *, percent: int, instances: Sequence[str], before: Mapping[str, Any], now: str
) -> dict[str, Any]:
    """Returns the status of an InferenceModel.

    Args:
        progress: How far it is.
        percent: Its share of new streams.
        instances: The model servers that hold it.
        before: The status that stands there.
        now: The time, RFC 3339; that of conditions that change.
    """
    conditions: dict[str, str] = dict(zip(("Placed", "Loaded", "Available"), _CONDITIONS[progress.phase], strict=True))
    return {
        "observedGeneration": progress.generation,
        "phase": progress.phase.value,
        "reason": progress.reason,
        "message": progress.message[:_MAX_MESSAGE],
        "trafficPercent": percent,
        "instances": list(instances),
        "step": {
            "index": progress.i_step,
            "startTimeS": int(progress.step_start_s),
            "start": _reading_status(progress.start),
            "stableStart": _reading_status(progress.stable_start),
        },
        "conditions": conditions_of(conditions, progress.reason, progress.message, progress.generation, before, now),
    }


def conditions_of(
    wanted: Mapping[str, str], reason: str, message: str, generation: int, before: Mapping[str, Any], now: str
) -> list[dict[str, Any]]:
    """Returns conditions; one whose status stays keeps the time since when it has it."""
    known = {str(item.get("type")): item for item in parts(before, "conditions")}
    return [
        {
            "type": kind,
            "status": status,
            "reason": reason or "Unknown",
            "message": message[:_MAX_MESSAGE],
            "observedGeneration": generation,
            "lastTransitionTime": _since(known.get(kind, {}), status, now),
        }
        for kind, status in wanted.items()
    ]


def _since(known: Mapping[str, Any], status: str, now: str) -> str:
    return str(known["lastTransitionTime"]) if known.get("status") == status else now


def _reading_of(document: Mapping[str, Any]) -> Reading:
    return Reading(
        request_count=int(document.get("requests", 0)),
        error_count=int(document.get("errors", 0)),
        latency_total_s=float(document.get("latencyMs", 0)) / 1e3,
    )


def _reading_status(reading: Reading) -> dict[str, int]:
    return {
        "requests": reading.request_count,
        "errors": reading.error_count,
        "latencyMs": round(reading.latency_total_s * 1e3),
    }
