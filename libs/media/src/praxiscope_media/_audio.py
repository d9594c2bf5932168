"""The sound track of a file that is written: copied packet by packet where it fits, else encoded anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from os import PathLike
from typing import BinaryIO

import av
import av.error
from av import AudioFrame, AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

_MP4_CODECS = frozenset({"aac", "mp3", "opus", "ac3", "eac3", "flac", "alac"})
_WEBM_CODECS = frozenset({"opus", "vorbis"})
_OPUS_RATE_HZ = 48_000
_AAC_RATES_HZ = frozenset(
    {96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350}
)
"""What the encoder takes; anything else is resampled."""
_AAC_FALLBACK_RATE_HZ = 48_000
_MAX_RATE_HZ, _MAX_CHANNELS = 768_000, 64
"""A header that says more is not believed, and neither is one that says nothing."""


class AudioTrack:
    """Moves the sound of one file into another, in step with the pictures."""

    def __init__(
        self, source: InputContainer, source_stream: AudioStream, output: OutputContainer, output_stream: AudioStream
    ) -> None:
        """Takes over an open source. Use `open`."""
        self._source = source
        self._source_stream = source_stream
        self._output = output
        self._output_stream = output_stream
        self._start_s = _video_start_s(source)
        self._last_dts: int | None = None
        self._packets = self._read_packets()
        self._next: Packet[AudioStream] | None = next(self._packets, None)

    @classmethod
    def open(cls, file: str | PathLike[str] | BinaryIO, output: OutputContainer, *, is_mp4: bool) -> AudioTrack | None:
        """Adds a sound track to `output` before anything was written to it; None when `file` has no sound that can be."""
        if not isinstance(file, str | PathLike):
            file.seek(0)
        source = av.open(file, mode="r", metadata_errors="replace")
        stream = source.streams.audio[0] if source.streams.audio else None
        if stream is None or not _is_believable(stream):
            source.close()
            return None
        codec = stream.codec_context.name
        if codec in (_MP4_CODECS if is_mp4 else _WEBM_CODECS):
            return cls(source, stream, output, output.add_stream_from_template(stream))
        return _EncodedAudioTrack(source, stream, output, is_mp4=is_mp4)

    def write_until(self, end_s: Fraction) -> None:
        """Writes the sound that begins before `end_s`, in seconds after the first picture."""
        while self._next is not None and self._offset_s(self._next) < end_s:
            if self._offset_s(self._next) >= 0:
                self._write(self._next)
            self._next = next(self._packets, None)

    def finish(self) -> None:
        """Writes what is held back."""

    def close(self) -> None:
        """Closes the source."""
        self._source.close()

    def _offset_s(self, packet: Packet[AudioStream]) -> Fraction:
        if packet.pts is None or packet.time_base is None:
            return Fraction(0)
        return packet.pts * Fraction(packet.time_base) - self._start_s

    def _read_packets(self) -> Iterator[Packet[AudioStream]]:
        """The sound's packets up to the end, or to where the file breaks off."""
        packets = self._source.demux(self._source_stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.FFmpegError):
                return
            if packet.size > 0 and packet.pts is not None:
                yield packet

    def _write(self, packet: Packet[AudioStream]) -> None:
        shift = round(self._start_s / Fraction(packet.time_base))
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
        packet.stream = self._output_stream
        self._mux(packet)

    def _mux(self, packet: Packet[AudioStream]) -> None:
        """Writes a packet, unless it goes back in time: a damaged file does, and no container holds it."""
        if packet.dts is not None and (self._last_dts is None or packet.dts > self._last_dts):
            self._last_dts = packet.dts
            self._output.mux(packet)


class _EncodedAudioTrack(AudioTrack):
    """Decodes and encodes anew: AAC in MP4, Opus in WebM."""

    def __init__(
        self, source: InputContainer, source_stream: AudioStream, output: OutputContainer, *, is_mp4: bool
    ) -> None:
        source_rate_hz = source_stream.codec_context.sample_rate
        aac_rate_hz = source_rate_hz if source_rate_hz in _AAC_RATES_HZ else _AAC_FALLBACK_RATE_HZ
        rate_hz = aac_rate_hz if is_mp4 else _OPUS_RATE_HZ
        stream = output.add_stream("aac" if is_mp4 else "libopus", rate=rate_hz)
        if not isinstance(stream, AudioStream):
            raise TypeError("the sound's encoder is missing from this build of FFmpeg")
        stream.codec_context.layout = "mono" if source_stream.codec_context.channels == 1 else "stereo"
        self._resampler = AudioResampler(
            format=stream.codec_context.format, layout=stream.codec_context.layout, rate=rate_hz
        )
        self._is_started = False
        super().__init__(source, source_stream, output, stream)

    def _write(self, packet: Packet[AudioStream]) -> None:
        try:
            decoded = packet.decode()
        except av.error.FFmpegError:
            return  # a damaged piece of sound is silence, not a reason to lose the picture
        for frame in decoded:
            if isinstance(frame, AudioFrame):
                self._encode(frame)

    def _encode(self, frame: AudioFrame) -> None:
        if frame.pts is not None and frame.time_base is not None:
            frame.pts = max(0, frame.pts - round(self._start_s / Fraction(frame.time_base)))
        for resampled in self._resampler.resample(frame):
            self._mux_all(self._output_stream.encode(resampled))

    def finish(self) -> None:
        """Writes what resampler and encoder still hold."""
        for resampled in self._resampler.resample(None):
            self._mux_all(self._output_stream.encode(resampled))
        self._mux_all(self._output_stream.encode(None))

    def _mux_all(self, packets: Iterable[Packet[AudioStream]]) -> None:
        for packet in packets:
            self._mux(packet)


def _is_believable(stream: AudioStream) -> bool:
    context = stream.codec_context
    if context is None:  # the header names no codec that FFmpeg knows
        return False
    return 0 < context.sample_rate <= _MAX_RATE_HZ and 0 < context.channels <= _MAX_CHANNELS


def _video_start_s(source: InputContainer) -> Fraction:
    """Time of the first picture, to which the sound's times are made relative."""
    for stream in source.streams.video[:1]:
        if stream.start_time is not None and stream.time_base is not None:
            return stream.start_time * Fraction(stream.time_base)
    return Fraction(0)
