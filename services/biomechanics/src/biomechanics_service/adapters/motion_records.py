"""The file `motion.pb.zst`: what a renderer needs of a motion, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from biomechanics_service.core.angles import PLANE_ANGLES
from biomechanics_service.core.landmarks import BONES, POINT_INDEX, POINT_NAMES
from biomechanics_service.core.types import MotionAnalysis, PersonMotion
from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope.vision.v1 import observation_pb2
from praxiscope_common.storage.records import encode_records_in_pieces

FORMAT_VERSION = 1
# Which three points an angle's arc is drawn between: one end, vertex, other end.
_ARCS = {
    "knee_angle": ("hip", "knee", "ankle"),
    "hip_flexion": ("shoulder", "hip", "knee"),
    "elbow_flex": ("shoulder", "elbow", "wrist"),
    "ankle_angle": ("knee", "ankle", "toe"),
    "arm_flex": ("hip", "shoulder", "elbow"),
}
_SIDES = {"r": "right", "l": "left"}


def encode_motion(
    analysis: MotionAnalysis,
    offsets_s: list[float],
    *,
    video: str,
    video_path: str,
    video_info: observation_pb2.VideoInfo,
) -> Iterator[bytes]:
    """Yields the file's bytes as they come."""
    names = [angle.name for angle in PLANE_ANGLES]
    header = motion_pb2.MotionHeader(
        format_version=FORMAT_VERSION,
        video=video,
        video_path=video_path,
        video_info=video_info,
        angle_names=names,
        joint_names=POINT_NAMES,
        bones=[POINT_INDEX[name] for bone in BONES for name in bone],
        angle_joints=[index for name in names for index in _arc(name)],
    )
    return encode_records_in_pieces(_records(header, analysis, offsets_s, names))


def _records(
    header: motion_pb2.MotionHeader, analysis: MotionAnalysis, offsets_s: list[float], names: list[str]
) -> Iterator[motion_pb2.MotionHeader | motion_pb2.FrameMotion]:
    yield header
    angles = {
        person.person_id: (
            np.deg2rad(np.stack([person.angles[name].filtered_deg for name in names], axis=1)),
            np.stack([person.angles[name].confidence for name in names], axis=1),
        )
        for person in analysis.persons
    }
    for frame_index, offset_s in enumerate(offsets_s):
        frame = motion_pb2.FrameMotion(frame_index=frame_index)
        frame.time_offset.FromNanoseconds(round(offset_s * 1e9))
        for person in analysis.persons:
            row = frame_index - int(person.frame_index[0])
            if 0 <= row < len(person.frame_index) and np.isfinite(person.points_filtered_px[row]).any():
                frame.persons.append(_person(person, row, *angles[person.person_id]))
        yield frame


def _person(person: PersonMotion, row: int, angles_rad: np.ndarray, confidences: np.ndarray) -> motion_pb2.PersonMotion:
    joints = np.concatenate([person.points_filtered_px[row], person.point_confidence[row][:, None]], axis=1)
    message = motion_pb2.PersonMotion(
        person_id=person.person_id,
        joints=joints.ravel().tolist(),
        angles_rad=angles_rad[row].tolist(),
        angle_confidences=confidences[row].tolist(),
    )
    left, top, right, bottom = person.boxes_xyxy_px[row].tolist()
    message.box.left_px, message.box.top_px = left, top
    message.box.width_px, message.box.height_px = right - left, bottom - top
    return message


def _arc(name: str) -> tuple[int, int, int]:
    joint, _, side = name.rpartition("_")
    if joint not in _ARCS or side not in _SIDES:
        return (-1, -1, -1)
    start, vertex, end = (POINT_INDEX[f"{_SIDES[side]}_{point}"] for point in _ARCS[joint])
    return (start, vertex, end)
