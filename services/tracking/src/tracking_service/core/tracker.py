"""SORT and ByteTrack: one object per stream, all tracks as rows of arrays.

Nothing is shared between two trackers: ids count from 1 in each. The same detections give the same ids, on every
    machine and after a restart.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tracking_service.core.association import match_by_gain, match_by_overlap
from tracking_service.core.config import ByteTrackConfig, KalmanConfig, RelinkConfig, SortConfig, TrackerConfig
from tracking_service.core.errors import InvalidDetectionsError, InvalidSnapshotError, UnsortedFramesError
from tracking_service.core.kalman import (
    VALUE,
    VELOCITY,
    center_boxes,
    corner_boxes,
    correct_filters,
    predict_filters,
    start_filters,
)
from tracking_service.core.types import FloatArray, IntArray, TrackedDetections, TrackerSnapshot

SNAPSHOT_VERSION = 1
# Columns of the lives [N, 5]: id; 0 tentative, 1 confirmed; matches so far; last frame matched; first frame.
ID, IS_CONFIRMED, HIT_COUNT, LAST_FRAME, FIRST_FRAME = range(5)
# Two tracks that overlap more than this are one person; ByteTrack removes the younger.
DUPLICATE_IOU = 0.85


class Tracker(Protocol):
    """Gives detections their identities, frame by frame, for one stream."""

    def update(self, boxes_xyxy_px: FloatArray, scores: FloatArray, frame_index: int) -> TrackedDetections:
        """Takes the detections of one frame and returns the identities seen in it.

        Args:
            boxes_xyxy_px: Boxes (left, top, right, bottom) in pixels. [N, 4]
            scores: Scores in [0, 1]. [N]
            frame_index: Index of the frame; must grow, may skip frames.

        Returns:
            The tracks that have a detection in this frame and are confirmed.

        Raises:
            InvalidDetectionsError: A number is not finite, a box has no size, or the shapes do not fit.
            UnsortedFramesError: The frame is not after the last one.
        """
        ...

    def snapshot(self) -> TrackerSnapshot:
        """Copies the whole state into plain arrays."""
        ...

    def restore(self, snapshot: TrackerSnapshot) -> None:
        """Goes on from a saved state.

        Args:
            snapshot: What `snapshot` of a tracker of the same kind returned.

        Raises:
            InvalidSnapshotError: It is of another kind or layout, or its arrays do not fit together.
        """
        ...


def create_tracker(config: TrackerConfig) -> Tracker:
    """Creates the tracker that a configuration describes, with no tracks yet."""
    return SortTracker(config) if isinstance(config, SortConfig) else ByteTracker(config)


class _TrackTable:
    """The tracks of one stream as rows; what all algorithms need of them."""

    kind = ""

    def __init__(self, kalman: KalmanConfig, lost_buffer_frames: int) -> None:
        """Starts without tracks."""
        self._kalman = kalman
        self._lost_buffer_frames = lost_buffer_frames
        self._frame_index = -1
        self._next_id = 1
        self._filters: FloatArray = np.zeros((0, 5, 4))
        self._lives: IntArray = np.zeros((0, 5), dtype=np.int64)
        self._last_boxes: FloatArray = np.zeros((0, 4))

    def snapshot(self) -> TrackerSnapshot:
        """Copies the whole state into plain arrays."""
        return TrackerSnapshot(
            kind=self.kind,
            version=SNAPSHOT_VERSION,
            frame_index=self._frame_index,
            next_id=self._next_id,
            filters=self._filters.copy(),
            lives=self._lives.copy(),
            last_boxes_px=self._last_boxes.copy(),
        )

    def restore(self, snapshot: TrackerSnapshot) -> None:
        """Goes on from a saved state; see `Tracker.restore`."""
        count = len(snapshot.lives)
        shapes = (snapshot.filters.shape, snapshot.lives.shape, snapshot.last_boxes_px.shape)
        if snapshot.kind != self.kind or snapshot.version != SNAPSHOT_VERSION:
            raise InvalidSnapshotError(
                f"the state is of {snapshot.kind} version {snapshot.version}, "
                f"this tracker is {self.kind} version {SNAPSHOT_VERSION}",
                metadata={"kind": snapshot.kind, "version": str(snapshot.version)},
            )
        if shapes != ((count, 5, 4), (count, 5), (count, 4)):
            raise InvalidSnapshotError(f"the arrays do not fit together: {shapes}", metadata={"shapes": str(shapes)})
        self._frame_index, self._next_id = snapshot.frame_index, snapshot.next_id
        self._filters = snapshot.filters.astype(np.float64)
        self._lives = snapshot.lives.astype(np.int64)
        self._last_boxes = snapshot.last_boxes_px.astype(np.float64)

    def _advance(self, frame_index: int) -> None:
        """Predicts all tracks to the frame, and forgets those that are lost for too long."""
        step_count = frame_index - self._frame_index if self._frame_index >= 0 else 1
        self._frame_index = frame_index
        self._keep(frame_index - self._lives[:, LAST_FRAME] <= self._lost_buffer_frames + 1)
        if len(self._lives):
            # Beyond the buffer every track is gone, so a long pause costs no more than the buffer.
            for _ in range(min(step_count, self._lost_buffer_frames + 1)):
                predict_filters(self._filters, self._kalman)

    def _keep(self, mask: np.ndarray) -> None:
        if not mask.all():
            self._filters, self._lives, self._last_boxes = (
                self._filters[mask],
                self._lives[mask],
                self._last_boxes[mask],
            )

    def _match(self, rows: IntArray, boxes_xyxy: FloatArray, noise_factors: FloatArray | None = None) -> None:
        """Gives some tracks the boxes of this frame."""
        if len(rows):
            correct_filters(self._filters, rows, center_boxes(boxes_xyxy), self._kalman, noise_factors)
            self._last_boxes[rows] = boxes_xyxy
            self._lives[rows, HIT_COUNT] += 1
            self._lives[rows, LAST_FRAME] = self._frame_index

    def _revive(self, rows: IntArray, boxes_xyxy: FloatArray) -> None:
        """Restarts the motion of tracks that were found elsewhere than predicted, and keeps who they are."""
        if len(rows):
            self._filters[rows] = start_filters(center_boxes(boxes_xyxy), self._kalman)
            self._last_boxes[rows] = boxes_xyxy
            self._lives[rows, HIT_COUNT] += 1
            self._lives[rows, LAST_FRAME] = self._frame_index

    def _start(self, boxes_xyxy: FloatArray, *, is_confirmed: bool) -> IntArray:
        """Starts a track at each box and returns the new rows."""
        count, old_count = len(boxes_xyxy), len(self._lives)
        if not count:
            return np.zeros(0, dtype=np.int64)
        lives = np.empty((count, 5), dtype=np.int64)
        lives[:, ID] = np.arange(self._next_id, self._next_id + count)
        lives[:, IS_CONFIRMED] = is_confirmed
        lives[:, HIT_COUNT] = 1
        lives[:, LAST_FRAME] = lives[:, FIRST_FRAME] = self._frame_index
        self._next_id += count
        self._filters = np.concatenate([self._filters, start_filters(center_boxes(boxes_xyxy), self._kalman)])
        self._lives = np.concatenate([self._lives, lives])
        self._last_boxes = np.concatenate([self._last_boxes, boxes_xyxy])
        return np.arange(old_count, old_count + count)

    def _report(self, rows: IntArray, detection_index: IntArray, scores: FloatArray) -> TrackedDetections:
        """Describes matched tracks, confirmed ones only, in order of id."""
        is_confirmed = self._lives[rows, IS_CONFIRMED] == 1
        rows, detection_index = rows[is_confirmed], detection_index[is_confirmed]
        ids = self._lives[rows, ID]
        order = np.argsort(ids)
        rows, detection_index = rows[order], detection_index[order]
        return TrackedDetections(
            frame_index=self._frame_index,
            ids=ids[order],
            detection_index=detection_index,
            boxes_xyxy_px=corner_boxes(self._filters[rows, VALUE]),
            scores=scores[detection_index],
        )


class SortTracker(_TrackTable):
    """SORT (Bewley et al. 2016): predict, match by overlap, correct."""

    kind = "sort"

    def __init__(self, config: SortConfig) -> None:
        """Starts without tracks."""
        super().__init__(config.kalman, config.lost_buffer_frames)
        self._config = config

    def update(self, boxes_xyxy_px: FloatArray, scores: FloatArray, frame_index: int) -> TrackedDetections:
        """Takes the detections of one frame; see `Tracker.update`."""
        boxes, scores = _check_detections(boxes_xyxy_px, scores, frame_index, self._frame_index)
        config = self._config
        self._advance(frame_index)
        kept = np.flatnonzero(scores >= config.min_score)
        predicted = corner_boxes(self._filters[:, VALUE])
        rows, columns = match_by_overlap(predicted, boxes[kept], weights=None, max_cost=1.0 - config.min_iou)
        found = kept[columns]
        self._match(rows, boxes[found], _noise_factors(scores[found], config.new_track_score, config.unsure_noise))
        fresh = np.delete(kept, columns)
        fresh = fresh[scores[fresh] >= config.new_track_score]
        # A tentative track that misses a frame was noise.
        self._lives[self._lives[:, HIT_COUNT] >= config.confirm_hits, IS_CONFIRMED] = 1
        is_alive = (self._lives[:, IS_CONFIRMED] == 1) | (self._lives[:, LAST_FRAME] == frame_index)
        places = np.cumsum(is_alive) - 1
        self._keep(is_alive)
        new_rows = self._start(boxes[fresh], is_confirmed=config.confirm_hits <= 1)
        return self._report(np.concatenate([places[rows], new_rows]), np.concatenate([found, fresh]), scores)


class ByteTracker(_TrackTable):
    """ByteTrack (Zhang et al. 2022), with the option to find again who was lost for long."""

    kind = "bytetrack"

    def __init__(self, config: ByteTrackConfig) -> None:
        """Starts without tracks."""
        super().__init__(config.kalman, config.lost_buffer_frames)
        self._config = config

    def update(self, boxes_xyxy_px: FloatArray, scores: FloatArray, frame_index: int) -> TrackedDetections:
        """Takes the detections of one frame; see `Tracker.update`."""
        boxes, scores = _check_detections(boxes_xyxy_px, scores, frame_index, self._frame_index)
        config, is_first_frame = self._config, self._frame_index < 0
        previous_frame = self._frame_index
        # Somebody who is hidden does not change size.
        self._filters[self._lives[:, LAST_FRAME] < previous_frame, VELOCITY, 2:] = 0.0
        self._advance(frame_index)
        predicted = corner_boxes(self._filters[:, VALUE])
        is_confirmed = self._lives[:, IS_CONFIRMED] == 1
        lost_frames = frame_index - self._lives[:, LAST_FRAME]
        sure = np.flatnonzero(scores >= config.high_score)
        unsure = np.flatnonzero((scores >= config.low_score) & (scores < config.high_score))

        def match(
            tracks: IntArray, detections: IntArray, max_cost: float, *, is_weighted: bool
        ) -> tuple[IntArray, IntArray]:
            """Matches some tracks with some detections, and returns the rows of both that are left."""
            i_track, i_detection = match_by_overlap(
                predicted[tracks],
                boxes[detections],
                weights=scores[detections] if is_weighted else None,
                max_cost=max_cost,
            )
            found = detections[i_detection]
            noise = None if is_weighted else _noise_factors(scores[found], config.high_score, config.unsure_noise)
            self._match(tracks[i_track], boxes[found], noise)
            found_rows.append(tracks[i_track])
            found_detections.append(found)
            return np.delete(tracks, i_track), np.delete(detections, i_detection)

        found_rows: list[IntArray] = []
        found_detections: list[IntArray] = []
        coasting = np.flatnonzero(is_confirmed & (lost_frames <= config.coast_frames + 1))
        left, sure = match(coasting, sure, config.max_high_cost, is_weighted=True)
        left = left[self._lives[left, LAST_FRAME] >= previous_frame - config.unsure_coast_frames]
        _, unsure = match(left, unsure, config.max_low_cost, is_weighted=False)
        _, sure = match(np.flatnonzero(~is_confirmed), sure, config.max_tentative_cost, is_weighted=True)
        if config.relink is not None and len(sure):
            rows, columns = self._find_again(boxes[sure], config.relink)
            self._revive(rows, boxes[sure[columns]])
            found_rows.append(rows)
            found_detections.append(sure[columns])
            sure = np.delete(sure, columns)

        rows = np.concatenate(found_rows)
        self._lives[rows, IS_CONFIRMED] = 1
        is_alive = (self._lives[:, IS_CONFIRMED] == 1) & ~self._find_duplicates()
        is_alive[rows] = True
        places = np.cumsum(is_alive) - 1
        self._keep(is_alive)
        fresh = sure[scores[sure] >= config.new_track_score]
        new_rows = self._start(boxes[fresh], is_confirmed=is_first_frame)
        return self._report(
            np.concatenate([places[rows], new_rows]), np.concatenate([*found_detections, fresh]), scores
        )

    def _find_again(self, boxes: FloatArray, relink: RelinkConfig) -> tuple[IntArray, IntArray]:
        """Pairs confirmed tracks that are lost with boxes that are within their reach and of their size."""
        lost = np.flatnonzero((self._lives[:, IS_CONFIRMED] == 1) & (self._lives[:, LAST_FRAME] < self._frame_index))
        if not len(lost):
            return lost, lost
        before, now = center_boxes(self._last_boxes[lost]), center_boxes(boxes)
        lost_s = (self._frame_index - self._lives[lost, LAST_FRAME]) / relink.frame_rate_hz
        # The longer side stands for the body's height: it stays when the body lies down.
        reach = before[:, 2:].max(axis=1) * (relink.base_reach_heights + relink.reach_heights_per_s * lost_s)
        distance = np.linalg.norm(before[:, None, :2] - now[:, :2], axis=-1)
        ratio = np.abs(np.log(np.linalg.norm(before[:, None, 2:], axis=-1) / np.linalg.norm(now[:, 2:], axis=-1)))
        closeness = 1.0 - distance / reach[:, None]
        likeness = 1.0 - ratio / max(np.log(relink.max_size_ratio), 1e-9)
        is_possible = (closeness > 0.0) & (likeness >= 0.0)
        i_track, i_box = match_by_gain(np.where(is_possible, 1.0 + closeness + likeness, 0.0), min_similarity=0.0)
        return lost[i_track], i_box

    def _find_duplicates(self) -> np.ndarray:
        """Marks lost tracks whose box lies on a track that is seen: it is the same person, found under a new id."""
        is_duplicate = np.zeros(len(self._lives), dtype=np.bool_)
        is_seen = self._lives[:, LAST_FRAME] == self._frame_index
        lost_frames = self._frame_index - self._lives[:, LAST_FRAME]
        lost = np.flatnonzero(~is_seen & (lost_frames <= self._config.coast_frames + 1))
        seen = np.flatnonzero(is_seen)
        if len(lost) and len(seen):
            corners = corner_boxes(self._filters[:, VALUE])
            i_lost, i_seen = match_by_overlap(corners[lost], corners[seen], weights=None, max_cost=1.0 - DUPLICATE_IOU)
            is_younger = self._lives[lost[i_lost], FIRST_FRAME] > self._lives[seen[i_seen], FIRST_FRAME]
            is_duplicate[lost[i_lost[is_younger]]] = True
        return is_duplicate


def _noise_factors(scores: FloatArray, sure_score: float, unsure_noise: float) -> FloatArray:
    """Returns factors on measurement noise: a sure box is taken as it is, the less sure one is the more it may be off."""
    return 1.0 + unsure_noise * np.maximum(1.0 - scores / max(sure_score, 1e-9), 0.0)


def _check_detections(
    boxes_xyxy_px: FloatArray, scores: FloatArray, frame_index: int, last_frame_index: int
) -> tuple[FloatArray, FloatArray]:
    boxes = np.asarray(boxes_xyxy_px, dtype=np.float64).reshape(-1, 4)
    scores = np.asarray(scores, dtype=np.float64).reshape(-1)
    place = {"frame_index": str(frame_index)}
    if frame_index < 0 or frame_index <= last_frame_index:
        raise UnsortedFramesError(
            f"frame {frame_index} came after frame {last_frame_index}; frames must be at least 0 and grow",
            metadata={**place, "last_frame_index": str(last_frame_index)},
        )
    if len(boxes) != len(scores):
        raise InvalidDetectionsError(
            f"frame {frame_index} has {len(boxes)} boxes and {len(scores)} scores", metadata=place
        )
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise InvalidDetectionsError(
            f"frame {frame_index} has a box or score that is not a finite number", metadata=place
        )
    if len(boxes) and not (boxes[:, 2:] > boxes[:, :2]).all():
        raise InvalidDetectionsError(f"frame {frame_index} has a box without width or height", metadata=place)
    return boxes, scores
