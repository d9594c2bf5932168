"""Filling a hole in a surface from what surrounds it.

The surroundings are laid on their own plane. Cells of that plane that no Gaussian of them covers, and that are closed in by cells which one does, are the
hole. Over it the surface goes on as a thin plate through its surroundings (J. Duchon 1977), and every cell gets a copy of a Gaussian from the border: its
shape as it is, its colour shifted so that the mean colour goes over the hole as a membrane does (Laplace's equation), which leaves texture and no seam.
"""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import binary_closing, binary_fill_holes, binary_propagation
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree

from editing_service.core.arrays import BoolArray, FloatArray, IntArray
from editing_service.core.colors import base_colors, with_base_colors
from editing_service.core.errors import HoleNotFoundError
from praxiscope_worlds import GaussianWorld

# Cells are so much wider than the usual distance of neighbours that a closed surface has none empty.
_CELL_SPACINGS = 2.0
_MAX_CELLS_A_SIDE = 512
# Plates over more neighbours than these are no smoother.
_PLATE_NEIGHBOURS = 48
_MIN_ROWS = 16
# Gaussians a cell: as many as its surroundings have, about.
_MAX_A_CELL = 16
_SOURCES = 12


def fill_hole(rows: GaussianWorld, *, spacing_m: float, max_count: int, random: np.random.Generator) -> GaussianWorld:
    """Returns the Gaussians that close the hole.

    Args:
        rows: What surrounds it.
        spacing_m: Usual distance of neighbours there, positive.
        max_count: At most so many.
        random: Draws which are copied, and where in its cell each lies.

    Raises:
        HoleNotFoundError: Nothing is closed in.
    """
    if len(rows) < _MIN_ROWS or spacing_m <= 0:
        raise HoleNotFoundError()
    points = rows.means_m.astype(np.float64)
    middle = points.mean(axis=0)
    axes = np.linalg.svd(points - middle, full_matrices=False)[2]  # [axis, 3], the last across the surface
    local = (points - middle) @ axes.T
    low, span = local[:, :2].min(axis=0), np.ptp(local[:, :2], axis=0)
    side_m = max(_CELL_SPACINGS * spacing_m, float(span.max()) / (_MAX_CELLS_A_SIDE - 4))
    cells = np.floor((local[:, :2] - low) / side_m).astype(np.int64) + 2
    shape = (int(cells[:, 0].max()) + 3, int(cells[:, 1].max()) + 3)
    counts = np.zeros(shape, np.int64)
    np.add.at(counts, (cells[:, 0], cells[:, 1]), 1)
    # gaps of a cell are no holes, but where a hole is, it reaches up to the cells that are covered
    is_closed = binary_closing(counts > 0, structure=np.ones((3, 3), np.bool_))
    is_inside = binary_fill_holes(is_closed)
    is_hole = binary_propagation(is_inside & ~is_closed, mask=is_inside & (counts == 0))
    if not is_hole.any():
        raise HoleNotFoundError()
    places, i_cell = _scatter(is_hole, counts, low, side_m, max_count, random)
    heights = _plate(local, places)
    i_source = _draw_sources(local, places, random)
    colors = base_colors(rows.sh)
    shift = _membrane(colors, cells, counts, is_hole)[tuple(i_cell.T)] - _local_means(colors, local)[i_source]
    copies = rows.select(i_source)
    means = middle + np.column_stack([places, heights]) @ axes
    return GaussianWorld(
        means_m=means.astype(np.float32),
        quaternions_wxyz=copies.quaternions_wxyz,
        log_scales=copies.log_scales,
        opacity_logits=copies.opacity_logits,
        sh=with_base_colors(copies.sh, np.clip(colors[i_source] + shift, 0.0, 1.0)),
    )


