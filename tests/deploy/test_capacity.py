"""The model of capacity: proportional where it says so, in steps where pods are; its values are taken by the chart, its table is the docs'."""

import itertools
import math
from pathlib import Path

import pytest

from tests.support.deploy import find
from tools.deploy import capacity
from tools.deploy.__main__ import main
from tools.deploy.capacity import SIZES, CapacityError, Load, Rates, Row, chart_rows, chart_values, reckon, sizing_table
from tools.deploy.render import PROFILES, of_kind, render
from tools.devstack.settings import CHECKOUT

SMALL = Row(request_cores=0.25, request_mib=256, limit_mib=1024, min_pods=2, max_pods=10, busy_share=0.7)
WORKER = Row(request_cores=1.0, request_mib=1024, limit_mib=4096, min_pods=0, max_pods=20, busy_share=0.7)
ROWS = {"vision-inference": SMALL, "gateway": SMALL, "library": SMALL, "biomechanics-work": WORKER, "triton": WORKER}


def parts_of(load: Load, rows: dict[str, Row] = ROWS) -> dict[str, capacity.Part]:
    return {part.name: part for part in reckon(load, rows).parts}


def test_the_formulae_by_hand() -> None:
    # 120 videos of 60 s at 30 frames/s in an hour are 60 frames/s.
    found = reckon(Load(analyses_per_hour=120), ROWS)
    parts = {part.name: part for part in found.parts}
    assert found.frames_per_s == pytest.approx(60)
    assert found.under_way == pytest.approx(60 / 8.1)
    assert found.inferences_per_s == pytest.approx(231)
    assert parts["triton"].busy_cores == pytest.approx(60 * 0.1075)
    assert parts["triton"].pods == math.ceil(6.45 / 0.7)
    assert parts["vision-inference"].pods == math.ceil(1.746 / (0.25 * 0.7))
    assert (parts["biomechanics-work"].pods, parts["biomechanics-work"].because) == (4, "analyses under way")
    # A minute of 8 Mbit/s, of the drawn video, and of two people's results, for 8 hours on 30 days.
    minute = 60 * (1e6 + 471e3) + 1800 * 2 * 5.9 * 1024
    assert found.stored_gib == pytest.approx(120 * 8 * 30 * minute / 2**30)


def test_nothing_asked_is_what_the_chart_begins_with() -> None:
    parts = parts_of(Load())
    assert {name: part.pods for name, part in parts.items()} == {"vision-inference": 2, "gateway": 2, "library": 2}
    assert all(part.because == "its least" for part in parts.values())


def test_small_pods_that_would_be_too_many_become_whole_cores() -> None:
    few, many = (parts_of(Load(analyses_per_hour=count))["vision-inference"] for count in (100, 1000))
    assert (few.request_cores, few.pods) == (0.25, 9)
    assert (many.request_cores, many.pods) == (1.0, 21)


def test_streams_are_bounded_by_memory() -> None:
    gateway = parts_of(Load(open_streams=100_000))["gateway"]
    held_mib = 100_000 * 73e3 / 2**20
    assert gateway.pods * (0.8 * 1024 - 27) >= held_mib > (gateway.pods - 1) * (0.8 * 1024 - 27)
    assert gateway.memory_mib == pytest.approx(gateway.pods * 27 + held_mib)


def test_gpus_are_reckoned_only_with_a_rate_of_yours() -> None:
    load = Load(analyses_per_hour=1000)
    found = reckon(Load(analyses_per_hour=1000, gpu_inferences_per_s=500), ROWS)
    assert reckon(load, ROWS).gpus == 0
    assert found.gpus == math.ceil(500 * 3.85 / 500)
    (triton,) = [part for part in found.parts if part.name == "triton"]
    assert (triton.pods, triton.because) == (4, "GPUs")


@pytest.mark.parametrize("name", ["frames_per_s", "analyses_per_hour", "kept_days", "open_streams"])
@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_what_is_no_load_is_refused(name: str, value: float) -> None:
    with pytest.raises(CapacityError, match=f"{name} is a number from 0 on"):
        Load(**{name: value})


def test_more_than_one_installation_bears_is_told() -> None:
    with pytest.raises(
        CapacityError, match=r"rendering-work needs 4601 pods .* spread the projects over 5 installations"
    ):
        reckon(Load(analyses_per_hour=100_000), chart_rows())


def test_more_work_never_needs_less() -> None:
    rows = chart_rows()
    seen = [reckon(Load(analyses_per_hour=count, calls_per_s=count), rows) for count in range(0, 4000, 250)]
    for less, more in itertools.pairwise(seen):
        assert more.cores >= less.cores
        assert more.stored_gib >= less.stored_gib
        assert more.database_connections >= less.database_connections - 11 * 20, "whole cores a pod may be fewer pods"


def test_every_part_that_was_measured_is_one_of_the_charts() -> None:
    rates = Rates()
    measured = {*rates.frame_ms, *rates.overlay_ms, *rates.call_ms, *rates.stream_kb, *rates.resident_mib}
    assert measured - set(chart_rows()) == {"postgres"}, "which is outside"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "light"])
def test_the_chart_takes_what_it_is_to_be_told(size: str, profile: str, tmp_path: Path) -> None:
    rows = chart_rows()
    found = reckon(SIZES[size], rows)
    manifests = render(profile, values=chart_values(found, rows), folder=tmp_path)
    scaled = {
        item["metadata"]["name"]: item["spec"].get("maxReplicas", item["spec"].get("maxReplicaCount"))
        for item in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject")
    }
    for part in found.parts:
        assert scaled[part.name] >= part.pods, part.name
        (container, *_) = find(manifests, "Deployment", part.name)["spec"]["template"]["spec"]["containers"]
        wanted = part.request_cores if part.name != "triton" or profile == "prod" else 4.0
        assert capacity._cores(container["resources"]["requests"]["cpu"]) == wanted


def test_the_table_in_the_docs_is_this_one() -> None:
    assert sizing_table() in (CHECKOUT / "docs/kubernetes.md").read_text(encoding="utf-8")


def test_rates_stand_in_the_docs() -> None:
    text = (CHECKOUT / "docs/capacity.md").read_text(encoding="utf-8")
    rates = Rates()
    for rows in (rates.frame_ms, rates.overlay_ms, rates.call_ms, rates.stream_kb):
        for part, value in rows.items():
            assert f"{part} {value:g}" in text, (part, value)
    for value in (rates.analysis_frames_per_s, rates.inferences_a_frame, rates.person_frame_kib):
        assert f"{value:g}" in text


def test_the_command_says_it_all_and_refuses_nonsense(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capacity", "--analyses-per-hour", "1000", "--open-streams", "10000"]) == 0
    said = capsys.readouterr().out
    assert "decided by" in said
    assert "max: 39" in said
    assert main(["capacity", "--analyses-per-hour", "-5"]) == 1
    assert "from 0 on" in capsys.readouterr().err
    assert main(["capacity", "--table"]) == 0
    assert capsys.readouterr().out == sizing_table()
