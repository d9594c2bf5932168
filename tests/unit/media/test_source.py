"""Reading videos of every kind that people send."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from praxiscope_media import (
    MediaHasNoVideoError,
    MediaLimits,
    MediaTooLargeError,
    MediaTooLongError,
    MediaTruncatedError,
    MediaUnreadableError,
    VideoSource,
)

MakeVideo = Callable[..., Path]
IndexOf = Callable[[np.ndarray], int]


def test_frames_come_in_order_with_their_own_times(make_video: MakeVideo, index_of: IndexOf) -> None:
    with VideoSource.open(make_video(frame_count=12)) as source:
        frames = [(frame.index, index_of(frame.rgb()), frame.offset) for frame in source.frames()]
    assert frames == [(i, i, Fraction(i, 10)) for i in range(12)]
    assert source.summary.frame_count == 12
    assert not source.summary.is_truncated
    assert source.summary.damaged_packet_count == 0


def test_the_header_is_read(make_video: MakeVideo) -> None:
    with VideoSource.open(make_video(frame_count=12, audio_codec="aac")) as source:
        info = source.info
    assert (info.width_px, info.height_px, info.frame_count, info.rotation_deg) == (64, 48, 12, 0)
    assert (info.codec, info.has_audio, info.average_rate_hz) == ("h264", True, 10)
    assert info.duration_s == pytest.approx(1.2, abs=0.05)


def test_a_variable_frame_rate_stays_variable(make_video: MakeVideo) -> None:
    offsets = [Fraction(ms, 1000) for ms in (0, 40, 50, 300, 301, 900)]
    with VideoSource.open(make_video(offsets=offsets)) as source:
        assert [frame.offset for frame in source.frames()] == offsets


@pytest.mark.parametrize("start_frame", [0, 1, 3, 4, 5, 11])
@pytest.mark.parametrize("name", ["video.mp4", "video.mkv"])
def test_reading_can_start_at_any_frame_exactly(
    make_video: MakeVideo, index_of: IndexOf, name: str, start_frame: int
) -> None:
    offsets = [Fraction(ms, 1000) for ms in (0, 40, 50, 300, 301, 900, 1000, 1007, 1100, 1200, 1300, 1500)]
    with VideoSource.open(make_video(name, offsets=offsets)) as source:
        whole = [(frame.index, frame.offset, frame.rgb().copy()) for frame in source.frames()]
        part = [(frame.index, frame.offset, frame.rgb().copy()) for frame in source.frames(start_frame=start_frame)]
    assert [entry[:2] for entry in part] == [entry[:2] for entry in whole[start_frame:]]
    assert index_of(part[0][2]) == start_frame
    for (_, _, again), (_, _, first) in zip(part, whole[start_frame:], strict=True):
        np.testing.assert_array_equal(again, first)


def test_a_bare_stream_is_refused_with_advice(make_video: MakeVideo) -> None:
    with pytest.raises(MediaUnreadableError, match="put it into MP4"):
        VideoSource.open(make_video("video.h264"))


def test_an_avi_without_presentation_times_is_read_in_order(make_video: MakeVideo, index_of: IndexOf) -> None:
    with VideoSource.open(make_video("video.avi", frame_count=9)) as source:
        whole = [(frame.index, frame.offset, index_of(frame.rgb())) for frame in source.frames()]
        part = [(frame.index, frame.offset, index_of(frame.rgb())) for frame in source.frames(start_frame=5)]
    assert [(index, shown) for index, _, shown in whole] == [(i, i) for i in range(9)]
    offsets = [offset for _, offset, _ in whole]
    assert offsets == sorted(set(offsets))
    assert part == whole[5:]


def test_a_start_after_the_end_gives_no_frames(make_video: MakeVideo) -> None:
    with VideoSource.open(make_video(frame_count=5)) as source:
        assert list(source.frames(start_frame=5)) == []
        assert source.summary.frame_count == 5


@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
def test_a_phone_video_comes_out_upright(make_video: MakeVideo, rotation_deg: int) -> None:
    with VideoSource.open(make_video(rotation_deg=rotation_deg)) as source:
        frame = next(source.frames())
        full, small = frame.rgb(), frame.resized_rgb(*((24, 32) if rotation_deg != 180 else (32, 24)))
    assert source.info.rotation_deg == rotation_deg
    is_sideways = rotation_deg != 180
    assert (source.info.width_px, source.info.height_px) == ((48, 64) if is_sideways else (64, 48))
    assert full.shape == (source.info.height_px, source.info.width_px, 3)
    # The white quarter is stored at the upper left; turned clockwise it goes to the upper right, and on.
    row, column = {90: (0, -1), 180: (-1, -1), 270: (-1, 0)}[rotation_deg]
    for picture in (full, small):
        corners = {(r, c): picture[r, c].mean() for r in (0, -1) for c in (0, -1)}
        assert max(corners, key=lambda corner: corners[corner]) == (row, column)


def test_ten_bit_video_is_read_as_eight(make_video: MakeVideo, index_of: IndexOf) -> None:
    with VideoSource.open(make_video(pixel_format="yuv420p10le")) as source:
        pictures = [frame.rgb() for frame in source.frames()]
    assert pictures[0].dtype == np.uint8
    assert [index_of(picture) for picture in pictures] == list(range(12))


def test_odd_sizes_are_kept(make_video: MakeVideo) -> None:
    with VideoSource.open(make_video(size=(63, 47), pixel_format="yuv444p")) as source:
        frame = next(source.frames())
        assert frame.rgb().shape == (47, 63, 3)
        assert frame.resized_rgb(21, 15).shape == (15, 21, 3)


def test_the_full_picture_is_converted_once_and_cannot_be_spoilt(make_video: MakeVideo) -> None:
    with VideoSource.open(make_video()) as source:
        frame = next(source.frames())
    assert frame.rgb() is frame.rgb()
    with pytest.raises(ValueError, match="read-only"):
        frame.rgb()[0, 0] = 0


def test_an_open_file_is_read_and_stays_open(make_video: MakeVideo) -> None:
    opened = io.BytesIO(make_video(frame_count=3).read_bytes())
    with VideoSource.open(opened) as source:
        assert sum(1 for _ in source.frames()) == 3
    assert not opened.closed


def test_one_frame_is_a_video(make_video: MakeVideo) -> None:
    with VideoSource.open(make_video(frame_count=1)) as source:
        assert [frame.offset for frame in source.frames()] == [0]
        assert not source.summary.is_truncated


@pytest.mark.parametrize("content", [b"", b"hello, this is text\n" * 50, bytes(4096)])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "movie.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaUnreadableError) as from_path:
        VideoSource.open(path)
    with pytest.raises(MediaUnreadableError):
        VideoSource.open(io.BytesIO(content))
    assert from_path.value.reason == "MEDIA_UNREADABLE"


def test_sound_alone_is_refused(make_video: MakeVideo) -> None:
    with pytest.raises(MediaHasNoVideoError):
        VideoSource.open(make_video("sound.mp4", has_video=False, audio_codec="aac"))


def test_a_missing_file_is_the_callers_mistake_not_the_medias(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        VideoSource.open(tmp_path / "gone.mp4")


@pytest.mark.parametrize("name", ["video.mp4", "video.mkv"])
def test_a_truncated_video_gives_the_frames_it_has_and_says_so(
    make_video: MakeVideo, index_of: IndexOf, name: str
) -> None:
    path = make_video(name, frame_count=30, size=(320, 240))
    encoded = path.read_bytes()
    path.write_bytes(encoded[: len(encoded) * 6 // 10])
    with VideoSource.open(path) as source:
        indices = [index_of(frame.rgb()) for frame in source.frames()]
    assert 0 < len(indices) < 30
    assert indices[:-1] == list(range(len(indices) - 1))  # the last one may be cut through
    assert source.summary.is_truncated


def test_a_video_cut_before_its_table_of_contents_is_truncated(make_video: MakeVideo) -> None:
    path = make_video("video.mov", frame_count=30)  # its table of contents is at the end
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(MediaTruncatedError):
        VideoSource.open(path)


def test_too_many_pixels_are_refused_before_a_frame_is_decoded(make_video: MakeVideo) -> None:
    with pytest.raises(MediaTooLargeError) as caught:
        VideoSource.open(make_video(), limits=MediaLimits(max_pixels=64 * 48 - 1))
    assert caught.value.metadata == {"width_px": "64", "height_px": "48"}
    VideoSource.open(make_video(), limits=MediaLimits(max_pixels=64 * 48)).close()


def test_too_many_frames_are_refused_by_the_header_and_while_reading(make_video: MakeVideo) -> None:
    with pytest.raises(MediaTooLongError):
        VideoSource.open(make_video(frame_count=12), limits=MediaLimits(max_frames=11))
    # Matroska's header does not count; its duration is an estimate.
    offsets = [Fraction(i, 100) for i in range(30)]
    with VideoSource.open(make_video("fast.mkv", offsets=offsets), limits=MediaLimits(max_frames=29)) as source:
        with pytest.raises(MediaTooLongError):
            list(source.frames())


def test_the_summary_is_not_known_before_the_end(make_video: MakeVideo) -> None:
    with VideoSource.open(make_video()) as source:
        next(source.frames())
        with pytest.raises(RuntimeError, match="last frame"):
            _ = source.summary
