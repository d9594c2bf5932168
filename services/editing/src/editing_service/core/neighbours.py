"""Who is near whom: distances to the nearest, and what hangs together."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from editing_service.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from editing_service.core.errors import InvalidSelectionError

# So many rows say what the usual distance is to within a few per cent, in a tenth of the time of all.
_SAMPLE_COUNT = 4096
# Somebody waits for an edit: large questions to a tree are shared by two threads, which answer as one would.
QUERY_THREADS = 2
# Points in a leaf: few questions come to a tree before it is thrown away, so it is built coarse (twice as quickly as with scipy's 10, and asked as quickly).
_LEAF_COUNT = 32
# Bits of a coordinate in a cell's key: three fit into 63. The outermost cells stay empty, so that a step to the side never reaches another row.
_BITS = 21
_MAX_CELLS = (1 << _BITS) - 2
# Half of the 26 cells around a cell; the others see it from their side.
_HALF_NEIGHBOURHOOD = tuple(
    (x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if (x, y, z) > (0, 0, 0)
)


def build_tree(points: Shaped[AnyArray, "N 3"]) -> KDTree:
    """Returns a tree that is built quickly, for few questions."""
    return KDTree(points, leafsize=_LEAF_COUNT, balanced_tree=False, compact_nodes=False)


def sampled_distances(tree: KDTree, *, neighbour_count: int) -> Float64[FloatArray, "S K"]:
    """Distances of evenly chosen points of a tree to their nearest neighbours, the nearest first, [S, K]; K is less where there are fewer points."""
    points = np.asarray(tree.data)
    step = max(1, len(points) // _SAMPLE_COUNT)
    wanted = min(neighbour_count, len(points) - 1)
    if wanted < 1:
        return np.zeros((0, 0))
    distances, _ = tree.query(points[::step], k=wanted + 1)
    return np.asarray(distances, np.float64)[:, 1:]  # the nearest is the point itself


def median_spacing(points: Shaped[AnyArray, "N 3"]) -> float:
    """Median distance of a point to its nearest neighbour; 0 where there are not two."""
    if len(points) < 2:
        return 0.0
    distances = sampled_distances(build_tree(points), neighbour_count=1)
    return float(np.median(distances[:, 0]))


def far_neighbours(
    points: Shaped[AnyArray, "N 3"], tree: KDTree, *, neighbour_count: int, threshold_m: float
) -> tuple[Int64[IntArray, " F"], Float64[FloatArray, " F"]]:
    """Which points have their k-th nearest neighbour beyond a threshold, and how far it is.

    Exact, and quick because most points need no question: where a cube whose diagonal is the threshold holds more than k points, none of them is far.

    Args:
        points: The tree's points, more than k of them.
        tree: Over all of them.
        neighbour_count: k, 1 or more.
        threshold_m: The threshold, positive.

    Returns:
        Indices of the points, [F], and the distances, [F].
    """
    side_m = max(threshold_m / np.sqrt(3.0), smallest_side_m(points))
    _, i_cell, counts = _cells(points, side_m)
    is_open = counts[i_cell] <= neighbour_count
    if side_m * np.sqrt(3.0) > threshold_m * (1 + 1e-9):  # the cubes are too large to say anything
        is_open[:] = True
    i_open = np.flatnonzero(is_open)
    i_open = i_open[
        np.argsort(i_cell[i_open], kind="stable")
    ]  # who asks next is near who asked last, and finds the tree in the cache
    if not len(i_open):
        return i_open, np.zeros(0)
    distances, _ = tree.query(points[i_open], k=neighbour_count + 1, workers=QUERY_THREADS)
    distances_m = np.asarray(distances, np.float64)[:, -1]
    is_far = distances_m > threshold_m
    return i_open[is_far], distances_m[is_far]


def components(points: Shaped[AnyArray, "N 3"], *, gap_m: float) -> tuple[Int64[IntArray, " N"], Int64[IntArray, " C"]]:
    """What hangs together: points whose cubes of side `gap_m` are the same or touch, directly or over others.

    Returns:
        The component of each point, [N], and how many points each has, [C]. Points up to `gap_m` apart are always together, and points more than
        `2 sqrt(3) gap_m` apart never by themselves.

    Raises:
        InvalidSelectionError: The gap is so small that the world would have more than 2^21 cubes a side.
    """
    if not len(points):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    keys, i_cell, _ = _cells(points, gap_m)
    firsts: list[IntArray] = []
    seconds: list[IntArray] = []
    for x, y, z in _HALF_NEIGHBOURHOOD:
        wanted = keys + ((x << 2 * _BITS) + (y << _BITS) + z)
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found = keys[places] == wanted
        firsts.append(np.flatnonzero(found))
        seconds.append(places[found])
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(len(keys), len(keys)))
    _, of_cell = connected_components(graph, directed=False)
    labels = np.asarray(of_cell, np.int64)[i_cell]
    return labels, np.bincount(labels).astype(np.int64)


def rings(
    points: Shaped[AnyArray, "N 3"], is_start: Bool[BoolArray, " N"], *, side_m: float, count: int
) -> Int64[IntArray, " N"]:
    """How many cubes of side `side_m` lie between each point and the nearest start, over cubes that hold points: 0 in a start's own cube, -1 beyond `count`.

    Cubes that are too small for the world are as small as they can be.
    """
    keys, i_cell, _ = _cells(points, max(side_m, smallest_side_m(points)))
    ring = np.full(len(keys), -1, np.int64)
    ring[i_cell[is_start]] = 0
    steps = np.array([(x << 2 * _BITS) + (y << _BITS) + z for x, y, z in _HALF_NEIGHBOURHOOD], np.int64)
    steps = np.concatenate([steps, -steps])
    for number in range(1, count + 1):
        reached = (keys[ring == number - 1][:, None] + steps).ravel()
        places = np.minimum(np.searchsorted(keys, reached), len(keys) - 1)
        fresh = places[(keys[places] == reached) & (ring[places] < 0)]
        ring[fresh] = number
    return ring[i_cell]


def order_by_place(points: Shaped[AnyArray, "N 3"], *, side_m: float) -> Int64[IntArray, " N"]:
    """Returns an order of points in which those of one cube of side `side_m` come together, as caches like it."""
    _, i_cell, _ = _cells(points, max(side_m, smallest_side_m(points)))
    return np.argsort(i_cell, kind="stable")


def smallest_side_m(points: Shaped[AnyArray, "N 3"]) -> float:
    """Returns the side of the smallest cubes that a grid over these points can have; positive."""
    span_m = max(float(column.max()) - float(column.min()) for column in points.T)
    return max(span_m / (_MAX_CELLS - 1), 1e-12)


def _cells(points: Shaped[AnyArray, "N 3"], side_m: float) -> tuple[IntArray, IntArray, IntArray]:
    """Returns the keys of the cubes that hold points, in their order, [C]; the place of each point's cube among them, [N]; and their counts, [C].

    Raises:
        InvalidSelectionError: There would be more than 2^21 cubes a side.
    """
    # column by column: numpy is slow along short axes
    columns = [column.astype(np.float64) - column.min() for column in points.T]
    span_m = max(float(column.max()) for column in columns)
    if not side_m > 0 or span_m / side_m >= _MAX_CELLS:
        raise InvalidSelectionError(
            f"A gap of {side_m:g} m is too small for a world of {span_m:g} m.", metadata={"gap_m": f"{side_m:g}"}
        )
    x, y, z = ((column / side_m).astype(np.int64) + 1 for column in columns)
    keys, i_cell, counts = np.unique((x << 2 * _BITS) | (y << _BITS) | z, return_inverse=True, return_counts=True)
    return keys, i_cell.astype(np.int64), counts.astype(np.int64)
