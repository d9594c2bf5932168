"""The metrics port: scrapes, and the health of what takes work."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.error
import urllib.request

from praxiscope_common.telemetry.metrics import Metrics
from praxiscope_common.telemetry.metrics_port import serve_metrics
from praxiscope_common.telemetry.pulse import Pulse


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_health_is_told_while_the_loop_beats() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    port = serve_metrics("127.0.0.1", 0, Metrics().registry, pulse)
    assert ask(port, "/healthz") == (404, "This process tells its health through gRPC.\n")
    pulse.beat()
    clock.now_s += 29.0
    assert ask(port, "/healthz") == (200, "ok\n")
    clock.now_s += 2.0
    assert ask(port, "/healthz") == (503, "The event loop has not moved for 31 s.\n")
    pulse.beat()
    assert ask(port, "/healthz")[0] == 200


def test_scrapes_are_answered() -> None:
    metrics = Metrics()
    metrics.queue_length.labels("motion", "0").set(3)
    port = metrics.serve("127.0.0.1", 0)
    status, text = ask(port, "/metrics")
    assert status == 200
    assert 'queue_length{priority="0",queue="motion"} 3.0' in text


async def test_a_hung_loop_stops_the_pulse() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    beating = asyncio.create_task(pulse.keep_beating())
    await asyncio.sleep(0)
    assert pulse.age_s == 0
    clock.now_s += 5.0  # nothing was awaited meanwhile
    assert pulse.age_s == 5
    beating.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await beating
