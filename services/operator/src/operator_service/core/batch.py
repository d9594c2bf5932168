"""Analyses of many videos as one Job with an index a video, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operator_service.core.documents import part, parts
from operator_service.core.resources import Owner, SpecError, conditions_of

NAME_LABEL = "praxiscope.dev/batch-analysis"
VIDEOS_FILE = "videos.json"
CONFIG_FOLDER = "/etc/praxiscope/batch"
KEY_FOLDER = "/var/run/secrets/praxiscope"
ACCOUNT = "batch-analysis"
_TRIES_A_VIDEO = 3
_MAX_MESSAGE = 1000
_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True, kw_only=True)
class BatchSpec:
    """What is wanted.

    Attributes:
        videos: Versions of assets, `projects/{project}/assets/{asset}/versions/{version}`.
        parallelism: How many at once.
        preset: `accurate` or `fast`.
        height_m: Standing height of the people; 0 where it is not known.
        key_secret: The Secret with an API key of the project.
        key_name: Its key there.
        is_suspended: Whether to start nothing for now.
    """

    videos: tuple[str, ...]
    parallelism: int
    preset: str
    height_m: float
    key_secret: str
    key_name: str
    is_suspended: bool


@dataclass(frozen=True, kw_only=True)
class PodSettings:
    """What pods of analyses are given.

    Attributes:
        image: Their image.
        pull_policy: When it is pulled.
        gateway_url: The platform's address.
        instance: The release, by which NetworkPolicies know its pods.
    """

    image: str
    pull_policy: str
    gateway_url: str
    instance: str = "praxiscope"


def batch_spec(document: Mapping[str, Any]) -> BatchSpec:
    """Reads a BatchAnalysis.

    Raises:
        SpecError: If it makes no sense.
    """
    try:
        spec = part(document, "spec")
        key = part(spec, "apiKeySecret")
        videos = tuple(str(video) for video in spec["videos"])
        if not videos:
            raise SpecError("there is no video")
        return BatchSpec(
            videos=videos,
            parallelism=int(spec.get("parallelism", 2)),
            preset=str(spec.get("preset", "accurate")),
            height_m=int(spec.get("heightMm", 0)) / 1e3,
            key_secret=str(key["name"]),
            key_name=str(key.get("key", "api-key")),
            is_suspended=bool(spec.get("suspend", False)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpecError(f"the spec cannot be read: {error}") from error


def child_name(owner: Owner) -> str:
    """Returns the name of a resource's Job and of its list of videos; other specs have others, as a Job cannot be changed."""
    return f"batch-{owner.name[:40].rstrip('-.')}-{owner.uid[:8]}-{owner.generation}"


def videos_document(owner: Owner, spec: BatchSpec) -> dict[str, Any]:
    """Returns the ConfigMap with the videos and how to look at them."""
    content = {"videos": list(spec.videos), "preset": spec.preset, "height_m": spec.height_m, "batch": owner.uid}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(owner),
        "immutable": True,
        "data": {VIDEOS_FILE: json.dumps(content)},
    }


