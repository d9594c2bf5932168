"""Writes a video, with the sound of another file."""

from __future__ import annotations

from fractions import Fraction
from os import PathLike, fspath
from types import TracebackType
from typing import BinaryIO, Literal

import av
import numpy as np
from av import VideoFrame
from av.container import OutputContainer
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from praxiscope_media._audio import AudioTrack
from praxiscope_media._encoding import VideoEncoding
from praxiscope_media._source import VideoInfo

_TIME_BASE = Fraction(1, 90_000)
"""Fine enough for every frame rate in use; the clock of MPEG transport streams."""

_BT709 = 1
_LIMITED_RANGE = 1


class VideoWriter:
    """A video that is being written. Use `open`, best in a `with`; an error inside it leaves an unfinished file behind.

    Not safe to use from two threads at once.
    """

    def __init__(self, container: OutputContainer, stream: VideoStream, audio: AudioTrack | None) -> None:
        """Takes over an open container. Use `open`."""
        self._container = container
        self._stream = stream
        self._audio = audio
        self._last_pts = -1
        self._end_s = Fraction(0)

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        info: VideoInfo,
        encoding: VideoEncoding,
        *,
        audio_from: str | PathLike[str] | BinaryIO | None = None,
    ) -> VideoWriter:
        """Starts a video.

        Args:
            path: Where to write; `.mp4` (playable while it downloads) or `.webm` for AV1 and VP9.
            info: Of the source: the frames written must have its size; its rate guides the encoder. Odd sizes grow by
                one pixel, since the pixel format has one colour for two by two pixels.
            encoding: The codec and its settings.
            audio_from: File whose first sound track is copied, its times kept relative to the first video frame.
                Encoded anew only where the container cannot hold it.
        """
        is_mp4 = fspath(path).lower().endswith((".mp4", ".m4v", ".mov"))
        container = av.open(path, mode="w", options={"movflags": "+faststart"} if is_mp4 else {})
        try:
            stream = _add_video_stream(container, info, encoding)
            audio = None if audio_from is None else AudioTrack.open(audio_from, container, is_mp4=is_mp4)
            return cls(container, stream, audio)
        except BaseException:
            container.close()
            raise

    def write(
        self, picture: NDArray[np.uint8], offset: Fraction, *, pixel_format: Literal["rgb24", "bgr24"] = "rgb24"
    ) -> None:
        """Adds one frame.

        Args:
            picture: (H, W, 3) of the size given to `open`.
            offset: When it is shown, in seconds; later than the frame before.
            pixel_format: Order of the colours in `picture`.
        """
        even = picture
        if picture.shape[0] % 2 or picture.shape[1] % 2:  # padding copies, also where there is nothing to pad
            even = np.pad(picture, ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0)), mode="edge")
        if even.shape[:2] != (self._stream.height, self._stream.width):
            raise ValueError(
                f"the video has frames of {self._stream.width}x{self._stream.height} pixels,"
                f" but this is {picture.shape[1]}x{picture.shape[0]}"
            )
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(even), format=pixel_format).reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709
        )
        frame.pts = max(round(offset / _TIME_BASE), self._last_pts + 1)
        frame.time_base = _TIME_BASE
        self._last_pts = frame.pts
        self._end_s = offset + 1 / Fraction(self._stream.codec_context.framerate)
        if self._audio is not None:
            self._audio.write_until(self._end_s)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Writes what the encoder still holds and finishes the file."""
        try:
            self._container.mux(self._stream.encode(None))
            if self._audio is not None:
                self._audio.write_until(self._end_s)
                self._audio.finish()
        finally:
            self._abandon()

    def _abandon(self) -> None:
        if self._audio is not None:
            self._audio.close()
        self._container.close()

    def __enter__(self) -> VideoWriter:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finishes the file, or after an error only frees it."""
        if error is None:
            self.close()
        else:
            self._abandon()


def _add_video_stream(container: OutputContainer, info: VideoInfo, encoding: VideoEncoding) -> VideoStream:
    stream = container.add_stream(encoding.codec.value, rate=info.average_rate_hz, options=encoding.codec_options())
    if not isinstance(stream, VideoStream):
        raise TypeError(f"{encoding.codec} is not a video codec")
    stream.width = info.width_px + info.width_px % 2
    stream.height = info.height_px + info.height_px % 2
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = _TIME_BASE
    stream.codec_context.framerate = info.average_rate_hz
    stream.codec_context.colorspace = _BT709
    stream.codec_context.color_primaries = _BT709
    stream.codec_context.color_trc = _BT709
    stream.codec_context.color_range = _LIMITED_RANGE
    stream.time_base = _TIME_BASE
    return stream
