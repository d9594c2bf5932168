"""The cheapest way through a chain of states."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int

from praxiscope_numerics._arrays import FloatArray, IntArray


def find_cheapest_path(
    state_costs: Float[FloatArray, " time state"], step_costs: Iterable[Float[FloatArray, "state state"]]
) -> Int[IntArray, " time"]:
    """Chooses one state per time step so that the sum of all costs is least (Viterbi's dynamic program).

    Args:
        state_costs: Cost of being in each state at each time; infinite forbids. NaN is not allowed.
        step_costs: Cost of going from state i at time t to state j at time t + 1, at [i, j], one after another; one
            fewer than there are times. Of an iterator one is held at a time.

    Returns:
        State per time; of equal paths the one with the lower index at the latest difference. Empty for no time at all.

    Raises:
        ValueError: A cost is NaN, the shapes do not fit, or every path is forbidden.

    **Source:** A. J. Viterbi, "Error bounds for convolutional codes and an asymptotically optimum decoding algorithm",
    IEEE Trans. IT 13, 1967.
    """
    time_count, state_count = state_costs.shape
    if np.isnan(state_costs).any():
        raise ValueError("a cost is NaN")
    path = np.zeros(time_count, dtype=np.int64)
    if time_count == 0:
        return path
    came_from = np.zeros((time_count, state_count), dtype=np.min_scalar_type(state_count))
    every_state: IntArray = np.arange(state_count, dtype=np.int64)
    best = state_costs[0].copy()
    step_count = 0
    for step_count, step in enumerate(step_costs, start=1):
        if step.shape != (state_count, state_count) or step_count >= time_count:
            raise ValueError(
                f"step_costs must be {time_count - 1} of [{state_count}, {state_count}], number {step_count} is {step.shape}"
            )
        if np.isnan(step).any():
            raise ValueError("a cost is NaN")
        reach = best[:, None] + step  # [from, to]
        source = np.argmin(reach, axis=0)
        came_from[step_count] = source
        best = reach[source, every_state] + state_costs[step_count]
    if step_count != time_count - 1:
        raise ValueError(f"step_costs must be {time_count - 1}, are {step_count}")
    if not np.isfinite(best).any():
        raise ValueError("every path is forbidden")
    path[-1] = int(np.argmin(best))
    for i_time in range(time_count - 1, 0, -1):
        path[i_time - 1] = came_from[i_time, path[i_time]]
    return path
