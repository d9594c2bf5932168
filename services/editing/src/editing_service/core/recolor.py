"""Another colour for a part of a world, without a seam.

Wanted is `t`, the new colour of each Gaussian; outside the selection nothing may change. What is laid over the selection is `t + u`, where `u` makes the
border meet what is there: outside, `u = c - t` (the old colour less the new one it would have had), and inside

    laplace(u) = u / blend_m^2        on the graph of nearest neighbours,

a Poisson equation for the colours' differences (P. Perez, M. Gangnet, A. Blake, "Poisson Image Editing", SIGGRAPH 2003), screened so that the surroundings
reach in about `blend_m` and not all the way (P. Bhat et al., "Fourier Analysis of the 2D Screened Poisson Equation for Gradient Domain Problems", ECCV 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy.sparse import csr_array

from editing_service.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from editing_service.core.colors import base_colors, lab_from_srgb, srgb_from_lab, with_base_colors
from editing_service.core.neighbours import QUERY_THREADS, build_tree, order_by_place, rings
from editing_service.core.selections import Color
from editing_service.core.state import EditState

_NEIGHBOUR_COUNT = 6
# Beyond so many cubes of the blend's length from the border nothing is left of it, and the next ring is held at 0, so that there is no second seam.
_REACH_LENGTHS = 3
_BLEND_SPACINGS = 8.0
# Doubles would weigh infinitely.
_MIN_DISTANCE_SPACINGS = 0.25
# Worlds are surfaces: over an even ring of k neighbours, mean((u_j - u_i) / d^2) is laplace(u) / (2 * 2).
_LAPLACE_FACTOR = 4.0
# Of the border's differences; an 8-bit level of a difference from black to white.
_TOLERANCE = 3e-3
_MAX_ITERATIONS = 200


@dataclass(frozen=True, kw_only=True)
class ToColor:
    """The selected's median becomes this colour; differences in lightness stay.

    Attributes:
        color_rgb: sRGB, 0 to 1.
    """

    color_rgb: Color


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Each is shifted in CIELAB.

    Attributes:
        lab: Lightness, green to red, blue to yellow.
    """

    lab: tuple[float, float, float]


def recolored(
    state: EditState,
    is_selected: Bool[BoolArray, " N"],
    to: ToColor | Shift,
    *,
    strength: float,
    blend_m: float | None,
) -> Float32Array:
    """Returns the harmonics after the change, [N, K, 3]; those of what is not selected are what they were.

    Args:
        state: The world.
        is_selected: What gets the colour.
        to: Which.
        strength: How much of it, 0 to 1.
        blend_m: Over which length the border goes over; 0 leaves it hard, None means 8 times the median spacing.
    """
    i_selected = np.flatnonzero(is_selected)
    old = base_colors(state.rows.sh[i_selected, :1])
    lab = lab_from_srgb(old)
    reference = float(np.median(lab[:, 0])) if len(lab) else 0.0
    new = _mixed(old, _target(lab, to, reference), strength)
    length_m = _BLEND_SPACINGS * state.spacing_m if blend_m is None else blend_m
    if length_m > 0:
        new += _correction(state, is_selected, to, strength=strength, reference=reference, length_m=length_m)[
            i_selected
        ]
    sh = state.rows.sh.copy()
    sh[i_selected] = with_base_colors(state.rows.sh[i_selected], np.clip(new, 0.0, 1.0))
    return sh


def _target(lab: FloatArray, to: ToColor | Shift, reference: float) -> FloatArray:
    if isinstance(to, Shift):
        return srgb_from_lab(lab + np.array(to.lab))
    wanted = lab_from_srgb(np.array(to.color_rgb))
    changed = np.tile(wanted, (len(lab), 1))
    changed[:, 0] += lab[:, 0] - reference
    return srgb_from_lab(changed)


def _mixed(old: FloatArray, new: FloatArray, strength: float) -> FloatArray:
    return old + strength * (new - old)


