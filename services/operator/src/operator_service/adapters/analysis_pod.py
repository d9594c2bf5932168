"""What a pod of a BatchAnalysis does: one video, through the platform's own client."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from praxiscope.client import Client, PraxiscopeError, Profile
from praxiscope_common.config import EnvironmentReader, Secret

_NAMESPACE = uuid.UUID("6a4e8f1d-93bb-4ea0-8a49-5d0c3f7d1c55")
_MAX_MESSAGE = 1500  # a termination message has at most 4 KiB


@dataclass(frozen=True, kw_only=True)
class PodConfig:
    """What a pod is told.

    Attributes:
        url: The platform's address.
        videos_file: The list of videos, and how to look at them.
        api_key: A key of the videos' project.
        index: Which of the videos is this pod's.
        result_file: Where the result is read from the pod's status.
    """

    url: str
    videos_file: Path
    api_key: Secret
    index: int
    result_file: Path


def read_pod_config(environ: Mapping[str, str]) -> PodConfig:
    """Reads `PRAXISCOPE_BATCH_*`, and the index that Kubernetes sets.

    Raises:
        ConfigError: With everything that is missing or not valid.
    """
    reader = EnvironmentReader(
        {**environ, "PRAXISCOPE_BATCH_INDEX": environ.get("JOB_COMPLETION_INDEX", "")}, "PRAXISCOPE_BATCH_"
    )
    config = PodConfig(
        url=reader.text("URL"),
        videos_file=reader.path("VIDEOS_FILE"),
        api_key=reader.secret_file("API_KEY_FILE"),
        index=reader.integer("INDEX"),
        result_file=reader.path("RESULT_FILE", Path("/dev/termination-log")),
    )
    reader.finish()
    return config


def analyze(config: PodConfig) -> bool:
    """Has one video analysed and writes what came of it; returns whether it succeeded.

    A pod that is tried again finds the operation that the one before it started.
    """
    wanted = json.loads(config.videos_file.read_text(encoding="utf-8"))
    video = str(wanted["videos"][config.index])
    result: dict[str, Any] = {"video": video}
    profile = Profile(url=config.url, project="/".join(video.split("/")[:2]), api_key=config.api_key.reveal())
    try:
        with Client(profile) as client:
            operation = client.analyze_motion(
                video,
                height_m=float(wanted.get("height_m", 0)),
                preset=f"PRESET_{str(wanted.get('preset', 'accurate')).upper()}",
                omit_overlay=True,
                request_id=str(uuid.uuid5(_NAMESPACE, f"{wanted['batch']}/{config.index}")),
            )
            result["operation"] = operation
            result["motion"] = client.wait(operation).motion.asset_version
    except PraxiscopeError as error:
        result |= {"reason": error.reason, "message": error.message[:_MAX_MESSAGE]}
    config.result_file.write_text(json.dumps(result), encoding="utf-8")
    return "motion" in result
