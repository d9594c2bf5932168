"""The accuracy figures of the sample video, from the nets' own words about it, reach their goals; and doing the job
badly would miss them."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from biomechanics_service.core.config import MotionConfig, SidesConfig
from tracking_service.core.config import BYTETRACK_PRESET

BENCH = Path(__file__).resolve().parents[3] / "bench" / "accuracy" / "motion_sample.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("motion_sample", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["motion_sample"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def figures(bench: ModuleType) -> dict:
    measured, _ = bench.measure_figures(bench.GOLDEN / "observations.npz")
    return {figure.name: figure for figure in measured}


def test_every_goal_is_reached(figures: dict) -> None:
    assert not {name: figure.value for name, figure in figures.items() if not figure.is_reached}
    assert len(figures) == 9


def test_nets_that_are_believed_alike_whatever_they_saw_fail_the_figure(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = SidesConfig(min_trust=1.0, max_trust=1.0)
    monkeypatch.setattr(bench, "MotionConfig", lambda: MotionConfig(sides=sides))
    measured, _ = bench.measure_figures(bench.GOLDEN / "observations.npz")
    assert not next(figure for figure in measured if figure.name.startswith("left and right")).is_reached


def test_a_tracker_that_forgets_soon_fails_the_figure(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PEOPLE_PRESET", BYTETRACK_PRESET)
    frames, _, _ = bench.load_frames(bench.GOLDEN / "observations.npz")
    ids, lost = bench.follow_people(frames)
    assert len(set(ids.get("man", []))) != 1 or lost.get("man")


def test_exchanged_legs_fail_the_figure(bench: ModuleType) -> None:
    _, analysis = bench.measure_figures(bench.GOLDEN / "observations.npz")
    woman = max(
        analysis.persons, key=lambda person: float(abs(person.boxes_xyxy_px[-1, 0] - person.boxes_xyxy_px[0, 0]))
    )
    points = woman.points_px[:, [*range(13), 14, 13, 16, 15, *range(17, 21)]]
    exchanged = dataclasses.replace(woman, points_px=points)
    rows, wrong = bench.count_right_sides({"woman": exchanged, "man": exchanged})
    assert sum(name == "woman" for name, _ in wrong) == sum(row["person"] == "woman" for row in rows)