def _scatter(
    is_hole: BoolArray, counts: IntArray, low: FloatArray, side_m: float, max_count: int, random: np.random.Generator
) -> tuple[FloatArray, IntArray]:
    """Returns places in the hole, [M, 2], and the cell of each, [M, 2]: as many a cell as covered cells have."""
    a_cell = int(np.clip(np.median(counts[counts > 0]), 1, _MAX_A_CELL))
    i_cell = np.argwhere(is_hole)
    a_cell = max(1, min(a_cell, max_count // max(1, len(i_cell))))
    if len(i_cell) > max_count:
        i_cell = i_cell[np.sort(random.choice(len(i_cell), max_count, replace=False))]
    i_cell = np.repeat(i_cell, a_cell, axis=0)
    return low + (i_cell - 2 + random.random((len(i_cell), 2))) * side_m, i_cell


def _plate(local: FloatArray, places: FloatArray) -> Float64[FloatArray, " M"]:
    """Returns the height of the surface over places of the plane."""
    flat = np.column_stack([np.ones(len(local)), local[:, :2]])
    tilt, *_ = np.linalg.lstsq(flat, local[:, 2], rcond=None)
    rest = local[:, 2] - flat @ tilt
    sample = slice(None, None, max(1, len(local) // 4000))
    plate = RBFInterpolator(
        local[sample, :2],
        rest[sample],
        neighbors=min(_PLATE_NEIGHBOURS, len(local[sample])),
        kernel="thin_plate_spline",
        smoothing=1.0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # doubles among the places are smoothed over
        bent = np.asarray(plate(places))
    # between its surroundings a plate stays within what they are; a runaway is cut
    bent = np.clip(bent, rest.min(), rest.max())
    return np.column_stack([np.ones(len(places)), places]) @ tilt + bent


def _draw_sources(local: FloatArray, places: FloatArray, random: np.random.Generator) -> IntArray:
    """Returns which Gaussian is copied to each place: one of the nearest."""
    count = min(_SOURCES, len(local))
    _, i_near = KDTree(local[:, :2]).query(places, k=count)
    i_near = np.asarray(i_near, np.int64).reshape(len(places), count)
    return i_near[np.arange(len(places)), random.integers(0, count, len(places))]


def _local_means(colors: FloatArray, local: FloatArray) -> FloatArray:
    """Returns the mean colour around each Gaussian, [N, 3]."""
    count = min(_SOURCES, len(local))
    _, i_near = KDTree(local[:, :2]).query(local[:, :2], k=count)
    return colors[np.asarray(i_near, np.int64).reshape(len(local), count)].mean(axis=1)


def _membrane(colors: FloatArray, cells: IntArray, counts: IntArray, is_hole: BoolArray) -> FloatArray:
    """Returns a colour for every cell, [H, W, 3]: the mean of its Gaussians or of those of the nearest cell, and in the hole Laplace's solution."""
    field = np.zeros((*counts.shape, 3))
    np.add.at(field, (cells[:, 0], cells[:, 1]), colors)
    field /= np.maximum(counts, 1)[..., None]
    i_full, i_empty = np.argwhere(counts > 0), np.argwhere(counts == 0)
    _, i_nearest = KDTree(i_full).query(i_empty)
    field[tuple(i_empty.T)] = field[tuple(i_full[np.asarray(i_nearest)].T)]
    i_hole = np.argwhere(is_hole)
    number = np.full(counts.shape, -1, np.int64)
    number[is_hole] = np.arange(len(i_hole))
    matrix = 4.0 * eye_array(len(i_hole), format="csr")
    right = np.zeros((len(i_hole), 3))
    for step in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        beside = tuple((i_hole + step).T)  # never off the grid: a hole is closed in
        i_other = number[beside]
        is_inside = i_other >= 0
        ones = np.ones(int(is_inside.sum()))
        places = (np.flatnonzero(is_inside), i_other[is_inside])
        matrix = matrix - csr_array((ones, places), shape=matrix.shape)
        right[~is_inside] += field[beside][~is_inside]
    field[is_hole] = splu(matrix.tocsc()).solve(right)
    return field
