"""Writing videos, with sound."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from praxiscope_media import VideoCodec, VideoEncoding, VideoSource, VideoWriter

MakeVideo = Callable[..., Path]
IndexOf = Callable[[np.ndarray], int]


def copy(source_path: Path, target: Path, encoding: VideoEncoding, *, with_sound: bool = True) -> None:
    with (
        VideoSource.open(source_path) as source,
        VideoWriter.open(target, source.info, encoding, audio_from=source_path if with_sound else None) as writer,
    ):
        for frame in source.frames():
            writer.write(frame.rgb(), frame.offset)


@pytest.mark.parametrize(
    ("codec", "name", "canonical"),
    [
        (VideoCodec.AV1, "out.mp4", "av1"),
        (VideoCodec.AV1, "out.webm", "av1"),
        (VideoCodec.VP9, "out.webm", "vp9"),
        (VideoCodec.VP9, "out.mp4", "vp9"),
        (VideoCodec.H264, "out.mp4", "h264"),
    ],
)
def test_what_is_written_is_read_again(
    make_video: MakeVideo, index_of: IndexOf, tmp_path: Path, codec: VideoCodec, name: str, canonical: str
) -> None:
    offsets = [Fraction(ms, 1000) for ms in (0, 40, 100, 300, 350, 900, 1000, 1500)]
    source_path = make_video("in.mp4", size=(128, 96), offsets=offsets)
    copy(source_path, tmp_path / name, VideoEncoding(codec=codec, constant_quality=20))
    with VideoSource.open(tmp_path / name) as written:
        frames = [(index_of(frame.rgb()), frame.offset) for frame in written.frames()]
        assert written.info.codec == canonical
        assert (written.info.width_px, written.info.height_px) == (128, 96)
    assert [index for index, _ in frames] == list(range(8))
    assert [float(offset) for _, offset in frames] == pytest.approx([float(o) for o in offsets], abs=0.001)


def test_odd_sizes_grow_to_even_ones_and_keep_their_edge(make_video: MakeVideo, tmp_path: Path) -> None:
    source_path = make_video(size=(99, 77), pixel_format="yuv444p")
    copy(source_path, tmp_path / "out.mp4", VideoEncoding(codec=VideoCodec.H264, constant_quality=4))
    with VideoSource.open(tmp_path / "out.mp4") as written:
        picture = next(written.frames()).rgb().astype(int)
    assert picture.shape == (78, 100, 3)
    assert abs(picture[:, -1] - picture[:, -2]).mean() < 3


def test_a_picture_of_another_size_is_refused(make_video: MakeVideo, tmp_path: Path) -> None:
    with VideoSource.open(make_video()) as source:
        with VideoWriter.open(tmp_path / "out.mp4", source.info, VideoEncoding(codec=VideoCodec.H264)) as writer:
            writer.write(np.zeros((48, 64, 3), np.uint8), Fraction(0))
            with pytest.raises(ValueError, match="64x48"):
                writer.write(np.zeros((50, 64, 3), np.uint8), Fraction(1, 10))


def test_colours_are_kept(make_video: MakeVideo, tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[...] = (200, 40, 80)
    with VideoSource.open(make_video()) as source:
        info = source.info
    for name, picture, pixel_format in (("rgb.mp4", red, "rgb24"), ("bgr.mp4", red[..., ::-1], "bgr24")):
        with VideoWriter.open(tmp_path / name, info, VideoEncoding(codec=VideoCodec.H264)) as writer:
            writer.write(picture, Fraction(0), pixel_format=pixel_format)
        with VideoSource.open(tmp_path / name) as written:
            found = next(written.frames()).rgb().mean(axis=(0, 1))
        assert found == pytest.approx((200, 40, 80), abs=4)


def sound_of(path: Path) -> tuple[str, float, float]:
    """Codec, start and length in seconds of the sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
        start = float(min(packet.pts for packet in packets) * stream.time_base)
        end = float(max(packet.pts + packet.duration for packet in packets) * stream.time_base)
        return stream.codec_context.codec.canonical_name, start, end - start


