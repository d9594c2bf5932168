"""A whole video with marks: every frame, at its time, with its sound; and records that do not fit."""

import io
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope_common.storage.records import encode_records
from praxiscope_media import VideoCodec, VideoEncoding
from rendering_service.adapters.drawn_video import VideoJob, draw_video, size_of
from rendering_service.adapters.motion_file import read_motion
from rendering_service.core.errors import InvalidMotionError
from rendering_service.core.types import Style

FRAMES = 24


def records(count: int, *, first: int = 0, step: int = 1) -> bytes:
    header = motion_pb2.MotionHeader(
        format_version=1,
        angle_names=["knee_angle_r"],
        joint_names=["right_hip", "right_knee", "right_ankle"],
        bones=[0, 1, 1, 2],
        angle_joints=[0, 1, 2],
    )
    frames = []
    for index in range(first, first + count * step, step):
        frame = motion_pb2.FrameMotion(frame_index=index)
        frame.time_offset.FromNanoseconds(index * 33_333_333)
        frame.persons.add(
            person_id=1, joints=[40, 20, 1, 40, 45, 1, 55, 70, 1], angles_rad=[0.5], angle_confidences=[0.9]
        )
        frames.append(frame)
    return encode_records([header, *frames])


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "odd.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libvpx-vp9", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 96, 80, "yuv420p", Fraction(1, 1000)
        sound = output.add_stream("aac", rate=48_000)
        times = [0, 33, 66, 100, 180, 200] + [200 + 40 * step for step in range(1, FRAMES - 5)]
        for time_ms in times:
            frame = av.VideoFrame.from_ndarray(np.full((80, 96, 3), 90, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
        for index in range(46):
            block = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            block.sample_rate, block.pts = 48_000, index * 1024
            output.mux(sound.encode(block))
        output.mux(sound.encode())
    return path


Draw = Callable[..., tuple[Path, int]]


@pytest.fixture
def draw(video: Path, tmp_path: Path) -> Draw:
    def run(
        content: bytes, *, codec: VideoCodec = VideoCodec.VP9, height: int = 0, stop: threading.Event | None = None
    ) -> tuple[Path, int]:
        target = tmp_path / "overlay.mp4"
        with video.open("rb") as picture, video.open("rb") as sound:
            job = VideoJob(
                video=picture,
                sound=sound,
                motion=read_motion(io.BytesIO(content)),
                target=target,
                encoding=VideoEncoding(codec=codec),
                height=height,
                style=Style(),
            )
            return target, draw_video(job, on_frame=lambda drawn, expected: None, should_stop=stop or threading.Event())

    return run


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        times = [float(frame.pts * frame.time_base) for frame in file.decode(video=0)]
    return [time - times[0] for time in times]


@pytest.mark.parametrize("codec", [VideoCodec.VP9, VideoCodec.AV1])
def test_every_frame_keeps_its_time_and_the_sound_is_kept(draw: Draw, video: Path, codec: VideoCodec) -> None:
    target, count = draw(records(FRAMES), codec=codec)
    assert count == FRAMES
    assert times_of(target) == pytest.approx(times_of(video), abs=0.002)
    with av.open(str(target)) as drawn, av.open(str(video)) as given:
        sounds = [sum(packet.duration or 0 for packet in file.demux(audio=0)) for file in (drawn, given)]
    assert sounds[0] == pytest.approx(sounds[1], rel=0.05)


def test_marks_are_in_the_picture_and_follow_its_size(draw: Draw) -> None:
    target, _ = draw(records(FRAMES), height=160)
    with av.open(str(target)) as file:
        picture = next(file.decode(video=0)).to_ndarray(format="rgb24")
    assert picture.shape[:2] == (160, 192)
    assert np.ptp(picture[60:150, 70:120].astype(int)) > 60


@pytest.mark.parametrize(
    "content",
    [records(5), records(FRAMES + 50), records(4, first=100), records(6, step=3)],
    ids=["short", "long", "elsewhere", "gaps"],
)
def test_records_that_do_not_fit_the_video_leave_no_frame_out(draw: Draw, content: bytes) -> None:
    assert draw(content)[1] == FRAMES


def test_asked_to_stop_it_stops(draw: Draw) -> None:
    stop = threading.Event()
    stop.set()
    assert draw(records(FRAMES), stop=stop)[1] <= 1
    assert not [thread for thread in threading.enumerate() if thread.name == "decoder"]


@pytest.mark.parametrize("content", [b"", b"nonsense", records(FRAMES)[:200]])
def test_broken_records_are_said_to_be(content: bytes) -> None:
    with pytest.raises(InvalidMotionError):
        list(read_motion(io.BytesIO(content)).frames)


def test_a_height_has_an_even_width() -> None:
    from praxiscope_media import VideoInfo

    info = VideoInfo(
        width_px=1767,
        height_px=994,
        frame_count=1,
        duration_s=1,
        average_rate_hz=Fraction(30),
        rotation_deg=0,
        codec="vp9",
        has_audio=False,
    )
    assert size_of(info, 0) == (1767, 994)
    assert size_of(info, 720) == (1280, 720)
