"""Markers as TRC and angles as MOT, the way OpenSim 4 and Pose2Sim read them. Arrays in, text out.

TRC has no place for a comment, so what is only estimated stands in a companion text (`write_estimates_json`); MOT has
it in its header.

**Source:** OpenSim user guide, "Marker (.trc) files" and "Motion (.mot) files"; marker names as in Pose2Sim's
Markers_BlazePose.xml.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np

from biomechanics_service.core.tables import ESTIMATE_NOTE
from biomechanics_service.core.types import BoolArray, FloatArray, IntArray, PersonMotion

# Marker name and BlazePose's index.
MARKERS = (
    ("Nose", 0),
    ("LEye", 2),
    ("REye", 5),
    ("LShoulder", 11),
    ("RShoulder", 12),
    ("LElbow", 13),
    ("RElbow", 14),
    ("LWrist", 15),
    ("RWrist", 16),
    ("LPinky", 17),
    ("RPinky", 18),
    ("LIndex", 19),
    ("RIndex", 20),
    ("LThumb", 21),
    ("RThumb", 22),
    ("LHip", 23),
    ("RHip", 24),
    ("LKnee", 25),
    ("RKnee", 26),
    ("LAnkle", 27),
    ("RAnkle", 28),
    ("LHeel", 29),
    ("RHeel", 30),
    ("LBigToe", 31),
    ("RBigToe", 32),
)
LEFT_HIP, RIGHT_HIP = 23, 24
# Coordinates of the motion file: OpenSim's name and ours; those that cannot be seen are left out rather than set to 0.
COORDINATES = (
    ("pelvis_tilt", "pelvis_tilt_3d"),
    ("pelvis_list", "pelvis_list_3d"),
    ("pelvis_rotation", "pelvis_rotation_3d"),
    *(
        (f"{joint}_{letter}", f"{joint}_{letter}_3d")
        for letter in "rl"
        for joint in ("hip_flexion", "hip_adduction", "knee_angle", "ankle_angle")
    ),
    ("lumbar_bending", "lumbar_bending_3d"),
    ("lumbar_rotation", "lumbar_rotation_3d"),
    *(
        (f"{joint}_{letter}", f"{joint}_{letter}_3d")
        for letter in "rl"
        for joint in ("arm_flex", "arm_add", "elbow_flex")
    ),
)
TRANSLATIONS = ("pelvis_tx", "pelvis_ty", "pelvis_tz")


def write_markers_trc(person: PersonMotion, *, title: str = "markers.trc") -> Iterator[str]:
    """Writes a person's markers, line by line.

    Args:
        person: Result for one person.
        title: Name that stands in the first line; no tabs or line ends.

    Yields:
        TRC text: metres (Pose2Sim takes TRC for metres whatever its header says; OpenSim reads the header), x right in
            the picture, y up, z towards the camera. Frames are numbered from 1; a
            missing marker is three empty cells. Rows
        before the first and after the last frame with a marker are left out.

    Raises:
        ValueError: The title has a tab or line end.
    """
    if any(character in title for character in "\t\r\n"):
        raise ValueError(f"title must have no tabs or line ends, is {title!r}")
    markers = person.markers_m[:, [index for _, index in MARKERS]]  # [T, M, 3]
    rows = _trim(np.asarray(np.isfinite(markers).any(axis=(1, 2))))
    rate_hz = f"{_measure_rate(person.time_s):.6g}"
    names, numbers = [name for name, _ in MARKERS], range(1, len(MARKERS) + 1)
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{title}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate_hz}\t{rate_hz}\t{len(rows)}\t{len(MARKERS)}\tm\t{rate_hz}\t1\t{len(rows)}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{number}" for number in numbers for axis in "XYZ"),
        "",
    ]
    yield "\n".join(lines) + "\n"
    for number, row in enumerate(rows, start=1):
        cells = [f"{value:.6f}" if math.isfinite(value) else "" for value in markers[row].ravel().tolist()]
        yield f"{number}\t{person.time_s[row]:.6f}\t" + "\t".join(cells) + "\n"


def write_angles_mot(person: PersonMotion, *, title: str = "angles") -> Iterator[str]:
    """Writes a person's joint angles as an OpenSim motion, line by line.

    Args:
        person: Result for one person.
        title: Name that stands in the first line; no line ends.

    Yields:
        MOT text: degrees, pelvis translations in metres, filtered; `nan` where an angle was not seen. Angles that were
            never measured have no column.

    Raises:
        ValueError: The title has a line end.
    """
    if any(character in title for character in "\r\n"):
        raise ValueError(f"title must have no line ends, is {title!r}")
    columns: list[tuple[str, FloatArray]] = []
    for name, ours in COORDINATES:
        angle = person.angles[ours]
        if not angle.missing_reason:
            columns.append((name, angle.filtered_deg))
        if name == "pelvis_rotation":
            pelvis_m = person.markers_m[:, [LEFT_HIP, RIGHT_HIP]].mean(axis=1)
            columns += [(name, pelvis_m[:, i_axis]) for i_axis, name in enumerate(TRANSLATIONS)]
    values = np.stack([column for _, column in columns], axis=1)
    rows = _trim(np.asarray(np.isfinite(values).any(axis=1)))
    lines = [
        title,
        "version=1",
        f"nRows={len(rows)}",
        f"nColumns={len(columns) + 1}",
        "inDegrees=yes",
        "",
        "Units are S.I. units (second, meters, Newtons, ...)",
        "Angles are in degrees.",
        "",
        *_list_estimates(person),
        "endheader",
        "\t".join(["time", *(name for name, _ in columns)]),
    ]
    yield "\n".join(lines) + "\n"
    for row in rows:
        cells = [f"{value:.6f}" if math.isfinite(value) else "nan" for value in values[row].tolist()]
        yield "\t".join([f"{person.time_s[row]:.6f}", *cells]) + "\n"


def write_estimates_json(person: PersonMotion) -> str:
    """Writes what in a person's TRC and MOT is estimated, as the companion text that lies beside them.

    Returns:
        JSON: `person`, `axes`, `metres_per_px`, `is_scale_given`, `estimates` (sentences), `not_measured` (reason by
            angle).
    """
    return json.dumps(
        {
            "person": person.person_id,
            "axes": "x right in the picture, y up, z towards the camera; y = 0 at the lowest point of the recording",
            "metres_per_px": float(person.metres_per_px) if np.isfinite(person.metres_per_px) else None,
            "is_scale_given": person.is_scale_given,
            "estimates": _list_estimates(person),
            "not_measured": {
                name: angle.missing_reason for name, angle in person.angles.items() if angle.missing_reason
            },
        },
        indent=2,
        allow_nan=False,
    )


def _list_estimates(person: PersonMotion) -> list[str]:
    scale = (
        "Scale: from the given height."
        if person.is_scale_given
        else "Scale: estimated by BlazePose, no height was given."
    )
    pelvis = "Pelvis tilt is that of the trunk: the pelvis is seen as two points only."
    return [ESTIMATE_NOTE, scale, pelvis]


def _trim(is_present: BoolArray) -> IntArray:
    """Lists the rows from the first to the last that hold something."""
    present: IntArray = np.flatnonzero(is_present).astype(np.int64)
    return np.arange(int(present[0]), int(present[-1]) + 1, dtype=np.int64) if len(present) else present


def _measure_rate(time_s: FloatArray) -> float:
    return 1.0 / float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0
