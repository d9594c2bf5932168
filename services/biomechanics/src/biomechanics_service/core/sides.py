"""Left and right: finds the frames in which a net took one limb for the other, over the whole recording at once.

In every frame each of the two nets may have the sides right or exchanged: four states. An explanation of the recording
costs what the nets disagree in
it, plus how much the limbs would have to jerk (second differences, so that legs that cross each other keep going),
plus a price per exchange: the surer a net is of what it sees, the more it costs to contradict it. The
cheapest one is found by dynamic programming over pairs of neighbouring frames. Deciding frame by frame was tried and
made things worse.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from biomechanics_service.core.config import SidesConfig
from biomechanics_service.core.types import BoolArray, FloatArray, IntArray
from praxiscope_numerics import find_cheapest_path

# Steps whose costs are held at once: 2 kB each.
STEPS_AT_ONCE = 256


def find_swaps(
    coco: FloatArray,
    blazepose: FloatArray,
    body_size_px: FloatArray,
    config: SidesConfig,
    *,
    coco_score: FloatArray,
    blazepose_visibility: FloatArray,
) -> tuple[BoolArray, BoolArray, FloatArray]:
    """Finds in which frames each net exchanged a pair of limbs.

    Args:
        coco: MoveNet's points of the limb, left and right, NaN where not seen. [T, 2, K, 2] pixels
        blazepose: BlazePose's. [T, 2, K, 2] pixels
        body_size_px: Size of the body in the picture. [T]
        config: Costs.
        coco_score: MoveNet's mean score of the limb that it is less sure of, in [0, 1]; NaN where it saw none. [T]
        blazepose_visibility: BlazePose's mean visibility of the limb that it sees less of, likewise. [T]

    Returns:
        True where MoveNet's, and where BlazePose's sides must be exchanged, and how far the two dispute the sides:
        0 where they agree, up to 1 where the one that is overruled was sure. [T], [T], [T]
    """
    time_count = len(coco)
    coco, blazepose = coco / body_size_px[:, None, None, None], blazepose / body_size_px[:, None, None, None]
    both = [np.stack([points, points[:, ::-1]]) for points in (coco, blazepose)]  # [swap, T, side, K, 2] each
    state_costs = np.zeros((time_count, 2, 2))  # [T, coco swapped, blazepose swapped]
    for i_coco in range(2):
        for i_blaze in range(2):
            gap = np.linalg.norm(both[0][i_coco] - both[1][i_blaze], axis=-1)  # [T, side, K]
            state_costs[:, i_coco, i_blaze] = _price(gap, config.agreement_scale, config.max_cost)
    coco_trust = coco_score / config.usual_score
    blazepose_trust = (blazepose_visibility - config.hidden_visibility) / (1.0 - config.hidden_visibility)
    state_costs[:, 1, :] += _trusted_price(config.coco_swap_cost, coco_trust, config)[:, None]
    state_costs[:, :, 1] += _trusted_price(config.blazepose_swap_cost, blazepose_trust, config)[:, None]
    if time_count < 3:
        states = state_costs.reshape(time_count, 4).argmin(axis=1)
    else:
        states = _find_cheapest_states(state_costs, both, config)
    swap_coco, swap_blazepose = states // 2 == 1, states % 2 == 1
    overruled = np.nan_to_num(np.where(swap_coco, coco_trust, blazepose_trust), nan=1.0)
    dispute = np.where(swap_coco != swap_blazepose, np.clip(overruled, config.min_trust, 1.0), 0.0)
    return swap_coco, swap_blazepose, dispute


def _find_cheapest_states(state_costs: FloatArray, both: list[FloatArray], config: SidesConfig) -> IntArray:
    """Finds the cheapest of the four states in every frame, jerks counted in: [T]."""
    time_count = len(state_costs)
    # A node of the path is the pair (state before, state now); a step into it knows three frames, hence a second
    # difference.
    now = state_costs.reshape(time_count, 4)
    node_costs = np.tile(now[1:, None, :], (1, 4, 1)).reshape(time_count - 1, 16)
    node_costs[0] += np.repeat(now[0], 4)
    path = find_cheapest_path(node_costs, _list_steps(both, config))
    return np.concatenate([[path[0] // 4], path % 4])


def _list_steps(both: list[FloatArray], config: SidesConfig) -> Iterator[FloatArray]:
    """Yields the costs of the steps between pairs of states, one time after another: [16, 16] each."""
    step_count = both[0].shape[1] - 2
    for start in range(0, step_count, STEPS_AT_ONCE):
        coco, blazepose = (points[:, start : start + STEPS_AT_ONCE + 2] for points in both)
        jerk = (
            _price_steps(coco, config)[:, :, None, :, None, :, None]
            + _price_steps(blazepose, config)[:, None, :, None, :, None, :]
        ).reshape(-1, 4, 4, 4)  # [steps, before, now, next]
        costs = np.full((len(jerk), 4, 4, 4, 4), np.inf)  # [steps, before, now, now again, next]
        for state in range(4):
            costs[:, :, state, state, :] = jerk[:, :, state, :]
        yield from costs.reshape(-1, 16, 16)


def _trusted_price(price: float, trust: FloatArray, config: SidesConfig) -> FloatArray:
    """What contradicting a net costs where it is as sure as usual (1), surer or less sure: [T]."""
    return price * np.nan_to_num(np.clip(trust, config.min_trust, config.max_trust), nan=1.0)


def _price(distance: FloatArray, scale: float, max_cost: float) -> FloatArray:
    """Sums capped costs over the limb's points; what was not seen costs nothing."""
    cost = np.minimum(distance / scale, max_cost)
    return np.nansum(cost, axis=(-2, -1))


def _price_steps(both: FloatArray, config: SidesConfig) -> FloatArray:
    """Prices the second difference for each choice at three neighbouring frames: [T - 2, before, now, next]."""
    prices = np.zeros((both.shape[1] - 2, 2, 2, 2))
    for before in range(2):
        for now in range(2):
            for later in range(2):
                second = both[before][:-2] - 2.0 * both[now][1:-1] + both[later][2:]
                prices[:, before, now, later] = _price(
                    np.linalg.norm(second, axis=-1), config.continuity_scale, config.max_cost
                )
    return prices
