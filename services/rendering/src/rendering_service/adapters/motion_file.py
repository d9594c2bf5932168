"""The file `motion.pb.zst` of a motion: its head, then one record a frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from google.protobuf.message import Message

from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope_common.storage.records import BrokenRecordsError, decode_records
from rendering_service.core.errors import InvalidMotionError
from rendering_service.core.types import FloatArray, MotionFrame, MotionLayout, PersonFrame

RECORDS_PATH = "motion.pb.zst"
# Anybody may upload such a file. What biomechanics writes is far below these.
MAX_FRAMES = 216_000  # as many as a video may have
MAX_PERSONS_PER_FRAME = 100
MAX_NAMES = 1000  # of joints, of angles
MAX_BONES = 4000
_MAX_PX = 1e6  # pixels beyond this are nowhere


@dataclass(frozen=True, kw_only=True)
class MotionFile:
    """An open motion.

    Attributes:
        header: Its head as it was written.
        layout: How its numbers are laid out.
        frames: Its frames in order; can be gone through once.
    """

    header: motion_pb2.MotionHeader
    layout: MotionLayout
    frames: Iterator[MotionFrame]


def read_motion(file: BinaryIO) -> MotionFile:
    """Reads a motion's head and gives its frames one by one.

    Raises:
        InvalidMotionError: If the file is cut off or damaged, or says what cannot be drawn; also while frames are read.
    """
    records = _readable(decode_records(file, motion_pb2.MotionHeader, motion_pb2.FrameMotion))
    header = next(records, None)
    if not isinstance(header, motion_pb2.MotionHeader):
        raise InvalidMotionError()
    layout = _layout(header)
    motions = (record for record in records if isinstance(record, motion_pb2.FrameMotion))
    return MotionFile(header=header, layout=layout, frames=_frames(motions, layout))


def _readable(records: Iterator[Message]) -> Iterator[Message]:
    """Yields the records; where they break off it is the file that is wrong, which anybody may have uploaded, and not our store."""
    try:
        yield from records
    except BrokenRecordsError as error:
        raise InvalidMotionError() from error


def _layout(header: motion_pb2.MotionHeader) -> MotionLayout:
    angle_count, joint_count = len(header.angle_names), len(header.joint_names)
    _require(max(angle_count, joint_count) <= MAX_NAMES and len(header.bones) <= 2 * MAX_BONES, "its head is too large")
    _require(len(header.bones) % 2 == 0, "its bones are no pairs")
    _require(len(header.angle_joints) == 3 * angle_count, "its angles have not three joints each")
    bones = np.array(header.bones, np.int64).reshape(-1, 2)
    angle_joints = np.array(header.angle_joints, np.int64).reshape(-1, 3)
    _require(bool(((bones >= 0) & (bones < joint_count)).all()), "a bone is of a joint that it does not have")
    _require(bool((angle_joints < joint_count).all()), "an angle is of a joint that it does not have")
    return MotionLayout(
        angle_names=tuple(header.angle_names),
        joint_names=tuple(header.joint_names),
        bones=bones,
        angle_joints=angle_joints,
    )


def _frames(records: Iterator[motion_pb2.FrameMotion], layout: MotionLayout) -> Iterator[MotionFrame]:
    last_index, last_offset_s = -1, float("-inf")
    for count, record in enumerate(records, start=1):
        _require(count <= MAX_FRAMES, "it has too many frames")
        frame = _frame(record, layout)
        _require(frame.frame_index > last_index and frame.offset_s >= last_offset_s, "its frames go back")
        last_index, last_offset_s = frame.frame_index, frame.offset_s
        yield frame


def _frame(record: motion_pb2.FrameMotion, layout: MotionLayout) -> MotionFrame:
    _require(len(record.persons) <= MAX_PERSONS_PER_FRAME, "a frame has too many people")
    return MotionFrame(
        frame_index=record.frame_index,
        offset_s=record.time_offset.ToNanoseconds() / 1e9,
        persons=[_person(person, layout) for person in record.persons],
    )


def _person(person: motion_pb2.PersonMotion, layout: MotionLayout) -> PersonFrame:
    angle_count = len(layout.angle_names)
    is_whole = (
        len(person.joints) == 3 * len(layout.joint_names)
        and len(person.angles_rad) == angle_count
        and len(person.angle_confidences) == angle_count
    )
    _require(is_whole, "a person has not as many joints and angles as its head says")
    box = person.box
    right, bottom = box.left_px + box.width_px, box.top_px + box.height_px
    return PersonFrame(
        person_id=person.person_id,
        box_xyxy=_pixels(np.array([box.left_px, box.top_px, right, bottom], np.float64)),
        joints=_pixels(np.array(person.joints, np.float64)).reshape(len(layout.joint_names), 3),
        angles_rad=np.array(person.angles_rad, np.float64),
        confidences=np.nan_to_num(np.array(person.angle_confidences, np.float64)),
    )


def _pixels(values: FloatArray) -> FloatArray:
    """Returns the values with those that are nowhere in any picture as missing."""
    return np.where(np.abs(values) <= _MAX_PX, values, np.nan)


def _require(is_true: bool, what: str) -> None:
    if not is_true:
        raise InvalidMotionError(f"The file is no motion that can be drawn: {what}.", metadata={"problem": what})
