"""One trace from the gateway, through the job that it starts, to the model server."""

import time
from pathlib import Path

import httpx
import pytest

from praxiscope.client import Client
from tests.e2e.conftest import RunningStack
from tests.e2e.traces import Span, TraceReceiver

CALLER = "00f067aa0ba902b7"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HOUSE = {"gateway", "biomechanics", "vision-inference", "tracking", "library", "rendering", "triton"}
STEPS = {"observe", "measure", "store", "overlay", "draw", "infer movenet_multipose"}


def orphans(spans: list[Span]) -> list[Span]:
    """Returns spans whose parent nobody sent; what the model server is inside of is known by its trace alone."""
    known = {span.span_id for span in spans} | {CALLER}
    return [span for span in spans if span.service != "triton" and span.parent_id not in known]


@pytest.mark.timeout(180)
def test_an_analysis_is_one_trace_from_the_gateway_to_triton(
    stack: RunningStack, traces: TraceReceiver, clip: Path
) -> None:
    with Client(stack.profile) as client:
        video = client.upload(clip).latest_version
        headers = {
            "authorization": f"Bearer {stack.credentials['api_key']}",
            "traceparent": f"00-{TRACE}-{CALLER}-01",
        }
        started = httpx.post(f"{stack.url}/v1/{video}:analyzeMotion", json={"preset": "PRESET_FAST"}, headers=headers)
        client.wait(started.json()["name"])
    spans: list[Span] = []
    missing: set[str] = set()
    for _ in range(60):  # every process sends its spans in batches of its own, every five seconds
        spans = traces.by_trace().get(TRACE, [])
        missing = (HOUSE - {span.service for span in spans}) | (STEPS - {span.name for span in spans})
        if not missing and not orphans(spans):
            break
        time.sleep(0.5)
    assert not missing
    assert not orphans(spans), "spans hang in the air"
