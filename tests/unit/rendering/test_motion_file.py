"""A motion's file that anybody may have uploaded: what cannot be drawn is said to be, at a bounded cost."""

import io
from collections.abc import Callable
from fractions import Fraction

import pytest
import zstandard

from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope_common.storage.records import encode_records
from praxiscope_media import VideoInfo
from rendering_service.adapters.drawn_video import size_of
from rendering_service.adapters.motion_file import MAX_FRAMES, MAX_PERSONS_PER_FRAME, read_motion
from rendering_service.core.curve import LiveCurve
from rendering_service.core.errors import InvalidMotionError, StillTooLargeError
from rendering_service.core.types import MotionFrame, MotionLayout


def header() -> motion_pb2.MotionHeader:
    return motion_pb2.MotionHeader(
        format_version=1,
        angle_names=["knee_angle_r"],
        joint_names=["a", "b", "c"],
        bones=[0, 1],
        angle_joints=[0, 1, 2],
    )


def frame(index: int = 0) -> motion_pb2.FrameMotion:
    made = motion_pb2.FrameMotion(frame_index=index)
    made.time_offset.FromNanoseconds(index * 33_000_000)
    made.persons.add(person_id=1, joints=[1.0] * 9, angles_rad=[0.5], angle_confidences=[0.9])
    return made


def frame_of(change: Callable[[motion_pb2.FrameMotion], object]) -> motion_pb2.FrameMotion:
    made = frame()
    change(made)
    return made


HEADS = {
    "bones that are no pairs": {"bones": [0, 1, 2]},
    "a bone of no joint": {"bones": [0, 3]},
    "a bone before the first joint": {"bones": [0, -1]},
    "an angle of no joint": {"angle_joints": [0, 1, 10**9]},
    "too few joints of an angle": {"angle_joints": [0, 1]},
    "too many joints": {"joint_names": ["x"] * 5000},
}
FRAMES = {
    "too few joints": [frame_of(lambda made: made.persons[0].joints.pop())],
    "too many angles": [frame_of(lambda made: made.persons[0].angles_rad.append(1.0))],
    "no confidences": [frame_of(lambda made: made.persons[0].ClearField("angle_confidences"))],
    "a crowd": [frame_of(lambda made: made.persons.extend([made.persons[0]] * MAX_PERSONS_PER_FRAME))],
    "frames that go back": [frame(3), frame(2)],
    "a frame twice": [frame(3), frame(3)],
    "a frame before the first": [frame(-1)],
}


@pytest.mark.parametrize("what", HEADS)
def test_a_head_that_does_not_fit_itself_is_refused(what: str) -> None:
    changed = header()
    for field, rows in HEADS[what].items():
        changed.ClearField(field)  # type: ignore[arg-type]
        getattr(changed, field).extend(rows)
    with pytest.raises(InvalidMotionError):
        read_motion(io.BytesIO(encode_records([changed, frame()])))


@pytest.mark.parametrize("what", FRAMES)
def test_frames_that_do_not_fit_the_head_are_refused(what: str) -> None:
    motion = read_motion(io.BytesIO(encode_records([header(), *FRAMES[what]])))
    with pytest.raises(InvalidMotionError):
        list(motion.frames)


def test_what_is_nowhere_is_missing() -> None:
    changed = frame_of(lambda made: made.persons[0].joints.__setitem__(0, 3e38))
    changed.persons[0].box.left_px = -1e30
    (read,) = read_motion(io.BytesIO(encode_records([header(), changed]))).frames
    person = read.persons[0]
    assert str(person.joints[0, 0]) == str(person.box_xyxy[0]) == "nan"
    assert person.joints[0, 1] == 1.0


def test_a_file_of_too_many_frames_ends_early() -> None:
    motion = read_motion(io.BytesIO(encode_records([header()]) + zstandard.compress(bytes(2 * MAX_FRAMES))))
    with pytest.raises(InvalidMotionError):
        for _ in motion.frames:
            pass


def test_the_curve_remembers_a_bounded_past_whatever_the_times() -> None:
    curve = LiveCurve(layout=MotionLayout(angle_names=(), joint_names=(), bones=[], angle_joints=[]))  # type: ignore[arg-type]
    for index in range(5000):
        curve.add(MotionFrame(frame_index=index, offset_s=0.0))
    assert len(curve._seen) <= 1000


def test_a_wide_picture_is_not_made_larger_than_any_video_may_be() -> None:
    info = VideoInfo(
        width_px=8192,
        height_px=16,
        frame_count=1,
        duration_s=1.0,
        average_rate_hz=Fraction(30),
        rotation_deg=0,
        codec="h264",
        has_audio=False,
    )
    assert size_of(info, 32) == (16384, 32)
    with pytest.raises(StillTooLargeError):
        size_of(info, 4320)
