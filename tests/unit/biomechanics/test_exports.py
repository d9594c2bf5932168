"""Files that others open: what is written can be read back, missing stays missing, and no text can break out of the
report."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from biomechanics_service.core.analysis import analyze_motion
from biomechanics_service.core.config import MotionConfig
from biomechanics_service.core.opensim_files import MARKERS, write_angles_mot, write_estimates_json, write_markers_trc
from biomechanics_service.core.report import write_report_html
from biomechanics_service.core.tables import write_angles_csv, write_motion_json
from biomechanics_service.core.types import MotionAnalysis, PersonSeries

RATE_HZ = 30.0


def build_analysis(frame_count: int = 40) -> MotionAnalysis:
    """Analyses points that move about a standing figure; the left knee is lost in the middle."""
    random = np.random.default_rng(0)
    figure = random.uniform(0, 1, (33, 2)) * [60.0, 300.0] + [400.0, 300.0]
    path = figure + 5.0 * np.sin(np.arange(frame_count) / 9.0)[:, None, None]
    coco = path[:, [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]]
    visibility, scores = np.full((frame_count, 33), 0.9), np.full((frame_count, 17), 0.6)
    visibility[15:30, 25], scores[15:30, 13] = 0.0, 0.0
    world = np.concatenate(
        [(path - path[:, [23, 24]].mean(axis=1, keepdims=True)) / 200.0, np.zeros((frame_count, 33, 1))], axis=-1
    )
    world[..., 2] = random.uniform(-0.1, 0.1, 33)
    person = PersonSeries(
        person_id=3,
        frame_index=np.arange(10, 10 + frame_count),
        time_s=np.arange(10, 10 + frame_count) / RATE_HZ,
        image_size_wh_px=(1000.0, 800.0),
        boxes_xyxy_px=np.tile([390.0, 290.0, 470.0, 610.0], (frame_count, 1)),
        coco_px=coco,
        coco_scores=scores,
        blazepose_px=path,
        blazepose_visibility=visibility,
        blazepose_presence=np.ones(frame_count),
        blazepose_world_m=world,
    )
    return analyze_motion([person], MotionConfig(height_m=1.8))


@pytest.fixture(scope="module")
def analysis() -> MotionAnalysis:
    return build_analysis()


def test_csv_has_an_angle_and_its_confidence_side_by_side_and_empty_cells_for_missing(analysis: MotionAnalysis) -> None:
    rows = list(csv.DictReader(io.StringIO("".join(write_angles_csv(analysis, is_filtered=False)), newline="")))
    person = analysis.persons[0]
    assert [row["frame"] for row in rows] == [str(frame) for frame in person.frame_index]
    assert list(rows[0])[:3] == ["time_s", "frame", "person"]
    for name, angle in person.angles.items():
        if angle.missing_reason:
            assert f"{name}_deg" not in rows[0]
            continue
        for row, value, confidence in zip(rows, angle.raw_deg, angle.confidence, strict=True):
            assert (row[f"{name}_deg"] == "") == bool(np.isnan(value))
            if np.isfinite(value):
                assert float(row[f"{name}_deg"]) == pytest.approx(value, abs=6e-4)
                assert float(row[f"{name}_confidence"]) == pytest.approx(confidence, abs=6e-4)
    assert any(row["knee_angle_l_deg"] == "" for row in rows)


def test_json_is_strict_and_holds_what_was_measured(analysis: MotionAnalysis) -> None:
    document = json.loads(
        "".join(write_motion_json(analysis)), parse_constant=lambda text: pytest.fail(f"{text} is no JSON")
    )
    person = document["persons"][0]
    assert person["person"] == 3
    assert set(person["angles"]) | set(person["not_measured"]) == set(analysis.persons[0].angles)
    assert person["angles"]["knee_angle_l"]["raw_deg"][20] is None
    assert document["config"]["height_m"] == 1.8


def test_trc_reads_back(analysis: MotionAnalysis) -> None:
    person = analysis.persons[0]
    lines = "".join(write_markers_trc(person)).split("\n")
    settings = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    assert settings["Units"] == "m"
    assert float(settings["DataRate"]) == pytest.approx(RATE_HZ)
    names = [name for name in lines[3].split("\t")[2:] if name]
    assert names == [name for name, _ in MARKERS]
    assert len(lines[4].split("\t")) == 2 + 3 * len(MARKERS)
    rows = [line.split("\t") for line in lines[6:] if line]
    assert len(rows) == int(settings["NumFrames"])
    for row, markers, time_s in zip(rows, person.markers_m, person.time_s, strict=True):
        assert float(row[1]) == pytest.approx(time_s, abs=1e-6)
        values = np.array([float(cell) if cell else np.nan for cell in row[2:]]).reshape(-1, 3)
        np.testing.assert_allclose(values, markers[[index for _, index in MARKERS]], atol=1e-6)


def test_mot_reads_back_and_says_what_is_estimated(analysis: MotionAnalysis) -> None:
    person = analysis.persons[0]
    header, table = "".join(write_angles_mot(person)).split("endheader\n")
    assert "inDegrees=yes" in header
    assert "not measured" in header
    rows = [line.split("\t") for line in table.splitlines()]
    assert f"nRows={len(rows) - 1}\nnColumns={len(rows[0])}" in header
    column = [float(row[rows[0].index("knee_angle_r")]) for row in rows[1:]]
    np.testing.assert_allclose(column, person.angles["knee_angle_r_3d"].filtered_deg, atol=1e-6)
    assert json.loads(write_estimates_json(person))["is_scale_given"] is True


@pytest.mark.parametrize("write", [write_markers_trc, write_angles_mot])
def test_a_title_cannot_add_lines(analysis: MotionAnalysis, write) -> None:
    with pytest.raises(ValueError, match="title must have no"):
        next(write(analysis.persons[0], title="a\nb"))


class PageReader(HTMLParser):
    """Collects the tags of a page and what its scripts hold."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data


def test_the_report_loads_nothing_and_escapes_every_text(analysis: MotionAnalysis) -> None:
    evil = '</script><img src=x onerror=alert(1)>"&'
    noted = dataclasses.replace(analysis.persons[0], notes=(evil,))
    page = "".join(
        write_report_html(dataclasses.replace(analysis, persons=(noted,), skipped={9: evil}), title=evil, source=evil)
    )
    reader = PageReader()
    reader.feed(page)
    assert "img" not in [tag for tag, _ in reader.tags]
    for _, attributes in reader.tags:
        assert not {"src", "href", "onerror", "onload", "onclick"} & set(attributes)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert len(reader.scripts) == 2
    assert json.loads(reader.scripts[0])["persons"][0]["notes"] == [evil]
    shown = {
        name for tag, attributes in reader.tags if tag == "figure" for name in (attributes["data-names"] or "").split()
    }
    assert shown <= set(noted.angles)
    assert "knee_angle_r" in shown
    assert "hip_rotation_r" in page


def test_a_report_of_nobody_says_so() -> None:
    page = "".join(write_report_html(analyze_motion([], MotionConfig()), title="t", source="s"))
    assert "Nobody was seen" in page
    assert "".join(write_angles_csv(analyze_motion([], MotionConfig()))).strip() == "time_s,frame,person"
