"""Left and right: finds the frames in which a net took one limb for the other, over the whole recording at once.

In every frame each of the two nets may have the sides right or exchanged: four states. An explanation of the recording
costs what the nets disagree in
it, plus how much the limbs would have to jerk (second differences, so that legs that cross each other keep going),
plus a price per exchange. The
cheapest one is found by dynamic programming over pairs of neighbouring frames. Deciding frame by frame was tried and
made things worse.
"""

from __future__ import annotations

import numpy as np

from biomechanics_service.core.config import SidesConfig
from biomechanics_service.core.types import BoolArray, FloatArray
from praxiscope_numerics import find_cheapest_path


def find_swaps(
    coco: FloatArray, blazepose: FloatArray, body_size_px: FloatArray, config: SidesConfig
) -> tuple[BoolArray, BoolArray]:
    """Finds in which frames each net exchanged a pair of limbs.

    Args:
        coco: MoveNet's points of the limb, left and right, NaN where not seen. [T, 2, K, 2] pixels
        blazepose: BlazePose's. [T, 2, K, 2] pixels
        body_size_px: Size of the body in the picture. [T]
        config: Costs.

    Returns:
        True where MoveNet's, and where BlazePose's sides must be exchanged. [T], [T]
    """
    time_count = len(coco)
    coco, blazepose = coco / body_size_px[:, None, None, None], blazepose / body_size_px[:, None, None, None]
    both = [np.stack([points, points[:, ::-1]]) for points in (coco, blazepose)]  # [swap, T, side, K, 2] each
    state_costs = np.zeros((time_count, 2, 2))  # [T, coco swapped, blazepose swapped]
    for i_coco in range(2):
        for i_blaze in range(2):
            gap = np.linalg.norm(both[0][i_coco] - both[1][i_blaze], axis=-1)  # [T, side, K]
            state_costs[:, i_coco, i_blaze] = _price(gap, config.agreement_scale, config.max_cost)
    state_costs[:, 1, :] += config.coco_swap_cost
    state_costs[:, :, 1] += config.blazepose_swap_cost
    if time_count < 3:
        best = state_costs.reshape(time_count, 4).argmin(axis=1)
        return best // 2 == 1, best % 2 == 1
    # A node of the path is the pair (state before, state now); a step into it knows three frames, hence a second
    # difference.
    jerk = (
        _price_steps(both[0], config)[:, :, None, :, None, :, None]
        + _price_steps(both[1], config)[:, None, :, None, :, None, :]
    )
    jerk = jerk.reshape(time_count - 2, 4, 4, 4)  # [T - 2, before, now, next]
    now = state_costs.reshape(time_count, 4)
    node_costs = np.tile(now[1:, None, :], (1, 4, 1)).reshape(time_count - 1, 16)
    node_costs[0] += np.repeat(now[0], 4)
    step_costs = np.full((time_count - 2, 4, 4, 4, 4), np.inf)  # [T - 2, before, now, now again, next]
    for state in range(4):
        step_costs[:, :, state, state, :] = jerk[:, :, state, :]
    path = find_cheapest_path(node_costs, step_costs.reshape(time_count - 2, 16, 16))
    states = np.concatenate([[path[0] // 4], path % 4])
    return states // 2 == 1, states % 2 == 1


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
