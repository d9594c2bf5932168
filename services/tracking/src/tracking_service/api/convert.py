"""Between the contract's messages and the core's values; nowhere else."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from praxiscope.tracking.v1 import tracking_service_pb2
from tracking_service.core.config import (
    BYTETRACK_PRESET,
    PEOPLE_PRESET,
    SORT_PRESET,
    ByteTrackConfig,
    SortConfig,
    TrackerConfig,
)
from tracking_service.core.errors import InvalidDetectionsError, InvalidSnapshotError, InvalidTrackerConfigError
from tracking_service.core.kalman import VALUE, VALUE_VARIANCE, VELOCITY_VARIANCE
from tracking_service.core.types import FloatArray, TrackedDetections, TrackerSnapshot

_Message = tracking_service_pb2.TrackerConfig
_HEADER = struct.Struct("<16sIqqI")
_FILTER_SHAPE = (5, 4)
_LIFE_COLUMNS, _BOX_COLUMNS = 5, 4
_MAX_NUMBER = (1 << 31) - (1 << 20)  # ids and frames are 32-bit on the wire; a frame starts at most 10,000 tracks
_MAX_MAGNITUDE = 1e12  # pixels, or their squares; beyond it arithmetic would overflow
_ROUNDING = 1e-3  # a variance may be this much below zero, in squared pixels


def config_from(message: tracking_service_pb2.TrackerConfig, *, frame_rate_hz: float = 0.0) -> TrackerConfig:
    """Returns how to track: the preset, with what was asked for in its place.

    Raises:
        InvalidTrackerConfigError: If the tracker has no such preset, or a value is out of its range.
    """
    if message.tracker == _Message.TRACKER_SORT:
        if message.preset == _Message.PRESET_PEOPLE:
            raise InvalidTrackerConfigError(
                "SORT has no preset for people; ByteTrack has.", metadata={"tracker": "sort"}
            )
        sort: SortConfig = SORT_PRESET
        if message.high_score:
            high_score = round(message.high_score, 6)  # the wire has 32-bit floats
            sort = replace(sort, min_score=high_score, new_track_score=high_score)
        return replace(sort, lost_buffer_frames=message.lost_buffer_frames) if message.lost_buffer_frames else sort
    config: ByteTrackConfig = PEOPLE_PRESET if message.preset == _Message.PRESET_PEOPLE else BYTETRACK_PRESET
    if message.high_score:
        high_score = round(message.high_score, 6)
        config = replace(
            config,
            high_score=high_score,
            low_score=min(config.low_score, high_score),
            new_track_score=min(1.0, high_score + config.new_track_score - config.high_score),
        )
    if message.lost_buffer_frames:
        config = replace(
            config,
            lost_buffer_frames=message.lost_buffer_frames,
            coast_frames=min(config.coast_frames, message.lost_buffer_frames),
        )
    if frame_rate_hz and config.relink is not None:
        config = replace(config, relink=replace(config.relink, frame_rate_hz=frame_rate_hz))
    return config


def boxes_from(frame: tracking_service_pb2.TrackRequest.Frame) -> tuple[FloatArray, FloatArray]:
    """Returns a frame's boxes [N, 4] and scores [N].

    Raises:
        InvalidDetectionsError: If their numbers do not fit.
    """
    if len(frame.boxes_px) != 4 * len(frame.scores):
        raise InvalidDetectionsError(
            f"{len(frame.boxes_px)} box numbers do not fit {len(frame.scores)} scores; each box has four.",
            metadata={"number_count": str(len(frame.boxes_px)), "score_count": str(len(frame.scores))},
        )
    boxes = np.array(frame.boxes_px, np.float64).reshape(-1, 4)
    return boxes, np.array(frame.scores, np.float64)


def tracks_message(tracked: TrackedDetections) -> tracking_service_pb2.TrackResponse:
    """Returns the tracks of one frame."""
    return tracking_service_pb2.TrackResponse(
        frame_index=tracked.frame_index,
        track_ids=tracked.ids.tolist(),
        detection_indices=tracked.detection_index.tolist(),
    )


def state_from(snapshot: TrackerSnapshot) -> bytes:
    """Returns a tracker's state as bytes that the caller keeps for us."""
    count = len(snapshot.lives)
    header = _HEADER.pack(snapshot.kind.encode()[:16], snapshot.version, snapshot.frame_index, snapshot.next_id, count)
    arrays = (
        snapshot.filters.astype("<f8"),
        snapshot.lives.astype("<i8"),
        snapshot.last_boxes_px.astype("<f8"),
    )
    return header + b"".join(array.tobytes() for array in arrays)


def snapshot_from(state: bytes) -> TrackerSnapshot:
    """Returns the state that `state_from` wrote.

    Raises:
        InvalidSnapshotError: If it did not write these bytes.
    """
    try:
        kind, version, frame_index, next_id, count = _HEADER.unpack_from(state)
        numbers = (int(np.prod(_FILTER_SHAPE)), _LIFE_COLUMNS, _BOX_COLUMNS)
        if len(state) != _HEADER.size + 8 * count * sum(numbers):
            raise ValueError("the length does not fit")
        position = _HEADER.size
        parts: list[bytes] = []
        for number in numbers:
            parts.append(state[position : position + 8 * count * number])
            position += 8 * count * number
        snapshot = TrackerSnapshot(
            kind=kind.rstrip(b"\0").decode("ascii"),
            version=version,
            frame_index=frame_index,
            next_id=next_id,
            filters=np.frombuffer(parts[0], "<f8").reshape(count, *_FILTER_SHAPE).copy(),
            lives=np.frombuffer(parts[1], "<i8").reshape(count, _LIFE_COLUMNS).copy(),
            last_boxes_px=np.frombuffer(parts[2], "<f8").reshape(count, _BOX_COLUMNS).copy(),
        )
    except (struct.error, ValueError) as error:
        raise InvalidSnapshotError() from error
    if not _is_plausible(snapshot):
        raise InvalidSnapshotError()
    return snapshot


def _is_plausible(snapshot: TrackerSnapshot) -> bool:
    """Returns whether a tracker can have come to this state; anybody can make one by hand."""
    ids = snapshot.lives[:, 0]
    numbers = np.concatenate([snapshot.filters.ravel(), snapshot.last_boxes_px.ravel()])
    return bool(
        -1 <= snapshot.frame_index <= _MAX_NUMBER
        and 1 <= snapshot.next_id <= _MAX_NUMBER
        and ((snapshot.lives >= 0) & (snapshot.lives <= _MAX_NUMBER)).all()
        and (ids < snapshot.next_id).all()
        and len(np.unique(ids)) == len(ids)
        and (np.abs(numbers) < _MAX_MAGNITUDE).all()  # NaN is not smaller either
        and (snapshot.filters[:, VALUE, 2:] > 0).all()
        and (snapshot.filters[:, [VALUE_VARIANCE, VELOCITY_VARIANCE]] > -_ROUNDING).all()
    )
