"""Reads a video: what it is, and its frames one after another."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from types import TracebackType
from typing import BinaryIO

import av
import av.error
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from praxiscope_media._errors import (
    MediaChangesSizeError,
    MediaHasNoVideoError,
    MediaTooLargeError,
    MediaTooLongError,
    MediaTruncatedError,
    MediaUnreadableError,
)
from praxiscope_media._frame import Frame

_FALLBACK_RATE_HZ = Fraction(30)
"""For streams that state no rate at all."""

_MIN_RATE_HZ, _MAX_RATE_HZ = Fraction(1, 100), Fraction(1000)
"""A header that says less or more is not believed: no encoder takes such a rate."""

_MAX_STEP_S = 10_000
"""A presentation time hours after the one before is damage; MP4 cannot hold a picture that is shown for so long."""

_TRUNCATION_TOLERANCE_S = 0.5
"""A header's duration may be wrong by some frames without anything missing."""


@dataclass(frozen=True, kw_only=True)
class MediaLimits:
    """What a stranger's file may cost.

    Attributes:
        max_pixels: Per frame; the default holds 8K.
        max_frames: Per video; the default holds an hour at 60 Hz.
        decoder_threads: Each holds one frame more.
    """

    max_pixels: int = 7680 * 4320
    max_frames: int = 216_000
    decoder_threads: int = 2


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What a video's header says.

    Attributes:
        width_px: Width of the upright picture.
        height_px: Height of the upright picture.
        frame_count: Number of frames, or 0 when the header neither says nor lets it be estimated. May be wrong.
        duration_s: Length in seconds, or 0 when the header does not say.
        average_rate_hz: Frames per second on average, exact.
        rotation_deg: By how much the stored picture is turned clockwise to be upright: 0, 90, 180 or 270. Already
            applied to the frames.
        codec: Name of the codec, as in `vp9`.
        has_audio: There is sound.
    """

    width_px: int
    height_px: int
    frame_count: int
    duration_s: float
    average_rate_hz: Fraction
    rotation_deg: int
    codec: str
    has_audio: bool


@dataclass(frozen=True, kw_only=True)
class ReadSummary:
    """What reading a video to its end showed.

    Attributes:
        frame_count: Index after the last frame that was read.
        is_truncated: The file ended before its header said it would.
        damaged_packet_count: Pieces that the decoder could not use; their frames are missing.
    """

    frame_count: int
    is_truncated: bool
    damaged_packet_count: int


class VideoSource:
    """A video that is open for reading. Use `open`, best in a `with`.

    Not safe to use from two threads at once.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, limits: MediaLimits) -> None:
        """Takes over an open container. Use `open`."""
        self._container = container
        self._stream = stream
        self._limits = limits
        self._quarter_turns = 0
        self._summary: ReadSummary | None = None
        self._info = self._read_info()

    @classmethod
    def open(cls, file: str | PathLike[str] | BinaryIO, *, limits: MediaLimits | None = None) -> VideoSource:
        """Opens a video.

        Args:
            file: Path, or a readable and seekable binary file, which stays the caller's to close.
            limits: What the file may cost.

        Raises:
            MediaUnreadableError: Empty, not a media file, or of a codec that is not known.
            MediaTruncatedError: It ends before its first frame.
            MediaHasNoVideoError: No video stream in it.
            MediaTooLargeError: Too many pixels a frame.
            MediaTooLongError: Its header declares too many frames.
        """
        limits = limits or MediaLimits()
        container = _open_container(file)
        try:
            if not container.streams.video:
                raise MediaHasNoVideoError
            if container.streams.video[0].codec_context is None:  # the header names no codec that FFmpeg knows
                raise MediaUnreadableError
            return cls(container, container.streams.video[0], limits)
        except BaseException:
            container.close()
            raise

    @property
    def info(self) -> VideoInfo:
        """What the header and the first frame say."""
        return self._info

    @property
    def summary(self) -> ReadSummary:
        """What reading showed; known when `frames` has been read to its end.

        Raises:
            RuntimeError: The end was not reached yet.
        """
        if self._summary is None:
            raise RuntimeError("the summary is known after the last frame was read")
        return self._summary

    def close(self) -> None:
        """Frees the decoder; a file that was passed to `open` stays open."""
        self._container.close()

    def __enter__(self) -> VideoSource:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def frames(self, *, start_frame: int = 0) -> Iterator[Frame]:
        """The frames in order of time; may be called again, one iteration at a time.

        Args:
            start_frame: Index of the first frame wanted; nothing comes when the video is shorter.

        Raises:
            MediaTooLongError: More than `max_frames` frames came.
            MediaChangesSizeError: A frame has another size than the first.
        """
        self._summary = None
        reading = _Reading(self._container, self._stream, self._limits)
        for index, offset, decoded in reading.frames(start_frame):
            frame = Frame(decoded, index=index, offset=offset, quarter_turns=self._quarter_turns)
            self._require_same_size(frame)
            yield frame
        self._summary = reading.summary()

    def _require_same_size(self, frame: Frame) -> None:
        expected = (self._info.width_px, self._info.height_px)
        if (frame.width_px, frame.height_px) != expected:
            raise MediaChangesSizeError(
                f"frame {frame.index} is {frame.width_px}x{frame.height_px} pixels, the first was"
                f" {expected[0]}x{expected[1]}; encode the video at one size",
                metadata={"frame_index": str(frame.index)},
            )

    def _read_info(self) -> VideoInfo:
        """Reads the header, decodes the first frame (only it tells size and rotation for sure) and rewinds."""
        stream = self._stream
        self._require_allowed_size(stream.width, stream.height)
        stream.thread_type = ThreadType.AUTO
        stream.codec_context.thread_count = self._limits.decoder_threads
        first = next((decoded for _, _, decoded in _Reading(self._container, stream, self._limits).frames(0)), None)
        if first is None:
            raise MediaTruncatedError
        self._require_allowed_size(first.width, first.height)
        rotation_deg = round(-first.rotation / 90) * 90 % 360
        self._quarter_turns = (-rotation_deg // 90) % 4
        is_sideways = self._quarter_turns % 2 == 1
        rate_hz = _believable_rate_hz(stream.average_rate or stream.guessed_rate)
        duration_s = _duration_s(self._container, stream)
        frame_count = stream.frames or round(duration_s * rate_hz)
        if frame_count > self._limits.max_frames:
            raise _too_long(self._limits.max_frames)
        return VideoInfo(
            width_px=first.height if is_sideways else first.width,
            height_px=first.width if is_sideways else first.height,
            frame_count=frame_count,
            duration_s=duration_s,
            average_rate_hz=rate_hz,
            rotation_deg=rotation_deg,
            codec=stream.codec_context.codec.canonical_name,
            has_audio=bool(self._container.streams.audio),
        )

    def _require_allowed_size(self, width_px: int, height_px: int) -> None:
        if width_px * height_px > self._limits.max_pixels:
            raise MediaTooLargeError(
                f"the video is {width_px}x{height_px} pixels, at most {self._limits.max_pixels} a frame are allowed",
                metadata={"width_px": str(width_px), "height_px": str(height_px)},
            )


class _Reading:
    """One pass over the file."""

    def __init__(self, container: InputContainer, stream: VideoStream, limits: MediaLimits) -> None:
        self._container = container
        self._stream = stream
        self._limits = limits
        self._damaged_packet_count = 0
        self._is_cut = False
        self._next_index = 0
        self._video_packet_count = 0
        self._last_end_s = 0.0

    def frames(self, start_frame: int) -> Iterator[tuple[int, Fraction, VideoFrame]]:
        """Index, offset in seconds and decoder's frame, from `start_frame` on."""
        self._rewind()
        first_pts, start_pts = self._find_start(start_frame)
        skip_count = start_frame if start_pts is None else 0
        index = 0 if start_pts is None else start_frame
        previous: Fraction | None = None
        step = 1 / _believable_rate_hz(self._stream.average_rate)
        for decoded in self._decode():
            if start_pts is not None and decoded.pts is not None and decoded.pts < start_pts:
                continue
            if first_pts is None:
                first_pts = decoded.pts
            offset = self._offset(decoded, first_pts)
            since = 0 if previous is None or offset is None else offset - previous
            if offset is None or since > _MAX_STEP_S or (previous is not None and since <= 0):
                # No presentation time, or one that cannot be: as if the frame came one average step after the last.
                offset = Fraction(0) if previous is None else previous + step
            previous = offset
            if index >= self._limits.max_frames:
                raise _too_long(self._limits.max_frames)
            if index >= skip_count:
                yield index, offset, decoded
            index += 1
            self._next_index = index

    def summary(self) -> ReadSummary:
        declared_s = (self._container.duration or 0) / av.time_base
        is_short = declared_s - self._last_end_s > _TRUNCATION_TOLERANCE_S
        return ReadSummary(
            frame_count=self._next_index,
            is_truncated=self._is_cut or is_short,
            damaged_packet_count=self._damaged_packet_count,
        )

    def _rewind(self) -> None:
        try:
            self._container.seek(0, backward=True, any_frame=False)
        except av.error.FFmpegError as error:
            raise MediaUnreadableError(
                "the file is a bare stream without a container; put it into MP4, WebM, MOV or MKV"
            ) from error

    def _find_start(self, start_frame: int) -> tuple[int | None, int | None]:
        """Seeks to the key frame at or before `start_frame`.

        Which presentation time the n-th frame has is only known from all the packets, so these are read once, without
        decoding.

        Returns:
            The first frame's and the wanted frame's presentation time; the second is None where the file must be
            decoded from its
            beginning: from frame 0, or when packets lack times.
        """
        if start_frame == 0:
            return None, None
        packets = [
            (packet.pts, packet.dts, packet.is_keyframe)
            for packet in self._demux()
            if packet.stream.index == self._stream.index
            and packet.size > 0
            and not packet.is_discard
            and not packet.is_corrupt
        ]
        known = sorted(pts for pts, _, _ in packets if pts is not None)
        self._rewind()
        if len(known) != len(packets) or len(set(known)) != len(known) or start_frame >= len(known):
            return None, None
        # Containers seek by decoding time, which runs ahead of the presentation time: a key frame may be decoded before
        # the wanted frame and shown after it. So the key frame is chosen here, by presentation time.
        key_times = [
            (pts, dts) for pts, dts, is_key in packets if is_key and pts is not None and pts <= known[start_frame]
        ]
        if key_times:
            pts, dts = max(key_times, key=lambda times: times[0])
            self._container.seek(pts if dts is None else dts, stream=self._stream, backward=True, any_frame=False)
        return known[0], known[start_frame]

    def _offset(self, decoded: VideoFrame, first_pts: int | None) -> Fraction | None:
        if decoded.pts is None or first_pts is None or decoded.time_base is None:
            return None
        return (decoded.pts - first_pts) * Fraction(decoded.time_base)

    def _decode(self) -> Iterator[VideoFrame]:
        """Decodes what can be decoded; damaged packets are counted and left out."""
        for packet in self._demux():
            self._note(packet)
            if packet.stream.index != self._stream.index:
                continue
            try:
                decoded = packet.decode()
            except av.error.FFmpegError:
                self._damaged_packet_count += 1
                continue
            yield from (frame for frame in decoded if isinstance(frame, VideoFrame))

    def _demux(self) -> Iterator[Packet]:
        """All packets; where the file breaks off, an empty one that flushes the decoder ends them."""
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:
                self._is_cut = True
                yield from self._flush()
                return
            yield packet

    def _flush(self) -> Iterator[Packet]:
        packet = Packet()
        packet.stream = self._stream
        yield packet

    def _note(self, packet: Packet) -> None:
        """Follows how far the file reaches, over all its streams."""
        if packet.is_corrupt:
            self._is_cut = True
        if packet.pts is not None and packet.time_base is not None:
            end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            start_s = (self._container.start_time or 0) / av.time_base
            self._last_end_s = max(self._last_end_s, end_s - start_s)


def _open_container(file: str | PathLike[str] | BinaryIO) -> InputContainer:
    try:
        return av.open(file, mode="r", metadata_errors="replace")
    except av.error.FFmpegError as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        if _looks_cut(file):
            raise MediaTruncatedError from error
        raise MediaUnreadableError from error
    except (EOFError, ValueError) as error:
        raise MediaUnreadableError from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # FFmpeg looks for an index before the start of a file that has next to nothing
            raise MediaUnreadableError from error
        raise


def _looks_cut(file: str | PathLike[str] | BinaryIO) -> bool:
    """Whether a file that cannot be opened begins like MP4 or Matroska: then its end is missing."""
    if isinstance(file, str | PathLike):
        with open(file, "rb") as opened:
            head = opened.read(8)
    else:
        file.seek(0)
        head = file.read(8)
    return head[4:8] == b"ftyp" or head[:4] == b"\x1a\x45\xdf\xa3"


def _believable_rate_hz(stated: Fraction | None) -> Fraction:
    """Returns the rate that a header states, or the usual one where it states none that can be."""
    return stated if stated is not None and _MIN_RATE_HZ <= stated <= _MAX_RATE_HZ else _FALLBACK_RATE_HZ


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def _too_long(max_frames: int) -> MediaTooLongError:
    return MediaTooLongError(
        f"the video has more than {max_frames} frames; cut it", metadata={"max_frames": str(max_frames)}
    )
