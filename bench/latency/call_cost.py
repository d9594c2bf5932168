"""What things cost in processor time, by part: an asset that is read, a page of assets, a frame of an analysis with its drawing.

tools/deploy/capacity.py reckons with it.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from bench import stack
from bench.figure import Figure
from praxiscope.client import Client
from praxiscope_media import VideoSource

_CALLS = 1_500
_WARM_UP = 50
# One caller reads a hundred times a second at most.
_TURN_S = 1 / 90
_IDLE_S = 5.0
_SHOWN_MS = 0.05


def measure() -> Sequence[Figure]:
    """Reads assets, lists them, and takes off what the stack takes while nobody asks."""
    profile = stack.profile()
    with Client(profile) as client:
        video = client.upload(stack.SAMPLE, display_name="cost")
        asset, analysis = video.name, _analysis(client, video.latest_version)
    time.sleep(_IDLE_S)
    before = stack.processor_s_by_part()
    time.sleep(_IDLE_S)
    idle = {name: (value - before[name]) / _IDLE_S for name, value in stack.processor_s_by_part().items()}
    connection = http.client.HTTPConnection(urlsplit(profile.url).netloc, timeout=10)
    headers = {"authorization": f"Bearer {profile.api_key}", "accept": "application/json"}
    paths = {"an asset that is read": f"/v1/{asset}", "a page of assets": f"/v1/{profile.project}/assets?pageSize=50"}
    return [*(_cost(name, connection, path, headers, idle) for name, path in paths.items()), analysis]


def _analysis(client: Client, version: str) -> Figure:
    """Analyses the sample twice, the first time for nothing."""
    with VideoSource.open(stack.SAMPLE) as source:
        frame_count = sum(1 for _ in source.frames())
    client.wait(client.analyze_motion(version))
    before = stack.processor_s_by_part()
    client.wait(client.analyze_motion(version))
    spent = {part: 1e3 * (value - before[part]) / frame_count for part, value in stack.processor_s_by_part().items()}
    return Figure(name="a frame of an analysis, drawn", value=sum(spent.values()), unit="ms CPU", note=_note(spent))


def _note(spent: Mapping[str, float]) -> str:
    parts = sorted(spent.items(), key=lambda item: -item[1])
    return f"({', '.join(f'{part} {value:.2f}' for part, value in parts if value >= _SHOWN_MS)})"


def _cost(
    name: str, connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str], idle: Mapping[str, float]
) -> Figure:
    _ask(connection, path, headers, _WARM_UP)
    before, started_s = stack.processor_s_by_part(), time.monotonic()
    _ask(connection, path, headers, _CALLS)
    elapsed_s = time.monotonic() - started_s
    spent = {
        part: 1e3 * max(0.0, value - before[part] - idle[part] * elapsed_s) / _CALLS
        for part, value in stack.processor_s_by_part().items()
    }
    return Figure(name=name, value=sum(spent.values()), unit="ms CPU", note=_note(spent))


def _ask(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str], count: int) -> None:
    for _ in range(count):
        started_s = time.monotonic()
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {content[:200]!r}")
        time.sleep(max(0.0, _TURN_S - (time.monotonic() - started_s)))
