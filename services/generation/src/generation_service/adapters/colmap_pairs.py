"""Which photos are worth comparing in full, told from a few features of each; `colmap_program.py` asks.

Comparing two photos in full costs some 75 ms of processor time, and of many photos most pairs share little. The largest features of a photo are few, and they
are those that photos taken from further away show too: comparing these takes two milliseconds. Each photo is then compared in full with those that share most.

Numpy alone: this runs in COLMAP's environment.

Source: C. Wu, "Towards Linear-time Incremental Structure from Motion", 3DV 2013 (preemptive matching).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

Pair = tuple[int, int]
"""Two photos by number, the smaller first."""

_LARGEST_COUNT = 512
# What SIFT's descriptors are compared by, as COLMAP does in full: the nearest must be this much nearer than the next, and near at all (angles in radians).
_MAX_RATIO = 0.8
_MAX_ANGLE = 0.7


def largest_features(keypoints: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
    """Descriptors of the largest features as unit vectors.

    Args:
        keypoints: COLMAP's, [N, 6]: place, and the affine shape row by row, or [N, 4]: place, scale, angle.
        descriptors: Of each, [N, D].

    Returns:
        float32, [M, D], M at most 512.
    """
    sizes = keypoints[:, 2] if keypoints.shape[1] == 4 else np.hypot(keypoints[:, 2], keypoints[:, 4])
    chosen = descriptors[np.argsort(-sizes, kind="stable")[:_LARGEST_COUNT]].astype(np.float32)
    return chosen / np.maximum(np.linalg.norm(chosen, axis=1, keepdims=True), 1e-12)


def likeness(features: Sequence[np.ndarray], *, thread_count: int) -> np.ndarray:
    """Of every two photos, how many of their largest features are each other's nearest; symmetric, [N, N]."""
    count = len(features)
    pairs = list(itertools.combinations(range(count), 2))
    alike = np.zeros((count, count), np.int64)
    with ThreadPoolExecutor(thread_count) as threads:
        for (i, j), shared in zip(
            pairs, threads.map(lambda pair: _shared(features[pair[0]], features[pair[1]]), pairs), strict=True
        ):
            alike[i, j] = alike[j, i] = shared
    return alike


def likely_pairs(alike: np.ndarray, *, neighbour_count: int) -> list[Pair]:
    """The pairs that are compared first.

    Each photo with those it is most like and with the one taken after it; and where that leaves parts which nothing ties together, each part with
    the photos outside that it is most like, as long as it is like any.

    Args:
        alike: As `likeness` counts, [N, N].
        neighbour_count: Photos that each is compared with at least, where there are so many.

    Returns:
        In order, none twice.
    """
    count = len(alike)
    others = alike.astype(np.float64)
    np.fill_diagonal(others, -1.0)
    nearest = np.argsort(-others, axis=1, kind="stable")[:, : min(neighbour_count, count - 1)]
    pairs = {_pair(i, int(j)) for i in range(count) for j in nearest[i]} | {(i, i + 1) for i in range(count - 1)}
    while ties := _ties_between_parts(others, _parts(count, (pair for pair in pairs if alike[pair])), neighbour_count):
        pairs |= ties
    return sorted(pairs)


def left_out(pairs: Iterable[Pair], unplaced: Iterable[int], count: int) -> list[Pair]:
    """Every pair with an unplaced photo in it that was not compared yet, in order."""
    return sorted({_pair(i, j) for i in unplaced for j in range(count) if i != j} - set(pairs))


def _pair(i: int, j: int) -> Pair:
    return (i, j) if i < j else (j, i)


def _shared(a: np.ndarray, b: np.ndarray) -> int:
    if len(a) < 2 or len(b) < 2:
        return 0
    cosines = a @ b.T
    rows = np.arange(len(a))
    nearest = cosines.argmax(axis=1)
    is_mutual = cosines.argmax(axis=0)[nearest] == rows
    angles = np.arccos(np.clip(cosines[rows, nearest], -1, 1))
    cosines[rows, nearest] = -1
    next_angles = np.arccos(np.clip(cosines.max(axis=1), -1, 1))
    return int((is_mutual & (angles < _MAX_RATIO * next_angles) & (angles < _MAX_ANGLE)).sum())


def _parts(count: int, pairs: Iterable[Pair]) -> np.ndarray:
    """The part that each photo belongs to, named by its smallest number, [N]."""
    part = np.arange(count)
    for i, j in pairs:
        if part[i] != part[j]:
            kept, gone = sorted((part[i], part[j]))
            part[part == gone] = kept
    return part


def _ties_between_parts(alike: np.ndarray, part: np.ndarray, tie_count: int) -> set[Pair]:
    """Of each part, the best pairs that lead out of it; none where it is like nothing outside."""
    ties: set[Pair] = set()
    names = np.unique(part)
    if len(names) == 1:
        return ties
    for name in names:
        inside, outside = np.flatnonzero(part == name), np.flatnonzero(part != name)
        block = alike[np.ix_(inside, outside)]
        best = np.argsort(-block, axis=None, kind="stable")[:tie_count]
        rows, columns = np.unravel_index(best, block.shape)
        ties |= {
            _pair(int(inside[row]), int(outside[column]))
            for row, column in zip(rows, columns, strict=True)
            if block[row, column] > 0
        }
    return ties
