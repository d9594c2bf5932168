"""What an analysis hands over: curves as files that other tools open, a report, and the records that a renderer draws from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf import json_format

from biomechanics_service.adapters.motion_records import encode_motion
from biomechanics_service.core.opensim_files import write_angles_mot, write_estimates_json, write_markers_trc
from biomechanics_service.core.recording import Recording
from biomechanics_service.core.report import write_report_html
from biomechanics_service.core.tables import write_angles_csv, write_motion_json
from biomechanics_service.core.tracks import write_tracks
from biomechanics_service.core.types import MotionAnalysis
from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope.vision.v1 import observation_pb2

SUMMARY_PATH = "summary.json"
RECORDS_PATH = "motion.pb.zst"
OBSERVATIONS_PATH = "observations.pb.zst"
_ZSTD = "application/zstd"
_PIECE_CHARACTERS = 1 << 18


@dataclass(frozen=True, kw_only=True)
class MotionSource:
    """What was measured.

    Attributes:
        video: The video's version.
        path: Its file in that version.
        info: What is known of it.
    """

    video: str
    path: str
    info: observation_pb2.VideoInfo


def render_files(
    analysis: MotionAnalysis, recording: Recording, summary: motion_pb2.Motion, source: MotionSource
) -> Iterator[tuple[str, str, Iterator[bytes]]]:
    """Yields path, media type and bytes of every file; a file is made while its bytes are taken, a piece at a time."""
    for path, content_type, texts in _text_files(analysis, recording, summary, source):
        yield path, content_type, _in_pieces(texts)
    records = encode_motion(
        analysis, recording.offsets_s, video=source.video, video_path=source.path, video_info=source.info
    )
    yield RECORDS_PATH, _ZSTD, records


def _text_files(
    analysis: MotionAnalysis, recording: Recording, summary: motion_pb2.Motion, source: MotionSource
) -> Iterator[tuple[str, str, Iterable[str]]]:
    yield "angles.csv", "text/csv", write_angles_csv(analysis)
    yield "angles_raw.csv", "text/csv", write_angles_csv(analysis, is_filtered=False)
    yield "motion.json", "application/json", write_motion_json(analysis)
    yield "tracks.txt", "text/plain", write_tracks(recording.boxes())
    yield (
        "report.html",
        "text/html; charset=utf-8",
        write_report_html(analysis, title=f"Motion in {source.path}", source=source.path),
    )
    for person in analysis.persons:
        stem = f"person-{person.person_id}"
        yield f"{stem}.trc", "text/plain", write_markers_trc(person, title=f"{stem}.trc")
        yield f"{stem}.mot", "text/plain", write_angles_mot(person, title=stem)
        yield f"{stem}.estimates.json", "application/json", [write_estimates_json(person)]
    yield (
        SUMMARY_PATH,
        "application/json",
        [json_format.MessageToJson(summary, preserving_proto_field_name=True)],
    )


def _in_pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """Joins lines until they are worth a turn of the event loop."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= _PIECE_CHARACTERS:
            yield "".join(waiting).encode()
            waiting.clear()
            size = 0
    if waiting:
        yield "".join(waiting).encode()
