"""Results as text that other programs read: CSV and JSON. Arrays in, text out."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence

import numpy as np

from biomechanics_service.core.types import AngleSeries, FloatArray, MotionAnalysis, PersonMotion

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


def write_angles_csv(analysis: MotionAnalysis, *, is_filtered: bool = True) -> str:
    """Writes angles over time, one row per frame and person.

    Args:
        analysis: Result.
        is_filtered: Angles after the zero-lag filter; False: before any low-pass.

    Returns:
        CSV (RFC 4180): `time_s`, `frame`, `person`, then per angle `<name>_deg` and `<name>_confidence`. A missing
        angle is an empty cell with
        confidence 0.
    """
    names = list_measured_angles(analysis.persons)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(
        ["time_s", "frame", "person", *(f"{name}_{kind}" for name in names for kind in ("deg", "confidence"))]
    )
    for person in analysis.persons:
        columns: list[tuple[FloatArray, FloatArray]] = []
        for name in names:
            angle = person.angles[name]
            columns.append((angle.filtered_deg if is_filtered else angle.raw_deg, angle.confidence))
        for row in range(len(person.frame_index)):
            cells = [f"{person.time_s[row]:.6f}", str(person.frame_index[row]), str(person.person_id)]
            for values, confidence in columns:
                is_seen = bool(np.isfinite(values[row]))
                cells += [f"{values[row]:.3f}" if is_seen else "", f"{confidence[row] if is_seen else 0.0:.3f}"]
            writer.writerow(cells)
    return text.getvalue()


def write_motion_json(analysis: MotionAnalysis) -> str:
    """Writes the whole result as JSON; what is missing is null.

    Returns:
        One object: `version`, `units`, `note`, `config`, `persons`, `skipped`.
    """
    document = {
        "version": JSON_VERSION,
        "units": {"angle": "degree", "time": "second", "length": "metre", "pixel": "x right, y down"},
        "note": ESTIMATE_NOTE,
        "config": dataclasses.asdict(analysis.config),
        "persons": [_describe_person(person) for person in analysis.persons],
        "skipped": {str(person_id): reason for person_id, reason in analysis.skipped.items()},
    }
    return json.dumps(document, allow_nan=False, separators=(",", ":"))


def round_values(values: FloatArray, digits: int) -> list[float | None]:
    """Rounds numbers for JSON, which has no NaN."""
    return [round(float(value), digits) if np.isfinite(value) else None for value in values]


def _describe_person(person: PersonMotion) -> dict[str, object]:
    return {
        "person": person.person_id,
        "frame": person.frame_index.tolist(),
        "time_s": round_values(person.time_s, 6),
        "view": [str(view) for view in person.views],
        "facing": person.facing.astype(int).tolist(),
        "metres_per_px": float(person.metres_per_px) if np.isfinite(person.metres_per_px) else None,
        "is_scale_given": person.is_scale_given,
        "angles": {name: _describe_angle(angle) for name, angle in person.angles.items() if not angle.missing_reason},
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


def _describe_angle(angle: AngleSeries) -> dict[str, object]:
    return {
        "raw_deg": round_values(angle.raw_deg, 3),
        "filtered_deg": round_values(angle.filtered_deg, 3),
        "velocity_deg_s": round_values(angle.velocity_deg_s, 2),
        "confidence": round_values(angle.confidence, 3),
        "range_deg": round_values(np.array([angle.range_deg]), 3)[0],
    }


def _round_mapping(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}
