"""Properties of the numerics: what must hold for every input, and the few numbers that are known by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import praxiscope_numerics as numerics

TIME_S = np.arange(120) / 30.0
angles = st.floats(-3.0, 3.0)
vectors = arrays(np.float64, (3,), elements=st.floats(-10, 10)).filter(lambda v: np.linalg.norm(v) > 1e-3)


def test_public_names_are_pinned_and_sorted() -> None:
    assert list(numerics.__all__) == sorted(numerics.__all__)
    assert all(hasattr(numerics, name) for name in numerics.__all__)
    assert len(numerics.__all__) == 18


@given(angles, angles)
def test_signed_angle_is_the_difference_of_directions(first: float, second: float) -> None:
    start, end = (np.array([np.cos(a), np.sin(a)]) for a in (first, second))
    turn = float(numerics.signed_angle_2d(start, end))
    assert np.isclose(numerics.wrap_angle(np.array(turn - (second - first))), 0.0, atol=1e-9)
    assert np.isclose(turn, -float(numerics.signed_angle_2d(end, start)))


@given(vectors, vectors)
def test_unsigned_angle_agrees_with_the_cosine_and_ignores_length(first: np.ndarray, second: np.ndarray) -> None:
    angle = float(numerics.angle_between(first, second))
    cosine = float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
    assert np.isclose(np.cos(angle), cosine, atol=1e-9)
    assert np.isclose(angle, float(numerics.angle_between(7.0 * first, 0.1 * second)), atol=1e-9)


def test_an_angle_with_a_zero_vector_is_missing() -> None:
    zero, one = np.zeros(2), np.array([1.0, 0.0])
    assert np.isnan(numerics.signed_angle_2d(zero, one))
    assert np.isnan(numerics.angle_between(zero, one))


def test_unwrap_removes_turns_within_a_run_and_carries_none_over_a_gap() -> None:
    truth = np.linspace(0.0, 4.0, 40)
    wrapped = numerics.wrap_angle(truth)
    wrapped[20] = np.nan
    unwrapped = numerics.unwrap_angle(wrapped)
    assert np.abs(np.diff(unwrapped[:20])).max() < 0.2
    assert np.abs(np.diff(unwrapped[21:])).max() < 0.2
    assert np.isnan(unwrapped[20])
    assert abs(np.median(unwrapped[21:])) <= np.pi


@given(arrays(np.bool_, st.integers(0, 30)))
def test_runs_cover_the_mask_exactly(mask: np.ndarray) -> None:
    rebuilt = np.zeros_like(mask)
    for start, stop in numerics.find_runs(mask):
        assert start < stop
        rebuilt[start:stop] = True
    assert (rebuilt == mask).all()


@given(st.integers(1, 20), st.floats(0.0, 1.0))
def test_gaps_are_filled_up_to_the_limit_and_never_outside(length: int, limit_s: float) -> None:
    samples = np.sin(TIME_S)[:, None].repeat(2, axis=1)
    samples[40 : 40 + length, 0] = np.nan
    samples[:3, 1] = np.nan
    filled, is_filled = numerics.fill_gaps(samples, TIME_S, max_gap_s=limit_s)
    is_short = (length + 1) / 30.0 <= limit_s + 5e-7
    assert np.isfinite(filled[40 : 40 + length, 0]).all() == is_short
    assert is_filled[:, 0].sum() == (length if is_short else 0)
    assert np.isnan(filled[:3, 1]).all()
    if is_short:
        low, high = sorted((samples[39, 0], samples[40 + length, 0]))
        assert ((filled[40 : 40 + length, 0] >= low - 1e-12) & (filled[40 : 40 + length, 0] <= high + 1e-12)).all()


def test_low_pass_is_half_power_at_the_cut_off_and_has_no_lag() -> None:
    time_s = np.arange(3000) / 100.0
    for frequency_hz, expected in ((1.0, 1.0), (6.0, 2.0**-0.5), (20.0, 0.0)):
        wave = np.sin(2 * np.pi * frequency_hz * time_s)
        smooth = numerics.filter_low_pass(wave, time_s, cutoff_hz=6.0)
        middle = slice(500, -500)
        in_phase = 2.0 * np.mean(smooth[middle] * wave[middle])
        quadrature = 2.0 * np.mean(smooth[middle] * np.cos(2 * np.pi * frequency_hz * time_s[middle]))
        assert in_phase == pytest.approx(expected, abs=0.02)
        assert quadrature == pytest.approx(0.0, abs=0.01)


@given(arrays(np.float64, (60,), elements=st.floats(-100, 100)), st.integers(0, 59))
def test_low_pass_keeps_gaps_is_linear_and_reverses_with_time(samples: np.ndarray, hole: int) -> None:
    samples[hole] = np.nan
    time_s = TIME_S[:60]
    smooth = numerics.filter_low_pass(samples, time_s, cutoff_hz=6.0)
    assert (np.isnan(smooth) == np.isnan(samples)).all()
    doubled = numerics.filter_low_pass(2.0 * samples + 1.0, time_s, cutoff_hz=6.0)
    np.testing.assert_allclose(doubled, 2.0 * smooth + 1.0, atol=1e-7)


def test_low_pass_of_uneven_times_follows_a_slow_wave() -> None:
    time_s = np.sort(np.random.default_rng(3).uniform(0.0, 4.0, 160))
    wave = np.sin(2 * np.pi * 0.5 * time_s)
    smooth = numerics.filter_low_pass(wave, time_s, cutoff_hz=6.0)
    assert np.abs(smooth - wave)[10:-10].max() < 0.02


@pytest.mark.parametrize(("order", "cutoff_hz"), [(3, 6.0), (0, 6.0), (4, 0.0), (4, float("nan"))])
def test_low_pass_refuses_settings_that_mean_nothing(order: int, cutoff_hz: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        numerics.filter_low_pass(TIME_S, TIME_S, cutoff_hz=cutoff_hz, order=order)


def test_derivative_of_a_line_is_its_slope_in_every_run() -> None:
    line = 3.0 * TIME_S
    line[[10, 50]] = np.nan
    rate = numerics.differentiate(line, TIME_S)
    assert np.isnan(rate[[10, 50]]).all()
    np.testing.assert_allclose(rate[np.isfinite(rate)], 3.0)


def test_spikes_are_found_and_slow_movement_is_not() -> None:
    samples = np.sin(TIME_S)
    samples[30] += 2.0
    assert np.flatnonzero(numerics.reject_spikes(samples, half_window=4, threshold=4.0, floor=0.2)).tolist() == [30]


def test_jitter_measures_noise_under_movement() -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.7, 4000)
    movement = 40.0 * np.sin(np.arange(4000) / 60.0)
    assert numerics.measure_jitter(movement + noise) == pytest.approx(0.7, rel=0.06)
    assert np.isnan(numerics.measure_jitter(np.array([1.0, np.nan, 2.0])))


@given(arrays(np.float64, (5, 3), elements=st.floats(0, 9)), arrays(np.float64, (4, 3, 3), elements=st.floats(0, 9)))
def test_cheapest_path_is_as_cheap_as_the_best_of_all_paths(state_costs: np.ndarray, step_costs: np.ndarray) -> None:
    def price(path: tuple[int, ...]) -> float:
        steps = sum(step_costs[t, path[t], path[t + 1]] for t in range(4))
        return float(sum(state_costs[t, s] for t, s in enumerate(path)) + steps)

    found = numerics.find_cheapest_path(state_costs, step_costs)
    best = min(price(path) for path in itertools.product(range(3), repeat=5))
    assert price(tuple(int(s) for s in found)) == pytest.approx(best)


def test_forbidden_paths_are_an_error_and_nothing_is_a_path_of_nothing() -> None:
    with pytest.raises(ValueError, match="forbidden"):
        numerics.find_cheapest_path(np.full((2, 2), np.inf), np.zeros((1, 2, 2)))
    assert numerics.find_cheapest_path(np.zeros((0, 2)), np.zeros((0, 2, 2))).shape == (0,)


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 2, 2), (2, 2, 3)])
def test_steps_that_do_not_fit_the_states_are_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="step_costs must be 2"):
        numerics.find_cheapest_path(np.zeros((3, 2)), np.zeros(shape))


@pytest.mark.parametrize("sequence", ["".join(p) for p in itertools.permutations("xyz")])
@given(first=angles, middle=st.floats(-1.5, 1.5), third=angles)
def test_cardan_angles_round_trip(sequence: str, first: float, middle: float, third: float) -> None:
    given_rad = np.array([first, middle, third])
    rotation = numerics.rotation_from_cardan_angles(given_rad, sequence=sequence)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    np.testing.assert_allclose(numerics.cardan_angles_from_rotation(rotation, sequence=sequence), given_rad, atol=1e-7)


@pytest.mark.parametrize("axes", ["".join(p) for p in itertools.permutations("xyz", 2)])
@given(primary=vectors, secondary=vectors)
def test_frames_are_right_handed_and_follow_their_directions(
    axes: str, primary: np.ndarray, secondary: np.ndarray
) -> None:
    frame = numerics.build_frame(primary, secondary, axes=axes)
    sine = np.linalg.norm(np.cross(primary, secondary)) / np.linalg.norm(primary) / np.linalg.norm(secondary)
    if sine < 0.05:
        return
    np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-9)
    assert np.linalg.det(frame) == pytest.approx(1.0)
    assert frame[:, "xyz".index(axes[0])] @ primary == pytest.approx(np.linalg.norm(primary))
    assert frame[:, "xyz".index(axes[1])] @ secondary > 0.0


def test_parallel_directions_span_no_frame() -> None:
    up = np.array([0.0, 1.0, 0.0])
    assert np.isnan(numerics.build_frame(up, 2.0 * up, axes="yz")).all()


def test_noise_is_measured_in_spite_of_quick_movement_and_of_gaps() -> None:
    random = np.random.default_rng(5)
    time_s = np.arange(600) / 30.0
    movement = 50.0 * np.sin(2.0 * np.pi * 2.0 * time_s)
    seen = movement + random.normal(0.0, 2.0, len(time_s))
    seen[100:110] = np.nan
    assert numerics.measure_jitter(seen) > 2.5
    assert numerics.measure_noise(seen, time_s, movement_hz=6.0) == pytest.approx(2.0, rel=0.12)
    assert numerics.measure_noise(movement, time_s, movement_hz=6.0) < 0.4
