"""What floats: Gaussians that belong to nothing, as reconstructions leave them in the air.

Three rules, each with the median of the world as its measure, so that none of them knows the world's scale:

    isolated   its fourth neighbour is far, and farther than the Gaussian itself reaches (a far, coarse background is sparse, but its Gaussians touch)
    grouped    it hangs together with few others only, and none of them reaches over the gap; the largest group never floats
    faint      it is nearly transparent and very large
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy.spatial import KDTree

from editing_service.core.arrays import BoolArray
from editing_service.core.neighbours import (
    build_tree,
    components,
    far_neighbours,
    sampled_distances,
    smallest_side_m,
)
from editing_service.core.selections import extents_m, opacities
from editing_service.core.state import EditState

# The fourth: one stray beside another does not hide either, as it would with the first (statistical outlier removal averages over as many or more).
_NEIGHBOUR_COUNT = 4
# A normal distribution's deviation is so many median absolute deviations.
_DEVIATIONS_PER_MAD = 1.4826
# So many of its own deviations from its centre a Gaussian is as good as gone.
_REACH_DEVIATIONS = 4.0
_GAP_SPACINGS = 12.0
_HUGE_EXTENTS = 30.0


@dataclass(frozen=True, kw_only=True)
class FloaterRules:
    """How strict the rules are.

    Attributes:
        isolation_deviations: Robust deviations above the median that the distance to the fourth neighbour may be.
        max_group_count: Groups with at most so many float.
        gap_m: Side of the cubes whose touching makes a group; None: 12 times the median spacing.
        faint_opacity: Opacity below which what is huge floats.
    """

    isolation_deviations: float = 8.0
    max_group_count: int = 12
    gap_m: float | None = None
    faint_opacity: float = 0.1


def find_floaters(state: EditState, rules: FloaterRules) -> Bool[BoolArray, " N"]:
    """Returns which rows float, [N]; none where there are so few that none of them belongs to anything.

    Raises:
        InvalidSelectionError: The gap is too small for the world.
    """
    floats = np.zeros(len(state), np.bool_)
    i_alive = np.flatnonzero(state.is_alive)
    points, extents = state.rows.means_m[i_alive], extents_m(state)[i_alive]
    if len(i_alive) <= 2 * _NEIGHBOUR_COUNT:
        return floats
    tree = build_tree(points)
    usual = sampled_distances(tree, neighbour_count=_NEIGHBOUR_COUNT)  # [S, 4]
    gap_m = rules.gap_m or max(_GAP_SPACINGS * float(np.median(usual[:, 0])), smallest_side_m(points))
    floats[i_alive] = (
        _isolated(points, extents, tree, usual[:, -1], rules)
        | _grouped(points, extents, gap_m, rules)
        | ((opacities(state)[i_alive] < rules.faint_opacity) & (extents > _HUGE_EXTENTS * np.median(extents)))
    )
    return floats


def _isolated(
    points: np.ndarray, extents: np.ndarray, tree: KDTree, usual: np.ndarray, rules: FloaterRules
) -> BoolArray:
    is_far = np.zeros(len(points), np.bool_)
    median = float(np.median(usual))
    deviation = _DEVIATIONS_PER_MAD * float(np.median(np.abs(usual - median)))
    threshold_m = median + rules.isolation_deviations * deviation
    if threshold_m > 0:  # or so many are in one place that distances say nothing
        i_far, distances_m = far_neighbours(points, tree, neighbour_count=_NEIGHBOUR_COUNT, threshold_m=threshold_m)
        is_far[i_far] = distances_m > _REACH_DEVIATIONS * extents[i_far]
    return is_far


def _grouped(points: np.ndarray, extents: np.ndarray, gap_m: float, rules: FloaterRules) -> BoolArray:
    labels, counts = components(points, gap_m=gap_m)
    floats = counts <= rules.max_group_count
    floats[int(np.argmax(counts))] = False
    reaches_over = np.zeros(len(counts), np.bool_)
    reaches_over[labels[_REACH_DEVIATIONS * extents > gap_m]] = True
    return (floats & ~reaches_over)[labels]
