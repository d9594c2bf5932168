"""A long recording must not be held many times over: as series, as numbers of Python's, as one document."""

from __future__ import annotations

import tracemalloc

import numpy as np

from biomechanics_service.adapters.motion_outputs import MotionSource, render_files
from biomechanics_service.core.analysis import analyze_motion
from biomechanics_service.core.association import ObservedPersons
from biomechanics_service.core.config import MotionConfig
from biomechanics_service.core.recording import Recording, RecordingInfo
from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope.vision.v1 import observation_pb2
from tests.unit.biomechanics.test_motion import build_walker

RATE_HZ = 30.0
INFO = RecordingInfo(
    width_px=1920,
    height_px=1080,
    frame_rate_hz=RATE_HZ,
    frame_count_estimate=0,
    duration_s=0.0,
    rotation_deg=0,
    codec="av1",
    has_audio=False,
)


def record(frame_count: int) -> Recording:
    """Somebody who walks to and fro, as observed frame by frame."""
    walker = build_walker(60)
    recording = Recording()
    for frame_index in range(frame_count):
        row = frame_index % 118
        row = row if row < 60 else 118 - row
        landmarks = np.concatenate(
            [walker.blazepose_px[row], np.zeros((33, 1)), walker.blazepose_visibility[row][:, None], np.ones((33, 1))],
            axis=1,
        )
        observed = ObservedPersons(
            frame_index=frame_index,
            person_ids=np.array([1]),
            boxes_xyxy_px=walker.boxes_xyxy_px[row][None],
            coco_px=np.concatenate([walker.coco_px[row], walker.coco_scores[row][:, None]], axis=1)[None],
            blazepose_px=landmarks[None],
            blazepose_presence=walker.blazepose_presence[row][None],
            blazepose_world_m=walker.blazepose_world_m[row][None],
        )
        recording.append(observed, frame_index / RATE_HZ, may_be_incomplete=False)
    return recording


def peak_bytes(frame_count: int) -> int:
    """What recording, analysis and files hold at most."""
    tracemalloc.start()
    try:
        recording = record(frame_count)
        analysis = analyze_motion(recording.take_persons(INFO), MotionConfig())
        source = MotionSource(video="v", path="p", info=observation_pb2.VideoInfo())
        for _, _, pieces in render_files(analysis, recording, motion_pb2.Motion(), source):
            assert sum(len(piece) for piece in pieces) > 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_frame_more_of_a_person_takes_a_few_kibibytes_from_observations_to_files() -> None:
    peak_bytes(60)  # what is loaded and designed once is not counted
    short, long = (peak_bytes(frame_count) for frame_count in (200, 900))
    assert (long - short) / 700 < 6 * 1024, (
        "it was 11 KiB on the sample video where series and documents were held whole"
    )


def test_a_person_who_was_taken_leaves_boxes() -> None:
    recording = record(30)
    (person,) = recording.take_persons(INFO)
    boxes = list(recording.boxes())
    assert [(frame, person_id) for frame, person_id, _ in boxes] == [(frame, 1) for frame in range(30)]
    np.testing.assert_allclose([box for _, _, box in boxes], person.boxes_xyxy_px, rtol=1e-6)