def job_document(owner: Owner, spec: BatchSpec, settings: PodSettings) -> dict[str, Any]:
    """Returns the Job: an index a video, each tried a few times; one that fails for good stops none of the others."""
    labels = {
        NAME_LABEL: owner.name,
        "app.kubernetes.io/name": ACCOUNT,
        "app.kubernetes.io/part-of": "praxiscope",
        "app.kubernetes.io/instance": settings.instance,
    }
    container = {
        "name": "analyze",
        "image": settings.image,
        "imagePullPolicy": settings.pull_policy,
        "command": ["python", "-m", "operator_service", "analyze"],
        "env": [
            {"name": "PRAXISCOPE_BATCH_URL", "value": settings.gateway_url},
            {"name": "PRAXISCOPE_BATCH_VIDEOS_FILE", "value": f"{CONFIG_FOLDER}/{VIDEOS_FILE}"},
            {"name": "PRAXISCOPE_BATCH_API_KEY_FILE", "value": f"{KEY_FOLDER}/{spec.key_name}"},
        ],
        "resources": {
            "requests": {"cpu": "20m", "memory": "96Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": _SECURITY,
        "volumeMounts": [
            {"name": "videos", "mountPath": CONFIG_FOLDER, "readOnly": True},
            {"name": "key", "mountPath": KEY_FOLDER, "readOnly": True},
        ],
    }
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "videos", "configMap": {"name": child_name(owner)}},
            {"name": "key", "secret": {"secretName": spec.key_secret, "defaultMode": 0o440}},
        ],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(owner),
        "spec": {
            "completionMode": "Indexed",
            "completions": len(spec.videos),
            "parallelism": min(spec.parallelism, len(spec.videos)),
            "backoffLimitPerIndex": _TRIES_A_VIDEO - 1,
            "suspend": spec.is_suspended,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def results_of(
    spec: BatchSpec, pods: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Returns what became of each video.

    A pod says it in its termination message. What was said once stays said: pods go, and a failed try counts only until a later one succeeds.

    Args:
        spec: With the videos.
        pods: The Job's pods.
        before: The results that stand there.
    """
    results = {int(item["index"]): dict(item) for item in before if isinstance(item.get("index"), int)}
    for pod in sorted(pods, key=lambda item: str(part(item, "metadata").get("creationTimestamp", ""))):
        index = _index_of(pod)
        if index is None or not 0 <= index < len(spec.videos) or results.get(index, {}).get("state") == "Succeeded":
            continue
        results[index] = {"index": index, "video": spec.videos[index], **_said_by(pod)}
    return [results[index] for index in sorted(results)]


def batch_status(
    owner: Owner,
    job: Mapping[str, Any] | None,
    results: Sequence[Mapping[str, Any]],
    before: Mapping[str, Any],
    now: str,
) -> dict[str, Any]:
    """Returns the status of a BatchAnalysis from its Job's."""
    status = part(job or {}, "status")
    said = {str(item.get("type")): item for item in parts(status, "conditions") if item.get("status") == "True"}
    end = said.get("Complete") or said.get("Failed")
    if end is None:
        phase, reason, message = "Running", "Running", f"{status.get('active', 0)} videos are being looked at"
        if part(job or {}, "spec").get("suspend"):
            phase, reason, message = "Suspended", "Suspended", "nothing is started"
    elif end.get("type") == "Complete":
        phase, reason, message = "Complete", "AllVideosAnalyzed", "every video was analysed"
    else:
        phase, reason, message = (
            "Failed",
            str(end.get("reason") or "Failed"),
            str(end.get("message", ""))[:_MAX_MESSAGE],
        )
    wanted = {
        "Complete": "True" if phase == "Complete" else "False",
        "Failed": "True" if phase == "Failed" else "False",
    }
    return {
        "observedGeneration": owner.generation,
        "phase": phase,
        "job": child_name(owner),
        "active": int(status.get("active", 0)),
        "succeeded": int(status.get("succeeded", 0)),
        "failed": len([index for index in str(status.get("failedIndexes", "")).split(",") if index]),
        "results": list(results),
        "conditions": conditions_of(wanted, reason, message, owner.generation, before, now),
    }


def _metadata(owner: Owner) -> dict[str, Any]:
    return {"name": child_name(owner), "labels": {NAME_LABEL: owner.name}, "ownerReferences": [owner.reference]}


def _index_of(pod: Mapping[str, Any]) -> int | None:
    annotations = part(pod, "metadata", "annotations")
    text = str(annotations.get("batch.kubernetes.io/job-completion-index", ""))
    return int(text) if text.isdecimal() else None


def _said_by(pod: Mapping[str, Any]) -> dict[str, Any]:
    status = part(pod, "status")
    phase = str(status.get("phase", "Pending"))
    ended = next((part(item, "state", "terminated") for item in parts(status, "containerStatuses")), dict[str, Any]())
    said: dict[str, Any] = {"state": phase if phase in {"Succeeded", "Failed"} else "Running"}
    if ended:
        said |= _parsed(str(ended.get("message", "")))
    return said


def _parsed(message: str) -> dict[str, str]:
    """Reads what a pod said at its end; one that was killed said nothing, and one may say anything."""
    try:
        document: Any = json.loads(message)
    except ValueError:
        return {"message": message[:_MAX_MESSAGE]} if message else {}
    said = part({"said": document}, "said")
    found = {key: said.get(key) for key in ("motion", "operation", "reason", "message")}
    return {key: value[:_MAX_MESSAGE] for key, value in found.items() if isinstance(value, str) and value}
