"""Autoscalers on real measures: more pods when there is more to do."""

from __future__ import annotations

import time

import pytest

from tests.support.cluster import Installation, Load, note, wait_until

pytestmark = pytest.mark.timeout(1200)
_SERVICE = "library"


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
