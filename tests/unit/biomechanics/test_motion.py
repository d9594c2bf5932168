"""What the motion analysis must do on bodies whose angles are known, because they are built here."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest

from biomechanics_service.core.analysis import analyze_motion
from biomechanics_service.core.association import ObservedPersons, collect_persons
from biomechanics_service.core.config import FusionConfig, MotionConfig, SeenConfig, SidesConfig
from biomechanics_service.core.errors import InvalidMotionConfigError, InvalidPersonSeriesError
from biomechanics_service.core.fusion import align_nets, fuse_points
from biomechanics_service.core.landmarks import BLAZEPOSE_OF_POINT, POINT_COUNT, POINT_INDEX
from biomechanics_service.core.sides import find_swaps
from biomechanics_service.core.types import PersonSeries, View

RATE_HZ = 30.0
HEIGHT_PX = 400.0
HEIGHT_M = 1.75


def build_walker(
    frame_count: int = 120, *, direction: float = 1.0, noise_px: float = 0.6, seed: int = 0
) -> PersonSeries:
    """Builds someone who walks across the view, seen from the side: 1 stride per second, knees bend 0 to 60 degrees."""
    random = np.random.default_rng(seed)
    time_s = np.arange(frame_count) / RATE_HZ
    points = np.zeros((frame_count, POINT_COUNT, 3))  # x forward, y up, z to the walker's right, in body heights
    pelvis_x = 0.8 * time_s

    def put(name: str, x: np.ndarray | float, y: np.ndarray | float, z: float) -> None:
        points[:, POINT_INDEX[name]] = np.stack(np.broadcast_arrays(pelvis_x + x, y, z), axis=-1)

    for side, phase, z in (("right", 0.0, 0.05), ("left", np.pi, -0.05)):
        swing = np.radians(25.0) * np.sin(2 * np.pi * time_s + phase)  # thigh before the trunk's line
        bend = np.radians(knee_deg(time_s, phase))
        put(f"{side}_hip", 0.0, 0.53, z)
        knee = np.stack([0.245 * np.sin(swing), 0.53 - 0.245 * np.cos(swing)], axis=-1)
        put(f"{side}_knee", knee[:, 0], knee[:, 1], z)
        shank = swing - bend
        ankle = knee + 0.246 * np.stack([np.sin(shank), -np.cos(shank)], axis=-1)
        put(f"{side}_ankle", ankle[:, 0], ankle[:, 1], z)
        along = np.stack([np.cos(shank), np.sin(shank)], axis=-1)  # foot at a right angle to the shank
        put(f"{side}_heel", (ankle - 0.05 * along)[:, 0], (ankle - 0.05 * along)[:, 1], z)
        put(f"{side}_toe", (ankle + 0.1 * along)[:, 0], (ankle + 0.1 * along)[:, 1], z)
        put(f"{side}_shoulder", 0.0, 0.818, 1.3 * z)
        put(f"{side}_elbow", -0.1 * np.sin(swing), 0.65, 1.3 * z)
        put(f"{side}_wrist", -0.15 * np.sin(swing) + 0.03, 0.5, 1.3 * z)
        put(f"{side}_ear", 0.01, 0.93, 0.6 * z)
        put(f"{side}_eye", 0.05, 0.94, 0.4 * z)
    put("nose", 0.07, 0.92, 0.0)
    return pose_series(points, time_s, direction=direction, noise_px=noise_px, random=random)


def knee_deg(time_s: np.ndarray, phase: float) -> np.ndarray:
    return 30.0 - 30.0 * np.cos(2 * np.pi * time_s + phase)


def pose_series(
    points: np.ndarray, time_s: np.ndarray, *, direction: float, noise_px: float, random: np.random.Generator
) -> PersonSeries:
    """Shows body points (x forward, y up, z right, body heights) to a camera at the side, and lets two nets see
    them."""
    count = len(time_s)
    # Walking to the picture's right, the walker's right side is near: right of the body is towards the camera.
    picture = np.stack(
        [
            200.0 + (1500.0 if direction < 0 else 0.0) + direction * HEIGHT_PX * points[..., 0],
            900.0 - HEIGHT_PX * points[..., 1],
        ],
        axis=-1,
    )
    noisy = [picture + random.normal(0, noise_px, picture.shape) for _ in range(2)]
    blazepose = np.full((count, 33, 2), np.nan)
    blazepose[:, BLAZEPOSE_OF_POINT] = noisy[1]
    hips = points[:, [POINT_INDEX["left_hip"], POINT_INDEX["right_hip"]]].mean(axis=1, keepdims=True)
    local = HEIGHT_M * (points - hips)
    world = np.full((count, 33, 3), np.nan)
    world[:, BLAZEPOSE_OF_POINT] = np.stack(
        [direction * local[..., 0], -local[..., 1], -direction * local[..., 2]], axis=-1
    )
    low, high = picture.min(axis=1), picture.max(axis=1)
    visibility = np.full((count, 33), 0.9)
    return PersonSeries(
        person_id=1,
        frame_index=np.arange(count),
        time_s=time_s,
        image_size_wh_px=(2600.0, 1000.0),
        boxes_xyxy_px=np.concatenate([low, high], axis=1),
        coco_px=noisy[0][:, :17],
        coco_scores=np.full((count, 17), 0.7),
        blazepose_px=blazepose,
        blazepose_visibility=visibility,
        blazepose_presence=np.ones(count),
        blazepose_world_m=world,
    )


def analyze_one(person: PersonSeries, config: MotionConfig | None = None):
    return analyze_motion([person], config or MotionConfig()).persons[0]


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_walker_has_the_angles_that_were_built_in(direction: float) -> None:
    walker = build_walker(direction=direction)
    motion = analyze_one(walker)
    assert set(motion.views) == {View.SIDE}
    assert (motion.facing == direction).all()
    for letter, phase in (("r", 0.0), ("l", np.pi)):
        expected = {
            "knee_angle": knee_deg(walker.time_s, phase),
            "hip_flexion": 25.0 * np.sin(2 * np.pi * walker.time_s + phase),
            "ankle_angle": np.zeros(len(walker.time_s)),
        }
        for name, truth in expected.items():
            for suffix in ("", "_3d"):
                angle = motion.angles[f"{name}_{letter}{suffix}"]
                error = angle.filtered_deg[5:-5] - truth[5:-5]
                assert np.sqrt(np.nanmean(error**2)) < 2.0, f"{angle.name}: {error}"
                assert np.isfinite(angle.filtered_deg).mean() > 0.98
                assert (angle.confidence > 0.5).mean() > 0.9
        assert motion.angles[f"knee_angle_{letter}"].range_deg == pytest.approx(60.0, abs=4.0)
    assert motion.gait.cadence_steps_per_min == pytest.approx(120.0, abs=6.0)
    assert abs(motion.symmetry_percent["knee_angle"]) < 8.0


def test_walking_to_the_other_side_gives_the_same_angles() -> None:
    there, back = (analyze_one(build_walker(direction=d, noise_px=0.0)) for d in (1.0, -1.0))
    for name, angle in there.angles.items():
        if not angle.missing_reason and not name.startswith("pelvis_rotation"):
            np.testing.assert_allclose(angle.filtered_deg, back.angles[name].filtered_deg, atol=1e-6)


def test_the_depth_angles_do_not_depend_on_the_scale_and_a_height_sets_it() -> None:
    walker = build_walker(noise_px=0.0)
    guessed, given = analyze_one(walker), analyze_one(walker, MotionConfig(height_m=1.5))
    assert (guessed.is_scale_given, given.is_scale_given) == (False, True)
    assert guessed.metres_per_px == pytest.approx(HEIGHT_M / HEIGHT_PX, rel=0.05)
    assert given.metres_per_px == pytest.approx(1.5 / HEIGHT_PX, rel=0.05)
    np.testing.assert_allclose(given.angles["knee_angle_r_3d"].raw_deg, guessed.angles["knee_angle_r_3d"].raw_deg)
    assert np.nanmin(given.markers_m[..., 1]) == pytest.approx(0.0)
    # It walks 0.8 body heights a second to the right, in metres of its own size.
    travelled = given.markers_m[-1, 23, 0] - given.markers_m[0, 23, 0]
    assert travelled == pytest.approx(0.8 * 1.5 * (len(walker.time_s) - 1) / RATE_HZ, rel=0.05)


@pytest.mark.parametrize("net", ["coco", "blazepose"])
def test_legs_that_a_net_exchanged_are_put_back(net: str) -> None:
    walker = build_walker(noise_px=0.5)
    is_swapped = np.zeros(len(walker.time_s), dtype=bool)
    is_swapped[[20, 21, 22, 50, 51, 80]] = True
    if net == "coco":
        moved = walker.coco_px.copy()
        moved[is_swapped] = moved[is_swapped][:, [*range(13), 14, 13, 16, 15]]
        swapped = dataclasses.replace(walker, coco_px=moved)
    else:
        order = [*range(25), 26, 25, 28, 27, 30, 29, 32, 31]
        image, world = walker.blazepose_px.copy(), walker.blazepose_world_m.copy()
        image[is_swapped], world[is_swapped] = image[is_swapped][:, order], world[is_swapped][:, order]
        swapped = dataclasses.replace(walker, blazepose_px=image, blazepose_world_m=world)
    clean, repaired = analyze_one(walker), analyze_one(swapped)
    for letter in "rl":
        for suffix in ("", "_3d"):
            name = f"knee_angle_{letter}{suffix}"
            difference = repaired.angles[name].raw_deg - clean.angles[name].raw_deg
            assert np.nanmax(np.abs(difference)) < 6.0


def test_without_exchanges_nothing_is_exchanged() -> None:
    random = np.random.default_rng(0)
    time = np.arange(60)
    left = np.stack([np.stack([300 + 40 * np.sin(time / 5), 500 + 0 * time], -1)] * 2, axis=1)  # [T, K, 2]
    right = np.stack([np.stack([300 - 40 * np.sin(time / 5), 500 + 0 * time], -1)] * 2, axis=1)
    limbs = np.stack([left, right], axis=1)
    nets = [limbs + random.normal(0, 2, limbs.shape) for _ in range(2)]
    sure = {"coco_score": np.full(60, 0.5), "blazepose_visibility": np.ones(60)}
    coco, blazepose, dispute = find_swaps(*nets, np.full(60, 400.0), SidesConfig(), **sure)
    assert not coco.any()
    assert not blazepose.any()
    assert not dispute.any()
    for count in (0, 1, 2):
        few = {name: values[:count] for name, values in sure.items()}
        found = find_swaps(nets[0][:count], nets[1][:count], np.full(count, 400.0), SidesConfig(), **few)
        assert [len(part) for part in found] == [count, count, count]


@pytest.mark.parametrize(
    ("coco_score", "blazepose_visibility", "overruled"),
    [(0.7, 0.45, "blazepose"), (0.2, 0.95, "coco"), (np.nan, 0.4, "blazepose")],
)
def test_the_net_that_saw_less_of_a_leg_is_overruled(
    coco_score: float, blazepose_visibility: float, overruled: str
) -> None:
    time = np.arange(30)
    left = np.stack([np.stack([300 + time, 500 + 0 * time], -1)] * 2, axis=1).astype(float)
    right = np.stack([np.stack([420 + time, 500 + 0 * time], -1)] * 2, axis=1).astype(float)
    nets = np.stack([left, right], axis=1), np.stack([right, left], axis=1)
    coco, blazepose, dispute = find_swaps(
        *nets,
        np.full(30, 400.0),
        SidesConfig(),
        coco_score=np.full(30, coco_score),
        blazepose_visibility=np.full(30, blazepose_visibility),
    )
    assert coco.all() == (overruled == "coco")
    assert blazepose.all() == (overruled == "blazepose")
    trust = coco_score / 0.5 if overruled == "coco" else (blazepose_visibility - 0.3) / 0.7
    np.testing.assert_allclose(dispute, trust)


def test_a_wild_point_of_one_net_is_not_believed() -> None:
    walker = build_walker(noise_px=0.3)
    wild = walker.coco_px.copy()
    wild[40, 13] += [120.0, -60.0]
    motion = analyze_one(dataclasses.replace(walker, coco_px=wild))
    clean = analyze_one(walker)
    assert abs(motion.angles["knee_angle_l"].raw_deg[40] - clean.angles["knee_angle_l"].raw_deg[40]) < 4.0


def test_a_net_that_places_joints_elsewhere_leaves_no_step_when_the_other_one_is_lost() -> None:
    time = np.arange(80)
    truth = np.stack([np.stack([200.0 + 3 * time, 300 + 0 * time], -1)] * POINT_COUNT, axis=1)
    blazepose = truth + np.array([14.0, -8.0])
    blazepose[30:60] = np.nan
    size = np.full(80, 400.0)
    merged, _ = fuse_points(*align_nets(truth, blazepose, size, FusionConfig()), size, FusionConfig())
    np.testing.assert_allclose(np.diff(merged[:, 0], axis=0), np.tile([3.0, 0.0], (79, 1)), atol=1e-6)


def test_what_is_not_seen_is_missing_and_short_gaps_are_filled_with_half_the_confidence() -> None:
    walker = build_walker(noise_px=0.2)
    scores, visibility = walker.coco_scores.copy(), walker.blazepose_visibility.copy()
    for frames in (slice(30, 33), slice(60, 80)):  # 0.13 s and 0.7 s
        scores[frames, 13] = 0.0
        visibility[frames, 25] = 0.0
    motion = analyze_one(dataclasses.replace(walker, coco_scores=scores, blazepose_visibility=visibility))
    knee = motion.angles["knee_angle_l"]
    assert np.isfinite(knee.raw_deg[30:33]).all()
    assert (knee.confidence[30:33] <= 0.5).all()
    assert np.isnan(knee.raw_deg[60:80]).all()
    assert np.isnan(knee.filtered_deg[61:79]).all()
    assert (knee.confidence[60:80] == 0.0).all()
    assert np.isfinite(motion.angles["knee_angle_r"].raw_deg).all()


def test_feet_that_only_one_net_sees_are_missing_where_it_does_not() -> None:
    walker = build_walker()
    motion = analyze_one(dataclasses.replace(walker, blazepose_presence=np.zeros(len(walker.time_s))))
    assert motion.angles["ankle_angle_r"].missing_reason
    assert motion.angles["knee_angle_r_3d"].missing_reason
    assert np.isfinite(motion.angles["knee_angle_r"].raw_deg).mean() > 0.95
    assert np.isnan(motion.metres_per_px)


def test_where_the_nets_contradict_each_other_no_angle_is_sure() -> None:
    walker = build_walker(noise_px=0.3)
    is_bent = np.isin(np.arange(len(walker.time_s)), [20, 45, 46, 47, 70, 71, 95])
    bent = walker.coco_px.copy()
    bent[is_bent, 15] += [100.0, 0.0]
    doubted = analyze_one(dataclasses.replace(walker, coco_px=bent)).angles["knee_angle_l"].confidence
    sure = analyze_one(walker).angles["knee_angle_l"].confidence
    assert sure.min() > 0.8
    assert doubted[is_bent].max() < 0.5
    assert np.median(doubted[~is_bent]) > 0.8


def test_someone_seen_from_the_front_has_frontal_angles_only() -> None:
    count = 60
    points = np.zeros((count, POINT_COUNT, 3))
    spread = np.radians(40.0) * np.sin(np.arange(count) / 10.0) ** 2
    for side, sign in (("right", -1.0), ("left", 1.0)):  # facing the camera, the right side is at the picture's left
        place = {
            "hip": (0.05, 0.53),
            "knee": (0.05, 0.285),
            "ankle": (0.05, 0.039),
            "heel": (0.05, 0.02),
            "toe": (0.06, 0.01),
            "shoulder": (0.12, 0.818),
            "ear": (0.04, 0.93),
            "eye": (0.02, 0.94),
        }
        for part, (x, y) in place.items():
            points[:, POINT_INDEX[f"{side}_{part}"], :2] = [sign * x, y]
        for part, length in (("elbow", 0.17), ("wrist", 0.3)):
            points[:, POINT_INDEX[f"{side}_{part}"], 0] = sign * (0.12 + length * np.sin(spread))
            points[:, POINT_INDEX[f"{side}_{part}"], 1] = 0.818 - length * np.cos(spread)
    points[:, POINT_INDEX["nose"], 1] = 0.92
    points[..., 0] += 1.5
    person = pose_series(
        points, np.arange(count) / RATE_HZ, direction=1.0, noise_px=0.3, random=np.random.default_rng(0)
    )
    motion = analyze_one(person)
    assert set(motion.views) == {View.FRONT}
    for letter in "rl":
        np.testing.assert_allclose(
            motion.angles[f"arm_add_{letter}"].filtered_deg[3:-3], -np.degrees(spread)[3:-3], atol=3.0
        )
        assert "towards and away" in motion.angles[f"hip_flexion_{letter}"].missing_reason
    assert motion.gait.missing_reason


@pytest.mark.parametrize(
    "make",
    [
        lambda: MotionConfig(height_m=3.5),
        lambda: MotionConfig(cutoff_hz=float("nan")),
        lambda: MotionConfig(filter_order=3),
        lambda: MotionConfig(version=0),
        lambda: SeenConfig(min_visibility=-0.1),
    ],
)
def test_parameters_out_of_range_are_refused(make) -> None:
    with pytest.raises(InvalidMotionConfigError, match="must be"):
        make()


def test_series_that_do_not_fit_are_refused() -> None:
    walker = build_walker(10)
    with pytest.raises(InvalidPersonSeriesError, match="coco_px"):
        dataclasses.replace(walker, coco_px=walker.coco_px[:5])
    with pytest.raises(InvalidPersonSeriesError, match="times must grow"):
        dataclasses.replace(walker, time_s=walker.time_s[::-1].copy())


def test_somebody_seen_too_briefly_is_listed_and_nobody_is_no_error() -> None:
    brief = analyze_motion([build_walker(5)], MotionConfig())
    assert brief.persons == ()
    assert "5 frames" in brief.skipped[1]
    assert analyze_motion([], MotionConfig()).persons == ()


def observe(frame_index: int, ids: list[int]) -> ObservedPersons:
    count = len(ids)
    return ObservedPersons(
        frame_index=frame_index,
        person_ids=np.array(ids, dtype=np.int64),
        boxes_xyxy_px=np.tile([0.0, 0.0, 10.0, 20.0], (count, 1)) + frame_index,
        coco_px=np.full((count, 17, 3), float(frame_index)),
        blazepose_px=np.zeros((count, 33, 5)),
        blazepose_presence=np.ones(count),
        blazepose_world_m=np.zeros((count, 33, 3)),
    )


def test_observations_are_sorted_by_person_with_holes_as_nan() -> None:
    time_s = np.arange(6) / RATE_HZ
    series = collect_persons(
        [observe(1, [7, 3]), observe(2, [-1]), observe(4, [3])], time_s, image_size_wh_px=(10.0, 10.0)
    )
    assert [person.person_id for person in series] == [3, 7]
    assert series[0].frame_index.tolist() == [1, 2, 3, 4]
    assert np.isfinite(series[0].boxes_xyxy_px[:, 0]).tolist() == [True, False, False, True]
    assert series[1].frame_index.tolist() == [1]


@pytest.mark.parametrize(
    ("frames", "problem"), [([(1, [2, 2])], "twice"), ([(2, [1]), (1, [1])], "came after"), ([(9, [1])], "came after")]
)
def test_observations_that_contradict_themselves_are_refused(frames: list[tuple[int, list[int]]], problem: str) -> None:
    with pytest.raises(InvalidPersonSeriesError, match=problem):
        collect_persons([observe(*frame) for frame in frames], np.arange(6) / RATE_HZ, image_size_wh_px=(10.0, 10.0))


def test_a_long_recording_is_fused_without_holding_the_windows_of_all_its_frames() -> None:
    time_count = 2_000
    coco = np.cumsum(np.random.default_rng(3).normal(0.0, 1.0, (time_count, 14, 2)), axis=0) + 300.0
    blazepose = coco + 2.0
    size = np.full(time_count, 200.0)
    config = FusionConfig()
    part, _ = fuse_points(*align_nets(coco[:200], blazepose[:200], size[:200], config), size[:200], config)
    tracemalloc.start()
    try:
        merged, _ = fuse_points(*align_nets(coco, blazepose, size, config), size, config)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 30e6, "it was 200 MB where all windows were held"
    np.testing.assert_array_equal(merged[:100], part[:100])
