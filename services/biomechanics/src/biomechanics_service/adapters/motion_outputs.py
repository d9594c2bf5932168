"""What an analysis hands over: curves as files that other tools open, a report, and the records that a renderer draws from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
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


async def render_files(
    analysis: MotionAnalysis, recording: Recording, summary: motion_pb2.Motion, source: MotionSource
) -> AsyncIterator[tuple[str, str, bytes]]:
    """Yields path, media type and bytes of every file; made one at a time, off the event loop."""
    files = _files(analysis, recording, summary, source)
    while (file := await asyncio.to_thread(next, files, None)) is not None:
        yield file


def _files(
    analysis: MotionAnalysis, recording: Recording, summary: motion_pb2.Motion, source: MotionSource
) -> Iterator[tuple[str, str, bytes]]:
    yield "angles.csv", "text/csv", write_angles_csv(analysis).encode()
    yield "angles_raw.csv", "text/csv", write_angles_csv(analysis, is_filtered=False).encode()
    yield "motion.json", "application/json", write_motion_json(analysis).encode()
    yield "tracks.txt", "text/plain", "".join(write_tracks(recording.frames)).encode()
    report = write_report_html(analysis, title=f"Motion in {source.path}", source=source.path)
    yield "report.html", "text/html; charset=utf-8", report.encode()
    for person in analysis.persons:
        stem = f"person-{person.person_id}"
        yield f"{stem}.trc", "text/plain", write_markers_trc(person, title=f"{stem}.trc").encode()
        yield f"{stem}.mot", "text/plain", write_angles_mot(person, title=stem).encode()
        yield f"{stem}.estimates.json", "application/json", write_estimates_json(person).encode()
    yield (
        SUMMARY_PATH,
        "application/json",
        json_format.MessageToJson(summary, preserving_proto_field_name=True).encode(),
    )
    records = encode_motion(
        analysis, recording.offsets_s, video=source.video, video_path=source.path, video_info=source.info
    )
    yield RECORDS_PATH, _ZSTD, records
