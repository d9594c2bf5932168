"""Between vision's observations and the core's values; and the records in which they are stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from biomechanics_service.core.association import ObservedPersons
from biomechanics_service.core.landmarks import BLAZEPOSE_COUNT, COCO_COUNT
from biomechanics_service.core.recording import RecordingInfo
from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope.vision.v1 import observation_pb2


def boxes_of(message: observation_pb2.FrameObservations) -> tuple[list[float], list[float]]:
    """Returns a frame's boxes, corner after corner, and their scores."""
    boxes: list[float] = []
    for person in message.persons:
        box = person.box
        boxes += (box.left_px, box.top_px, box.left_px + box.width_px, box.top_px + box.height_px)
    return boxes, [min(1.0, max(0.0, person.score)) for person in message.persons]


def observed_from(message: observation_pb2.FrameObservations, person_ids: Sequence[int]) -> ObservedPersons:
    """Returns a frame's people. 32-bit floats, as they came: a person-frame holds about 1.3 kB."""
    count = len(message.persons)
    boxes, _ = boxes_of(message)
    coco = np.full((count, COCO_COUNT, 3), np.nan, np.float32)
    blazepose = np.full((count, BLAZEPOSE_COUNT, 5), np.nan, np.float32)
    world = np.full((count, BLAZEPOSE_COUNT, 3), np.nan, np.float32)
    for row, person in enumerate(message.persons):
        if person.keypoints:
            coco[row] = np.reshape(person.keypoints, (COCO_COUNT, 3))
        if person.landmarks:
            blazepose[row] = np.reshape(person.landmarks, (BLAZEPOSE_COUNT, 5))
            world[row] = np.reshape(person.world_landmarks_m, (BLAZEPOSE_COUNT, 3))
    return ObservedPersons(
        frame_index=message.frame_index,
        person_ids=np.array(person_ids, np.int64),
        boxes_xyxy_px=np.array(boxes, np.float32).reshape(count, 4),  # type: ignore[arg-type]  32 bits keep what came
        coco_px=coco,  # type: ignore[arg-type]
        blazepose_px=blazepose,  # type: ignore[arg-type]
        blazepose_presence=np.array([person.pose_presence for person in message.persons], np.float32),  # type: ignore[arg-type]
        blazepose_world_m=world,  # type: ignore[arg-type]
    )


def offset_s_of(message: observation_pb2.FrameObservations) -> float:
    """Returns a frame's offset in seconds."""
    return message.time_offset.ToNanoseconds() / 1e9


def record_of(message: observation_pb2.FrameObservations, person_ids: Sequence[int]) -> motion_pb2.ObservedFrame:
    """Returns the record that stores a frame."""
    return motion_pb2.ObservedFrame(observations=message, person_ids=person_ids)


def info_from(message: observation_pb2.VideoInfo) -> RecordingInfo:
    """Returns what a video is like."""
    return RecordingInfo(
        width_px=message.width_px,
        height_px=message.height_px,
        frame_rate_hz=message.frame_rate_hz,
        frame_count_estimate=message.frame_count_estimate,
        duration_s=message.duration.ToNanoseconds() / 1e9,
        rotation_deg=message.rotation_deg,
        codec=message.codec,
        has_audio=message.has_audio,
    )
