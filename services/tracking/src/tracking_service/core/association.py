"""Which box belongs to which: overlap, and the assignment that makes the sum of costs least."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment  # pyright: ignore[reportUnknownVariableType]
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components  # pyright: ignore[reportUnknownVariableType]

from tracking_service.core.types import FloatArray, IntArray

# Up to this many pairs a dense matrix is faster than taking the problem apart (`make bench PART=tracking`).
DENSE_PAIR_COUNT = 4096
NOTHING: IntArray = np.zeros(0, dtype=np.int64)


def compute_iou(first_xyxy: FloatArray, second_xyxy: FloatArray) -> FloatArray:
    """Computes intersection over union of every pair of boxes.

    Args:
        first_xyxy: Boxes (left, top, right, bottom). [N, 4]
        second_xyxy: Boxes. [M, 4]

    Returns:
        Values in [0, 1]; 0 where both are without area. [N, M]
    """
    size = np.minimum(first_xyxy[:, None, 2:], second_xyxy[:, 2:])
    size -= np.maximum(first_xyxy[:, None, :2], second_xyxy[:, :2])
    np.maximum(size, 0.0, out=size)
    overlap = size[..., 0] * size[..., 1]
    return _ratio(overlap, _area(first_xyxy)[:, None], _area(second_xyxy))


def match_by_overlap(
    tracks_xyxy: FloatArray, detections_xyxy: FloatArray, *, weights: FloatArray | None, max_cost: float
) -> tuple[IntArray, IntArray]:
    """Pairs tracks with detections at the least sum of costs 1 - IoU x weight, none above a limit.

    Leaving a track and a detection alone costs as much as pairing them at the limit, as in the papers. Far pairs never
    match, so a crowd falls apart into
    groups that touch, which are solved one by one; the result is that of the whole matrix.

    Args:
        tracks_xyxy: Predicted boxes. [N, 4]
        detections_xyxy: Detected boxes. [M, 4]
        weights: Factor on each detection's overlap, such as its score; None for 1. [M]
        max_cost: Limit, exclusive at 1 (boxes that do not touch never match).

    Returns:
        Rows of tracks and rows of detections of the pairs, equally long, in order of the tracks.
    """
    if not len(tracks_xyxy) or not len(detections_xyxy):
        return NOTHING, NOTHING
    if len(tracks_xyxy) * len(detections_xyxy) <= DENSE_PAIR_COUNT:
        similarity = compute_iou(tracks_xyxy, detections_xyxy)
        if weights is not None:
            similarity *= weights
        return match_by_gain(similarity, min_similarity=1.0 - max_cost)
    i_track, i_detection = _find_touching(tracks_xyxy, detections_xyxy)
    similarity = _pair_iou(tracks_xyxy[i_track], detections_xyxy[i_detection])
    if weights is not None:
        similarity *= weights[i_detection]
    keep = (similarity >= 1.0 - max_cost) & (similarity > 0.0)
    gain = similarity[keep] - (1.0 - max_cost)
    return _match_sparse(i_track[keep], i_detection[keep], gain, (len(tracks_xyxy), len(detections_xyxy)))


def match_by_gain(similarity: FloatArray, *, min_similarity: float) -> tuple[IntArray, IntArray]:
    """Pairs rows with columns so that the sum of what they are more similar than the limit is largest.

    Args:
        similarity: Similarity of every pair, at least 0; 0 never matches. [N, M]
        min_similarity: Least similarity of a pair.

    Returns:
        Rows and columns of the pairs, in order of the rows.
    """
    # A pair at the limit is worth a hair more than none, so that the limit itself is allowed.
    gain = np.where((similarity >= min_similarity) & (similarity > 0.0), similarity - min_similarity + 1e-9, 0.0)
    rows, columns = _assign(gain)
    is_pair = gain[rows, columns] > 0.0
    return rows[is_pair], columns[is_pair]


def _assign(gain: FloatArray) -> tuple[IntArray, IntArray]:
    """Pairs rows with columns at the largest sum (scipy's Jonker-Volgenant, without its missing types)."""
    rows, columns = linear_sum_assignment(gain, maximize=True)  # pyright: ignore[reportUnknownVariableType]
    return np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64)


def _area(boxes: FloatArray) -> FloatArray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _ratio(overlap: FloatArray, first_area: FloatArray, second_area: FloatArray) -> FloatArray:
    union = first_area + second_area
    union = union - overlap
    return overlap / np.maximum(union, 1e-12)


def _pair_iou(first: FloatArray, second: FloatArray) -> FloatArray:
    size = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    np.maximum(size, 0.0, out=size)
    return _ratio(size[:, 0] * size[:, 1], _area(first), _area(second))


def _find_touching(first: FloatArray, second: FloatArray) -> tuple[IntArray, IntArray]:
    """Lists all pairs whose boxes overlap, and a few that only nearly do.

    Those that may overlap across are found in the sorted left sides; up and down is checked pair by pair.
    """
    order = np.argsort(second[:, 0], kind="stable")
    lefts = second[order, 0]
    widest = float((second[:, 2] - second[:, 0]).max())
    start = np.searchsorted(lefts, first[:, 0] - widest, side="left")
    stop = np.searchsorted(lefts, first[:, 2], side="right")
    counts = stop - start
    i_first = np.repeat(np.arange(len(first)), counts)
    offsets = np.arange(len(i_first)) - np.repeat(np.cumsum(counts) - counts, counts)
    i_second = order[np.repeat(start, counts) + offsets]
    touches = (first[i_first, 1] < second[i_second, 3]) & (second[i_second, 1] < first[i_first, 3])
    return i_first[touches], i_second[touches]


def _match_sparse(
    rows: IntArray, columns: IntArray, gain: FloatArray, shape: tuple[int, int]
) -> tuple[IntArray, IntArray]:
    row_count, column_count = shape
    if not len(rows):
        return NOTHING, NOTHING
    row_degree = np.bincount(rows, minlength=row_count)
    column_degree = np.bincount(columns, minlength=column_count)
    # Most pairs know nobody else: no choice to be made.
    is_lonely = (row_degree[rows] == 1) & (column_degree[columns] == 1)
    found_rows, found_columns = [rows[is_lonely]], [columns[is_lonely]]
    rows, columns, gain = rows[~is_lonely], columns[~is_lonely], gain[~is_lonely]
    if len(rows):
        node_count = row_count + column_count
        graph = coo_array(
            (np.ones(len(rows), dtype=np.int8), (rows, columns + row_count)), shape=(node_count, node_count)
        )
        label: IntArray = np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)[rows]
        order = np.argsort(label, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
            group_rows, row_place = np.unique(rows[group], return_inverse=True)
            group_columns, column_place = np.unique(columns[group], return_inverse=True)
            dense = np.zeros((len(group_rows), len(group_columns)))
            dense[row_place, column_place] = gain[group] + 1e-9
            picked_rows, picked_columns = _assign(dense)
            is_pair = dense[picked_rows, picked_columns] > 0.0
            found_rows.append(group_rows[picked_rows[is_pair]])
            found_columns.append(group_columns[picked_columns[is_pair]])
    all_rows, all_columns = np.concatenate(found_rows), np.concatenate(found_columns)
    order = np.argsort(all_rows, kind="stable")
    return all_rows[order].astype(np.int64), all_columns[order].astype(np.int64)
