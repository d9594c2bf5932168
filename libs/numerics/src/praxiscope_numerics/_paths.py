"""The cheapest way through a chain of states."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from praxiscope_numerics._arrays import FloatArray, IntArray


def find_cheapest_path(
    state_costs: Float[FloatArray, " time state"], step_costs: Float[FloatArray, "steps state state"]
) -> Int[IntArray, " time"]:
    """Chooses one state per time step so that the sum of all costs is least (Viterbi's dynamic program).

    Args:
        state_costs: Cost of being in each state at each time; infinite forbids. NaN is not allowed.
        step_costs: Cost of going from state i at time t to state j at time t + 1, at [t, i, j]; one fewer than there
            are times.

    Returns:
        State per time; of equal paths the one with the lower index at the latest difference. Empty for no time at all.

    Raises:
        ValueError: A cost is NaN, the shapes do not fit, or every path is forbidden.

    **Source:** A. J. Viterbi, "Error bounds for convolutional codes and an asymptotically optimum decoding algorithm",
    IEEE Trans. IT 13, 1967.
    """
    time_count, state_count = state_costs.shape
    if step_costs.shape != (max(time_count - 1, 0), state_count, state_count):
        raise ValueError(
            f"step_costs must be [{max(time_count - 1, 0)}, {state_count}, {state_count}], is {step_costs.shape}"
        )
    if np.isnan(state_costs).any() or np.isnan(step_costs).any():
        raise ValueError("a cost is NaN")
    path = np.zeros(time_count, dtype=np.int64)
    if time_count == 0:
        return path
    came_from = np.zeros((time_count, state_count), dtype=np.int64)
    best = state_costs[0].copy()
    for i_time in range(1, time_count):
        reach = best[:, None] + step_costs[i_time - 1]  # [from, to]
        came_from[i_time] = np.argmin(reach, axis=0)
        best = reach[came_from[i_time], np.arange(state_count)] + state_costs[i_time]
    if not np.isfinite(best).any():
        raise ValueError("every path is forbidden")
    path[-1] = int(np.argmin(best))
    for i_time in range(time_count - 1, 0, -1):
        path[i_time - 1] = came_from[i_time, path[i_time]]
    return path