def _correction(
    state: EditState,
    is_selected: BoolArray,
    to: ToColor | Shift,
    *,
    strength: float,
    reference: float,
    length_m: float,
) -> FloatArray:
    """Returns `u` of each row, [N, 3]; 0 where the surroundings do not reach."""
    correction = np.zeros((len(state), 3))
    i_alive = np.flatnonzero(state.is_alive)
    is_in = is_selected[i_alive]
    if is_in.all() or not is_in.any():
        return correction
    points = state.rows.means_m[i_alive]
    ring = rings(points, ~is_in, side_m=length_m, count=_REACH_LENGTHS + 1)
    # outside, what may be a neighbour of the inside: in cubes that hold or touch selected ones
    near_in = rings(points, is_in, side_m=length_m, count=1) >= 0
    i_unknown = i_alive[is_in & (ring >= 0) & (ring <= _REACH_LENGTHS)]
    i_outside, i_beyond = i_alive[~is_in & near_in], i_alive[is_in & (ring > _REACH_LENGTHS)]
    if not len(i_outside) or not len(i_unknown):
        return correction
    i_unknown = i_unknown[order_by_place(state.rows.means_m[i_unknown], side_m=length_m / 2)]
    outside = base_colors(state.rows.sh[i_outside, :1])
    fixed = np.zeros((len(i_outside) + len(i_beyond), 3))
    fixed[: len(i_outside)] = outside - _mixed(outside, _target(lab_from_srgb(outside), to, reference), strength)
    correction[i_unknown] = _screened_poisson(
        state.rows.means_m[i_unknown],
        state.rows.means_m[np.concatenate([i_outside, i_beyond])],
        fixed,
        length_m=length_m,
        min_distance_m=_MIN_DISTANCE_SPACINGS * state.spacing_m,
    )
    return correction


def _screened_poisson(
    unknown_points: np.ndarray,
    known_points: np.ndarray,
    known_values: FloatArray,
    *,
    length_m: float,
    min_distance_m: float,
) -> Float64[FloatArray, "U 3"]:
    count = len(unknown_points)
    points = np.concatenate([unknown_points, known_points])
    neighbour_count = min(_NEIGHBOUR_COUNT, len(points) - 1)
    distances, i_near = build_tree(points).query(unknown_points, k=neighbour_count + 1, workers=QUERY_THREADS)
    distances, i_near = np.asarray(distances)[:, 1:], np.asarray(i_near, np.int64)[:, 1:]
    weights = _LAPLACE_FACTOR / neighbour_count / np.maximum(distances, max(min_distance_m, 1e-9)) ** 2
    i_row: IntArray = np.repeat(np.arange(count), neighbour_count)
    graph = csr_array((weights.ravel(), (i_row, i_near.ravel())), shape=(count, len(points)))
    graph = graph.astype(np.float32)  # half the memory to pass over, and far finer than the tolerance
    inside, border = graph[:, :count], graph[:, count:]
    # a neighbour need not be one back; the solver wants symmetry
    inside = (0.5 * (inside + inside.T)).tocsr()
    diagonal = inside.sum(axis=1) + border.sum(axis=1) + 1.0 / length_m**2
    right: Float32Array = np.asarray(border @ known_values.astype(np.float32))
    return _conjugate_gradients(inside, np.asarray(diagonal, np.float32), right)


def _conjugate_gradients(weights: csr_array, diagonal: Float32Array, right: Float32Array) -> FloatArray:
    """Solves `(diag(diagonal) - weights) x = right` for three channels side by side, with the diagonal as preconditioner."""
    scale = diagonal[:, None]
    x = np.zeros_like(right)
    residual = right.copy()
    step = residual / scale
    direction, old = step.copy(), np.einsum("ij,ij->j", residual, step)
    goal = _TOLERANCE**2 * old
    for _ in range(_MAX_ITERATIONS):
        if (old <= goal).all():
            break
        moved = scale * direction - weights @ direction
        along = np.einsum("ij,ij->j", direction, moved)
        length = np.divide(old, along, out=np.zeros(3, np.float32), where=along > 0)
        x += length * direction
        residual -= length * moved
        step = residual / scale
        new = np.einsum("ij,ij->j", residual, step)
        direction = step + np.divide(new, old, out=np.zeros(3, np.float32), where=old > 0) * direction
        old = new
    return x.astype(np.float64)
