"""Parts that worlds are put together from: patches of corners with a colour each, fine enough that the colours are the texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, kw_only=True, eq=False)
class Patch:
    """A piece of surface before light falls on it.

    Attributes:
        vertices_m: Corners in the world's frame, [V, 3].
        faces: Counter-clockwise seen from outside, [F, 3].
        albedo: Reflected share of light, linear, at each corner, [V, 3].
        glow: Light that each corner gives by itself, linear, [V, 3].
        occlusion: Share of the sky that each corner sees, 0 to 1, before its surroundings are looked at, [V].
    """

    vertices_m: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    albedo: Float[np.ndarray, "V 3"]
    glow: Float[np.ndarray, "V 3"]
    occlusion: Float[np.ndarray, " V"]


def patch(
    vertices_m: np.ndarray,
    faces: np.ndarray,
    albedo: np.ndarray,
    *,
    glow: np.ndarray | None = None,
    occlusion: np.ndarray | None = None,
) -> Patch:
    """A patch; without glow and open to the sky unless said."""
    return Patch(
        vertices_m=vertices_m,
        faces=faces,
        albedo=np.clip(np.broadcast_to(albedo, vertices_m.shape), 0, 1),
        glow=np.zeros(vertices_m.shape) if glow is None else glow,
        occlusion=np.ones(len(vertices_m)) if occlusion is None else occlusion,
    )


def joined(patches: Sequence[Patch]) -> Patch:
    """One patch of several."""
    starts = np.cumsum([0, *(len(item.vertices_m) for item in patches)])
    return Patch(
        vertices_m=np.concatenate([item.vertices_m for item in patches]),
        faces=np.concatenate([item.faces + start for item, start in zip(patches, starts, strict=False)]),
        albedo=np.concatenate([item.albedo for item in patches]),
        glow=np.concatenate([item.glow for item in patches]),
        occlusion=np.concatenate([item.occlusion for item in patches]),
    )


def grid_faces(row_count: int, column_count: int) -> Int[np.ndarray, "F 3"]:
    """Triangles of a grid of corners, row by row; they face along (direction from row to row) x (direction within a row)."""
    corner = np.arange(row_count * column_count).reshape(row_count, column_count)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    # Diagonals alternate, so that no direction shows.
    is_even = (np.indices(a.shape).sum(axis=0) % 2 == 0)[..., None]
    first = np.where(is_even, np.stack([a, c, b], -1), np.stack([a, d, b], -1))
    second = np.where(is_even, np.stack([a, d, c], -1), np.stack([b, d, c], -1))
    return np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)])


def sheet(
    origin: np.ndarray, along_u: np.ndarray, along_v: np.ndarray, *, step_m: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A flat rectangle; it faces along `along_u` x `along_v`.

    Returns:
        Corners [V, 3], faces [F, 3], and the distances of corners along the two sides in metres, [V, 2].
    """
    lengths = np.array([np.linalg.norm(along_u), np.linalg.norm(along_v)])
    counts = np.maximum(2, np.ceil(lengths / step_m).astype(int) + 1)
    shares = np.stack(np.meshgrid(*(np.linspace(0, 1, count) for count in counts), indexing="ij"), axis=-1)
    shares = shares.reshape(-1, 2)
    corners = origin + shares[:, :1] * along_u + shares[:, 1:] * along_v
    return corners, grid_faces(int(counts[0]), int(counts[1])), shares * lengths


def ball(subdivision_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions and faces of an icosahedron cut finer."""
    golden = (1 + 5**0.5) / 2
    corners = np.array(
        [[s * 1, t * golden, 0] for s in (-1, 1) for t in (-1, 1)]
        + [[0, s * 1, t * golden] for s in (-1, 1) for t in (-1, 1)]
        + [[t * golden, 0, s * 1] for s in (-1, 1) for t in (-1, 1)]
    )
    # Faces are the triples of corners that are all one edge (2) apart.
    near = np.isclose(np.linalg.norm(corners[:, None] - corners[None], axis=2), 2)
    faces = np.array(
        [
            (a, b, c) if np.linalg.det(corners[[a, b, c]]) > 0 else (a, c, b)
            for a in range(12)
            for b in range(a + 1, 12)
            for c in range(b + 1, 12)
            if near[a, b] and near[b, c] and near[a, c]
        ]
    )
    for _ in range(subdivision_count):
        corners, faces = _finer(corners, faces)
    return corners / np.linalg.norm(corners, axis=1, keepdims=True), faces


def _finer(corners: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, number = np.unique(edges, axis=0, return_inverse=True)
    middles = (corners[unique[:, 0]] + corners[unique[:, 1]]) / 2
    ab, bc, ca = (number.reshape(-1) + len(corners)).reshape(3, -1)
    a, b, c = faces.T
    finer = np.concatenate([np.stack(item, 1) for item in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return np.concatenate([corners, middles]), finer


def tube(
    base: np.ndarray, top: np.ndarray, radii_m: tuple[float, float], *, sides: int, rings: int
) -> tuple[np.ndarray, np.ndarray]:
    """The side of a cone cut off, upright more or less; corners ring by ring from below."""
    angles = np.arange(sides + 1) / sides * 2 * np.pi
    shares = np.linspace(0, 1, rings)[:, None, None]
    circle = np.stack([np.cos(angles), np.zeros(sides + 1), np.sin(angles)], axis=-1)
    corners = base + shares * (top - base) + circle * (radii_m[0] + shares * (radii_m[1] - radii_m[0]))
    return corners.reshape(-1, 3), grid_faces(rings, sides + 1)


def normals_of(vertices_m: np.ndarray, faces: np.ndarray) -> Float[np.ndarray, "V 3"]:
    """Unit normals at corners, faces weighing by their area; up where a corner has none."""
    a, b, c = (vertices_m[faces[:, i]] for i in range(3))
    face_normals = np.cross(b - a, c - a)
    normals = np.stack(
        [
            np.bincount(faces.reshape(-1), np.repeat(face_normals[:, axis], 3), minlength=len(vertices_m))
            for axis in range(3)
        ],
        axis=1,
    )
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(lengths > 1e-12, normals / np.maximum(lengths, 1e-12), [0.0, 1.0, 0.0])
