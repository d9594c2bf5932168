"""Results as text that other programs read: CSV and JSON. Arrays in, text out.

The text comes piece by piece, so that a long recording is never held as one document.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from biomechanics_service.core.types import AngleSeries, FloatArray, MotionAnalysis, PersonMotion

# Numbers become Python's a block of rows at a time: one by one it takes ten times as long, all at once the memory.
ROWS_AT_ONCE = 256
# Grows whenever a field changes its name or its meaning.
JSON_VERSION = 1
ESTIMATE_NOTE = (
    "One camera: depth (the z axis, and every angle whose name ends in _3d) is estimated by BlazePose, not measured. "
    "The distance of a person to the camera is taken as constant."
)


def list_measured_angles(persons: Sequence[PersonMotion]) -> list[str]:
    """Lists the names of angles that were measured in at least one person, in a fixed order."""
    names = list(persons[0].angles) if persons else list[str]()
    return [name for name in names if any(not person.angles[name].missing_reason for person in persons)]


def write_angles_csv(analysis: MotionAnalysis, *, is_filtered: bool = True) -> Iterator[str]:
    """Writes angles over time, one row per frame and person.

    Args:
        analysis: Result.
        is_filtered: Angles after the zero-lag filter; False: before any low-pass.

    Yields:
        CSV (RFC 4180): `time_s`, `frame`, `person`, then per angle `<name>_deg` and `<name>_confidence`. A missing
        angle is an empty cell with confidence 0.
    """
    names = list_measured_angles(analysis.persons)
    yield _csv_line(
        ["time_s", "frame", "person", *(f"{name}_{kind}" for name in names for kind in ("deg", "confidence"))]
    )
    for person in analysis.persons:
        columns: list[FloatArray] = []
        for name in names:
            angle = person.angles[name]
            columns += (angle.filtered_deg if is_filtered else angle.raw_deg, angle.confidence)
        for start in range(0, len(person.frame_index), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            values: list[list[float]] = [column[rows].tolist() for column in columns]
            for i_row, (time_s, frame) in enumerate(zip(person.time_s[rows], person.frame_index[rows], strict=True)):
                cells = [f"{time_s:.6f}", str(frame), str(person.person_id)]
                for angles, confidences in zip(values[::2], values[1::2], strict=True):
                    if math.isfinite(angles[i_row]):
                        cells += [f"{angles[i_row]:.3f}", f"{confidences[i_row]:.3f}"]
                    else:
                        cells += ["", "0.000"]
                yield _csv_line(cells)


def write_motion_json(analysis: MotionAnalysis) -> Iterator[str]:
    """Writes the whole result as JSON; what is missing is null.

    Yields:
        One object: `version`, `units`, `note`, `config`, `persons`, `skipped`.
    """
    head = {
        "version": JSON_VERSION,
        "units": {"angle": "degree", "time": "second", "length": "metre", "pixel": "x right, y down"},
        "note": ESTIMATE_NOTE,
        "config": dataclasses.asdict(analysis.config),
    }
    yield _to_json(head)[:-1] + ',"persons":['
    for index, person in enumerate(analysis.persons):
        yield "," if index else ""
        yield from _write_person(person)
    yield "]," + _to_json({"skipped": {str(key): reason for key, reason in analysis.skipped.items()}})[1:]


def round_values(values: FloatArray, digits: int) -> list[float | None]:
    """Rounds numbers for JSON, which has no NaN."""
    return [round(value, digits) if math.isfinite(value) else None for value in values.tolist()]


def _write_person(person: PersonMotion) -> Iterator[str]:
    head = {
        "person": person.person_id,
        "frame": person.frame_index.tolist(),
        "time_s": round_values(person.time_s, 6),
        "view": [str(view) for view in person.views],
        "facing": person.facing.astype(int).tolist(),
        "metres_per_px": float(person.metres_per_px) if np.isfinite(person.metres_per_px) else None,
        "is_scale_given": person.is_scale_given,
    }
    yield _to_json(head)[:-1] + ',"angles":{'
    measured = [angle for angle in person.angles.values() if not angle.missing_reason]
    for index, angle in enumerate(measured):
        yield ("," if index else "") + json.dumps(angle.name) + ":" + _to_json(_describe_angle(angle))
    tail = {
        "not_measured": {name: angle.missing_reason for name, angle in person.angles.items() if angle.missing_reason},
        "symmetry_percent": _round_mapping(person.symmetry_percent),
        "gait": {
            "strike_frames": {side: frames.tolist() for side, frames in person.gait.strike_frames.items()},
            "off_frames": {side: frames.tolist() for side, frames in person.gait.off_frames.items()},
            "cadence_steps_per_min": round_values(np.array([person.gait.cadence_steps_per_min]), 2)[0],
            "missing_reason": person.gait.missing_reason,
        },
        "swapped_frame_count": dict(person.swapped_frame_count),
        "notes": list(person.notes),
    }
    yield "}," + _to_json(tail)[1:]


def _describe_angle(angle: AngleSeries) -> dict[str, object]:
    return {
        "raw_deg": round_values(angle.raw_deg, 3),
        "filtered_deg": round_values(angle.filtered_deg, 3),
        "velocity_deg_s": round_values(angle.velocity_deg_s, 2),
        "confidence": round_values(angle.confidence, 3),
        "range_deg": round_values(np.array([angle.range_deg]), 3)[0],
    }


def _csv_line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()


def _to_json(document: Mapping[str, object]) -> str:
    return json.dumps(document, allow_nan=False, separators=(",", ":"))


def _round_mapping(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}
