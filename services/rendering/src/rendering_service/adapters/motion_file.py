"""The file `motion.pb.zst` of a motion: its head, then one record a frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope_common.storage.records import BrokenRecordsError, decode_records
from rendering_service.core.types import MotionFrame, MotionLayout, PersonFrame

RECORDS_PATH = "motion.pb.zst"


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
        BrokenRecordsError: If the file is cut off or damaged.
    """
    records = decode_records(file, motion_pb2.MotionHeader, motion_pb2.FrameMotion)
    header = next(records, None)
    if not isinstance(header, motion_pb2.MotionHeader):
        raise BrokenRecordsError()
    layout = MotionLayout(
        angle_names=tuple(header.angle_names),
        joint_names=tuple(header.joint_names),
        bones=np.array(header.bones, np.int64).reshape(-1, 2),
        angle_joints=np.array(header.angle_joints, np.int64).reshape(-1, 3),
    )
    frames = (_frame(record, layout) for record in records if isinstance(record, motion_pb2.FrameMotion))
    return MotionFile(header=header, layout=layout, frames=frames)


def _frame(record: motion_pb2.FrameMotion, layout: MotionLayout) -> MotionFrame:
    return MotionFrame(
        frame_index=record.frame_index,
        offset_s=record.time_offset.ToNanoseconds() / 1e9,
        persons=[_person(person, layout) for person in record.persons],
    )


def _person(person: motion_pb2.PersonMotion, layout: MotionLayout) -> PersonFrame:
    box = person.box
    right, bottom = box.left_px + box.width_px, box.top_px + box.height_px
    return PersonFrame(
        person_id=person.person_id,
        box_xyxy=np.array([box.left_px, box.top_px, right, bottom], np.float64),
        joints=np.array(person.joints, np.float64).reshape(len(layout.joint_names), 3),
        angles_rad=np.array(person.angles_rad, np.float64),
        confidences=np.nan_to_num(np.array(person.angle_confidences, np.float64)),
    )
