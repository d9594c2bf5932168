"""Every panel of every dashboard shows something while a fault is on, asked of a real Prometheus that scrapes the stack as the chart has it scraped."""

import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from chaos.clip import write_clip
from chaos.stack import Target
from praxiscope.client import Client
from tests.e2e.conftest import PORT_OFFSET, RunningStack
from tests.support.prometheus import Prometheus, Sample, run_prometheus
from tools.deploy.dashboards import DASHBOARDS, Panel
from tools.devstack.settings import PORTS

pytestmark = [pytest.mark.timeout(240), pytest.mark.fault]

EXPORTERS = Path(__file__).with_name("exporters.prom")
# Panels that speak of what a local stack has not, and are asked of a page with others' series.
OF_OTHERS = {
    "overview: Memory",
    "overview: Processors",
    "overview: Restarts",
    "inference: Workers",
    "models: GPU",
    "business: Processors by part",
}
_PATIENCE_S = 90.0
_POLL_S = 0.2
_SECOND_LOOK_S = 3.0  # a rate needs two looks at what has grown, and a rule one more


@pytest.fixture(scope="module")
def exporters() -> Iterator[str]:
    page = EXPORTERS.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def prometheus(stack: RunningStack, exporters: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen traffic, then an analysis whose model server is killed, then calls while the library is away."""
    folder = tmp_path_factory.mktemp("prometheus")
    target = Target(url=stack.url, state=stack.state, profile=stack.profile)
    with (
        run_prometheus(folder, port_offset=PORT_OFFSET, exporters=exporters) as prometheus,
        Client(stack.profile) as client,
    ):
        _await(lambda: set(prometheus.targets().values()) == {"up"}, "every part is scraped")
        version = client.upload(write_clip(folder / "clip.mp4", 1.0)).latest_version
        client.wait(client.analyze_motion(version, preset="PRESET_FAST"))
        time.sleep(_SECOND_LOOK_S)
        operation = client.analyze_motion(version, preset="PRESET_FAST")
        before = target.kill("triton")
        client.wait(operation)
        target.await_restart("triton", before)
        _await(
            lambda: _is_known_to_have_been_down(prometheus, target, "triton"),
            "a look falls into the model server's absence",
        )
        # A counter that begins with its first failure has grown only by the next one that another look sees.
        for _ in range(2):
            _await(lambda: 503 in _codes_while_away(stack, target), "a call fails while the library is away")
            time.sleep(_SECOND_LOOK_S)
        client.upload(folder / "clip.mp4")
        time.sleep(_SECOND_LOOK_S)
        yield prometheus


def _codes_while_away(stack: RunningStack, target: Target) -> set[int]:
    """Kills the library and asks for assets until it answers again; ours is the only caller who notices.

    Returns:
        What was answered. Where it is back before the gateway gave a call up, no failure is among it.
    """
    headers = {"authorization": f"Bearer {stack.credentials['api_key']}"}
    seen: set[int] = set()
    before = target.kill("library")

    def is_well() -> bool:
        url = f"{stack.url}/v1/{stack.credentials['project']}/assets"
        seen.add(code := httpx.get(url, headers=headers, timeout=40).status_code)
        return code == 200

    _await(is_well, "the library comes back")
    target.await_restart("library", before)
    return seen


def _is_known_to_have_been_down(prometheus: Prometheus, target: Target, part: str) -> bool:
    """Whether a look has found a part away; else kills it once more, as what is back within a second may have been away between two looks."""
    if [sample.value for sample in prometheus.ask(f'min_over_time(up{{job="{part}"}}[5m])')] == [0]:
        return True
    before = target.kill(part)
    target.await_restart(part, before)
    return False


def _await(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"not in {_PATIENCE_S:.0f} s: {what}"
        time.sleep(_POLL_S)


def _finite(samples: list[Sample]) -> list[Sample]:
    return [sample for sample in samples if math.isfinite(sample.value)]


PANELS = {f"{dashboard.name}: {panel.title}": panel for dashboard in DASHBOARDS for panel in dashboard.panels}


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_shows_something(prometheus: Prometheus, name: str) -> None:
    panel: Panel = PANELS[name]
    for query in panel.queries:
        found = _finite(prometheus.ask(query.expression))
        assert found, f"{query.expression} gives nothing"
        shown = set().union(*(sample.labels for sample in found))
        named = {word.strip("{}") for word in query.legend.split() if word.startswith("{{")}
        assert named <= shown, f"the legend {query.legend} names labels that the answer has not"


def test_the_panels_of_others_are_those_that_the_stack_cannot_fill(prometheus: Prometheus) -> None:
    outside = {re.split(r"[{ ]", line)[0] for line in EXPORTERS.read_text().splitlines() if not line.startswith("#")}
    for name in outside:
        assert {sample.labels["exported_by"] for sample in prometheus.ask(name)} == {"others"}, name
    speaks = {name for name, panel in PANELS.items() if outside & _names(panel)}
    assert speaks == OF_OTHERS


def _names(panel: Panel) -> set[str]:
    return {name for query in panel.queries for name in re.findall(r"[a-zA-Z_:][\w:]*", query.expression)}


def test_every_part_of_the_stack_was_scraped(prometheus: Prometheus) -> None:
    parts = {name.removesuffix("-metrics") for name in PORTS if name.endswith("-metrics")}
    assert set(prometheus.targets()) == {*parts, "exporters"}


@pytest.mark.parametrize(
    ("panel", "condition"),
    [
        ("overview: Failed calls", 'job="gateway"'),
        ("api: Answers by status", 'status="503"'),
        ("api: Failures by method", 'job="gateway", status="503"'),
        ("api: Requests by path", 'endpoint="/v1/projects/*/assets"'),
        ("api: Duration by method", 'job="gateway", endpoint="/v1/projects/*/assets"'),
        ("overview: Budget of failures", ""),
        ("inference: Pictures a second", ""),
        ("models: Answers by model", ""),
        ("business: Uploads", ""),
    ],
)
def test_a_panel_shows_what_happened(prometheus: Prometheus, panel: str, condition: str) -> None:
    wanted = dict(part.replace('"', "").split("=") for part in condition.split(", ")) if condition else {}
    found = [
        sample.value
        for sample in prometheus.ask(PANELS[panel].queries[0].expression)
        if wanted.items() <= sample.labels.items()
    ]
    assert found, f"nothing with {condition}"
    assert max(found) > 0


@pytest.mark.parametrize("part", ["triton", "library"])
def test_what_was_killed_was_seen_to_be_down(prometheus: Prometheus, part: str) -> None:
    assert [sample.value for sample in prometheus.ask(f'min_over_time(up{{job="{part}"}}[5m])')] == [0]
    # A single look may come late on a busy machine.
    _await(
        lambda: [sample.value for sample in prometheus.ask(f'up{{job="{part}"}}')] == [1], f"{part} is seen to be up"
    )