@pytest.mark.parametrize(
    ("audio_codec", "name", "expected"),
    [
        ("aac", "out.mp4", "aac"),
        ("libopus", "out.mp4", "opus"),
        ("libopus", "out.webm", "opus"),
        ("aac", "out.webm", "opus"),
    ],
)
def test_sound_is_kept_and_ends_with_the_picture(
    make_video: MakeVideo, tmp_path: Path, audio_codec: str, name: str, expected: str
) -> None:
    source_path = make_video("in.mkv", audio_codec=audio_codec, frame_count=10)  # 1 s of pictures, 2 s of sound
    codec = VideoCodec.VP9 if name.endswith("webm") else VideoCodec.H264
    copy(source_path, tmp_path / name, VideoEncoding(codec=codec))
    found, start_s, length_s = sound_of(tmp_path / name)
    assert found == expected
    assert start_s == pytest.approx(0.0, abs=0.03)
    assert length_s == pytest.approx(1.0, abs=0.06)


def test_copied_sound_is_copied_bit_by_bit(make_video: MakeVideo, tmp_path: Path) -> None:
    source_path = make_video("in.mp4", audio_codec="aac", frame_count=10)
    copy(source_path, tmp_path / "out.mp4", VideoEncoding(codec=VideoCodec.H264))

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]

    written = packets(tmp_path / "out.mp4")
    assert len(written) > 20
    assert set(written) <= set(packets(source_path))


@pytest.mark.parametrize("name", ["out.mp4", "out.webm"])
def test_sound_stays_in_step_with_pictures_that_begin_later(make_video: MakeVideo, tmp_path: Path, name: str) -> None:
    offsets = [Fraction(i, 10) for i in range(5, 15)]  # pictures from 0.5 s to 1.5 s, sound from the beginning
    source_path = make_video("in.mkv", audio_codec="libopus", offsets=offsets)
    codec = VideoCodec.VP9 if name.endswith("webm") else VideoCodec.H264
    copy(source_path, tmp_path / name, VideoEncoding(codec=codec))

    def packets(path: Path) -> dict[bytes, float]:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            return {bytes(p): float(p.pts * stream.time_base) for p in container.demux(stream) if p.size}

    before, after = packets(source_path), packets(tmp_path / name)
    shifts = [before[packet] - time for packet, time in after.items()]
    assert len(shifts) > 40
    assert max(abs(shift - 0.5) for shift in shifts) < 0.015


def test_a_silent_source_gives_a_silent_video(make_video: MakeVideo, tmp_path: Path) -> None:
    copy(make_video(), tmp_path / "out.mp4", VideoEncoding(codec=VideoCodec.H264))
    with VideoSource.open(tmp_path / "out.mp4") as written:
        assert not written.info.has_audio


def test_an_mp4_can_be_played_while_it_downloads(make_video: MakeVideo, tmp_path: Path) -> None:
    copy(make_video(), tmp_path / "out.mp4", VideoEncoding(codec=VideoCodec.H264))
    encoded = (tmp_path / "out.mp4").read_bytes()
    assert encoded.index(b"moov") < encoded.index(b"mdat")


def test_times_that_stand_still_are_moved_on(make_video: MakeVideo, tmp_path: Path) -> None:
    with VideoSource.open(make_video()) as source:
        info = source.info
    with VideoWriter.open(tmp_path / "out.mp4", info, VideoEncoding(codec=VideoCodec.H264)) as writer:
        for _ in range(3):
            writer.write(np.zeros((48, 64, 3), np.uint8), Fraction(0))
    with VideoSource.open(tmp_path / "out.mp4") as written:
        assert sum(1 for _ in written.frames()) == 3


@pytest.mark.parametrize("speed", [-0.1, 1.1])
def test_a_speed_outside_its_range_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        VideoEncoding(speed=speed)
