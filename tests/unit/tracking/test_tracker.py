"""What every tracker must do, whatever its algorithm: one suite over all presets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from tracking_service.core import association
from tracking_service.core.config import (
    PEOPLE_PRESET,
    PRESETS,
    SORT_PRESET,
    ByteTrackConfig,
    KalmanConfig,
    SortConfig,
    TrackerConfig,
)
from tracking_service.core.errors import (
    InvalidDetectionsError,
    InvalidSnapshotError,
    InvalidTrackerConfigError,
    UnsortedFramesError,
)
from tracking_service.core.kalman import center_boxes, corner_boxes, correct_filters, predict_filters, start_filters
from tracking_service.core.tracker import create_tracker

every_preset = pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS.keys())
Frames = list[tuple[np.ndarray, np.ndarray]]


def walk(count: int = 6, frame_count: int = 40, *, seed: int = 0) -> Frames:
    """People who walk on parallel lines, well apart; row i is person i."""
    random = np.random.default_rng(seed)
    starts = np.stack([np.full(count, 100.0), 150.0 + 300.0 * np.arange(count)], axis=1)
    speeds = random.uniform(2.0, 6.0, (count, 1)) * [[1.0, 0.0]]
    frames: Frames = []
    for i_frame in range(frame_count):
        centers = starts + i_frame * speeds + random.normal(0, 0.5, starts.shape)
        half = np.full((count, 2), [40.0, 100.0])
        frames.append((np.hstack([centers - half, centers + half]), random.uniform(0.75, 1.0, count)))
    return frames


def run(config: TrackerConfig, frames: Frames) -> list[dict[int, int]]:
    """Tracks frames; returns, per frame, the id of each detection row that got one."""
    tracker = create_tracker(config)
    results = [tracker.update(boxes, scores, i_frame) for i_frame, (boxes, scores) in enumerate(frames)]
    return [dict(zip(r.detection_index.tolist(), r.ids.tolist(), strict=True)) for r in results]


@every_preset
def test_people_apart_keep_one_id_each(config: TrackerConfig) -> None:
    seen = run(config, walk())
    assert len(seen[-1]) == 6
    for frame in seen[5:]:
        assert frame == seen[-1]


@every_preset
def test_ids_do_not_depend_on_the_order_of_detections(config: TrackerConfig) -> None:
    frames = walk(seed=4)
    random = np.random.default_rng(9)
    orders = [random.permutation(6) for _ in frames]
    shuffled = [(boxes[order], scores[order]) for (boxes, scores), order in zip(frames, orders, strict=True)]
    groups = [
        {person: seen[int(np.flatnonzero(order == person)[0])] for person in range(6)}
        for seen, order in zip(run(config, shuffled)[5:], orders[5:], strict=True)
    ]
    assert all(group == groups[-1] for group in groups)
    assert len(set(groups[-1].values())) == 6


@every_preset
def test_two_streams_share_nothing_and_results_repeat(config: TrackerConfig) -> None:
    frames = walk(seed=2)
    first, second = create_tracker(config), create_tracker(config)
    for i_frame, (boxes, scores) in enumerate(frames):
        one = first.update(boxes, scores, i_frame)
        two = second.update(boxes, scores, i_frame)
        np.testing.assert_array_equal(one.ids, two.ids)
        np.testing.assert_array_equal(one.boxes_xyxy_px, two.boxes_xyxy_px)
    assert one.ids.min() == 1


@every_preset
@given(stop=st.integers(0, 39), drops=st.integers(0, 2**30))
@settings(max_examples=20, deadline=None)
def test_a_restored_tracker_goes_on_as_if_it_had_not_stopped(config: TrackerConfig, stop: int, drops: int) -> None:
    random = np.random.default_rng(drops)
    frames = [(b[keep], s[keep]) for b, s in walk(seed=5) for keep in [random.uniform(size=6) > 0.3]]
    tracker = create_tracker(config)
    for i_frame, (boxes, scores) in enumerate(frames):
        if i_frame == stop:
            saved = tracker.snapshot()
            tracker = create_tracker(config)
            tracker.restore(saved)
        result = tracker.update(boxes, scores, i_frame)
        assert len(set(result.ids.tolist())) == len(result.ids)
        assert len(set(result.detection_index.tolist())) == len(result.detection_index)
        expected = run(config, frames[: i_frame + 1])[-1] if i_frame == len(frames) - 1 else None
        if expected is not None:
            assert dict(zip(result.detection_index.tolist(), result.ids.tolist(), strict=True)) == expected


@every_preset
def test_no_detections_give_no_tracks_and_a_long_pause_is_survived(config: TrackerConfig) -> None:
    tracker = create_tracker(config)
    nothing = tracker.update(np.zeros((0, 4)), np.zeros(0), 0)
    assert nothing.ids.shape == (0,)
    assert nothing.boxes_xyxy_px.shape == (0, 4)
    boxes, scores = walk(frame_count=1)[0]
    tracker.update(boxes, scores, 1)
    tracker.update(boxes, scores, 10**9)
    assert len(tracker.snapshot().lives) == 6


@every_preset
def test_bad_detections_are_named(config: TrackerConfig) -> None:
    tracker = create_tracker(config)
    good = np.array([[0.0, 0.0, 10.0, 20.0]])
    for boxes, scores in (
        (np.array([[0.0, 0.0, np.nan, 20.0]]), np.ones(1)),
        (np.array([[0.0, 0.0, -5.0, 20.0]]), np.ones(1)),
        (good, np.array([np.inf])),
        (good, np.ones(2)),
    ):
        with pytest.raises(InvalidDetectionsError, match="frame 3"):
            tracker.update(boxes, scores, 3)
    tracker.update(good, np.ones(1), 3)
    with pytest.raises(UnsortedFramesError, match="frame 3 came after frame 3"):
        tracker.update(good, np.ones(1), 3)


def test_a_state_of_another_algorithm_is_refused() -> None:
    saved = create_tracker(SORT_PRESET).snapshot()
    with pytest.raises(InvalidSnapshotError, match="sort"):
        create_tracker(PEOPLE_PRESET).restore(saved)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SortConfig(min_iou=1.5),
        lambda: SortConfig(confirm_hits=0),
        lambda: SortConfig(min_score=0.8, new_track_score=0.5),
        lambda: KalmanConfig(position_noise=float("nan")),
        lambda: ByteTrackConfig(high_score=0.8, new_track_score=0.5),
    ],
)
def test_parameters_out_of_range_are_refused(make) -> None:
    with pytest.raises(InvalidTrackerConfigError, match="must be in"):
        make()


@pytest.mark.parametrize(("config", "first"), [(ByteTrackConfig(), 0), (SortConfig(min_score=0.2), 2)])
def test_unsure_detections_keep_a_track_but_start_none(config: TrackerConfig, first: int) -> None:
    frames = walk(count=2, frame_count=20)
    frames = [(b, np.array([0.9 if i < 8 else 0.2, 0.2])) for i, (b, _) in enumerate(frames)]
    seen = run(config, frames)[first:]
    assert [set(f) for f in seen] == [{0}] * (20 - first)
    assert len({f[0] for f in seen}) == 1


@pytest.mark.parametrize(("coast", "is_kept"), [(0, False), (2, True)])
def test_an_unsure_detection_finds_a_track_that_was_lost_a_moment_ago_only_where_that_is_allowed(
    coast: int, is_kept: bool
) -> None:
    frames = walk(count=1, frame_count=12)
    scores = {8: 0.0, 9: 0.0, 10: 0.2, 11: 0.2}
    frames = [(b, np.array([scores.get(i, 0.9)])) for i, (b, _) in enumerate(frames)]
    seen = run(ByteTrackConfig(unsure_coast_frames=coast), frames)
    assert seen[8] == seen[9] == {}
    assert (seen[10] == seen[11] == seen[7]) == is_kept


def test_an_unsure_box_moves_a_track_less_than_a_sure_one() -> None:
    def end_of(score: float, unsure_noise: float) -> float:
        tracker = create_tracker(ByteTrackConfig(unsure_noise=unsure_noise))
        for i_frame in range(10):
            tracker.update(np.array([[100.0, 100.0, 180.0, 300.0]]), np.array([0.9]), i_frame)
        return float(
            tracker.update(np.array([[110.0, 100.0, 190.0, 300.0]]), np.array([score]), 10).boxes_xyxy_px[0, 0]
        )

    assert 100.0 < end_of(0.2, 4.0) < end_of(0.2, 2.0) < end_of(0.2, 0.0) == end_of(0.9, 2.0) < 110.0


def test_a_person_lost_for_two_seconds_is_found_again_within_reach_and_not_beyond() -> None:
    def lose(jump_px: float) -> list[dict[int, int]]:
        frames = walk(count=1, frame_count=100)
        moved = [(b + np.array([jump_px, 0, jump_px, 0]), s) if i >= 80 else (b, s) for i, (b, s) in enumerate(frames)]
        return run(PEOPLE_PRESET, [(b[:0], s[:0]) if 20 <= i < 80 else (b, s) for i, (b, s) in enumerate(moved)])

    near, far = lose(500.0), lose(5000.0)
    assert near[90] == near[10]
    assert far[90] != far[10]
    assert run(ByteTrackConfig(), walk(count=1, frame_count=1)) == [{0: 1}]


def test_kalman_filters_agree_with_the_textbook_matrices() -> None:
    random = np.random.default_rng(0)
    config = KalmanConfig()
    boxes = random.uniform(50, 200, (5, 4))
    filters = start_filters(boxes, config)
    means = np.stack([filters[:, 0], filters[:, 1]], axis=-1)  # [N, 4, 2]
    covariances = np.zeros((5, 4, 2, 2))
    covariances[..., 0, 0], covariances[..., 1, 1] = filters[:, 2], filters[:, 4]
    step = np.array([[1.0, 1.0], [0.0, 1.0]])
    for _ in range(10):
        heights = means[:, 3, 0]
        predict_filters(filters, config)
        means = means @ step.T
        noise = np.array([config.position_noise, config.velocity_noise])[None, None] * heights[:, None, None]
        covariances = step @ covariances @ step.T + noise[..., None] ** 2 * np.eye(2)
        seen = boxes + random.normal(0, 2, boxes.shape)
        correct_filters(filters, np.arange(5), seen, config)
        innovation = covariances[..., 0, 0] + (config.measurement_noise * means[:, 3, 0])[:, None] ** 2
        gain = covariances[..., :, 0] / innovation[..., None]
        means = means + gain * (seen - means[..., 0])[..., None]
        covariances = covariances - gain[..., :, None] * covariances[..., 0, :][..., None, :]
        np.testing.assert_allclose(filters[:, 0], means[..., 0])
        np.testing.assert_allclose(filters[:, 1], means[..., 1])
        np.testing.assert_allclose(filters[:, 2], covariances[..., 0, 0])
        np.testing.assert_allclose(filters[:, 3], covariances[..., 0, 1])
        np.testing.assert_allclose(filters[:, 4], covariances[..., 1, 1])


@given(st.integers(0, 2**30), st.integers(1, 40), st.integers(1, 40), st.booleans())
@settings(max_examples=60, deadline=None)
def test_taking_the_assignment_apart_changes_nothing(seed: int, n: int, m: int, is_weighted: bool) -> None:
    random = np.random.default_rng(seed)

    def boxes(count: int) -> np.ndarray:
        corners = random.uniform(0, 300, (count, 2))
        return np.hstack([corners, corners + random.uniform(5, 80, (count, 2))])

    tracks, detections = boxes(n), boxes(m)
    weights = random.uniform(0.2, 1.0, m) if is_weighted else None
    limit = 0.85
    rows, columns = association.match_by_overlap(tracks, detections, weights=weights, max_cost=limit)
    i, j = association._find_touching(tracks, detections)
    iou = association.compute_iou(tracks, detections)
    candidates = set(zip(i.tolist(), j.tolist(), strict=True))
    assert len(candidates) == len(i)
    assert candidates >= set(zip(*(a.tolist() for a in np.nonzero(iou)), strict=True))
    similarity = iou * (1.0 if weights is None else weights)
    keep = similarity[i, j] >= 1 - limit
    sparse = association._match_sparse(i[keep], j[keep], similarity[i, j][keep] - (1 - limit), (n, m))
    gains = np.maximum(similarity - (1 - limit), 0.0)
    best = gains[linear_sum_assignment(gains, maximize=True)].sum()
    for found_rows, found_columns in ((rows, columns), sparse):
        assert gains[found_rows, found_columns].sum() == pytest.approx(best, abs=1e-6)
        assert len(set(found_rows.tolist())) == len(found_rows) == len(set(found_columns.tolist()))


def test_box_forms_round_trip_and_iou_is_one_with_itself() -> None:
    boxes = np.array([[1.0, 2.0, 30.0, 44.0], [-5.0, 0.0, 5.0, 1.0]])
    np.testing.assert_allclose(corner_boxes(center_boxes(boxes)), boxes)
    np.testing.assert_allclose(association.compute_iou(boxes, boxes).diagonal(), 1.0)
