"""Autoscalers on real measures: more pods when there is more to do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import media
from tests.support.cluster import CHART, LIGHT, Installation, Load, note, wait_until
from tools.cluster import keda
from tools.demo import SAMPLE

pytestmark = pytest.mark.timeout(3600)
_SERVICE = "library"
_WORKERS = "biomechanics"
_NAME = f"{_WORKERS}-work"


def test_an_api_grows_with_its_load(installation: Installation) -> None:
    """HPA on the processor of the service's own container, as metrics-server measures it."""
    autoscaling = f"services.{_SERVICE}.api.autoscaling"
    installation.install(
        *(f"{autoscaling}.{setting}" for setting in ("enabled=true", "min=1", "max=3", "cpuPercent=70"))
    )
    with Load(installation) as load:
        started_s = time.monotonic()
        wait_until(lambda: len(installation.pods(_SERVICE)) > 1, 240, lambda: _said(installation))
        note("HPA: from one pod to more, s after the load began", round(time.monotonic() - started_s, 1))
        said = load.stop()
    installation.install()
    assert set(said["counts"]) == {"200"}


def _said(installation: Installation) -> str:
    return installation.kubectl("describe", "hpa", _SERVICE)


def test_workers_grow_with_their_queue_and_go_when_it_is_empty(installation: Installation, tmp_path: Path) -> None:
    """KEDA on the queue's own table, through the chart's ScaledObject: from no worker to several, and back to none."""
    keda.install(installation.cluster)
    scaling = f"services.{_WORKERS}.work.autoscaling"
    settings = ("enabled=true", "min=0", "max=3", "jobs=1", "cooldownS=15", "fallback=1")
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(media.encode_video(media.cut_frames(SAMPLE, 60, 60)))
    try:
        installation.helm(*_upgrade([f"{scaling}.{setting}" for setting in settings]))
        wait_until(lambda: not installation.pods(_NAME), 240, lambda: _scaled(installation))
        with installation.client() as client:
            video = client.upload(clip).latest_version
            started_s = time.monotonic()
            operations = [client.analyze_motion(video, omit_overlay=True) for _ in range(6)]
            wait_until(lambda: len(installation.pods(_NAME)) >= 1, 120, lambda: _scaled(installation))
            note("KEDA: from no worker to one, s after jobs were there", round(time.monotonic() - started_s, 1))
            wait_until(lambda: len(installation.pods(_NAME)) >= 2, 120, lambda: _scaled(installation))
            note("KEDA: to more than one, s after jobs were there", round(time.monotonic() - started_s, 1))
            for operation in operations:
                assert client.wait(operation).motion.persons, "and the work is done by those that came"
        started_s = time.monotonic()
        wait_until(lambda: not installation.pods(_NAME), 240, lambda: _scaled(installation))
        note("KEDA: back to none, s after the last job", round(time.monotonic() - started_s, 1))
    finally:
        installation.install()


def _upgrade(settings: Sequence[str]) -> list[str]:
    values = [item for setting in settings for item in ("--set", setting)]
    return ["upgrade", "--install", "praxiscope", str(CHART), "-f", str(LIGHT), *values]


def _scaled(installation: Installation) -> str:
    return installation.kubectl("describe", "scaledobject,hpa") + installation.cluster.kubectl(
        "-n", keda.NAMESPACE, "logs", "deployment/keda-operator", "--tail=20"
    )
