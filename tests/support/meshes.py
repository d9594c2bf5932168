"""Small meshes made on the spot."""

from __future__ import annotations

import numpy as np

from praxiscope_worlds import Mesh


def make_ball(
    ring_count: int = 24, *, radius_m: float = 1.0, middle_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Mesh:
    """A ball with a seam, coloured from foot to top; 4 ring_count (ring_count - 1) faces."""
    around, down = np.meshgrid(
        np.linspace(0, 2 * np.pi, 2 * ring_count + 1), np.linspace(0, np.pi, ring_count + 1)
    )  # fmt: skip
    unit = np.stack([np.sin(down) * np.sin(around), np.cos(down), np.sin(down) * np.cos(around)], axis=-1)
    corner = np.arange(around.size).reshape(around.shape)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    # The caps' triangles: those of the first and the last ring have two corners at the pole, and are left out.
    faces = np.concatenate(
        [np.stack([a, c, b], -1)[1:].reshape(-1, 3), np.stack([a, d, c], -1)[:-1].reshape(-1, 3)]
    )  # fmt: skip
    vertices = unit.reshape(-1, 3)
    colors = np.stack([200 - 60 * vertices[:, 1], 110 + 90 * vertices[:, 1], np.full(len(vertices), 70.0)], axis=1)
    return Mesh(
        vertices_m=(radius_m * vertices + np.array(middle_m)).astype(np.float32),
        faces=faces.astype(np.int32),
        colors_rgb=np.rint(colors).astype(np.uint8),
    )


def make_textured_ball(ring_count: int = 24) -> Mesh:
    """The same with a picture around it whose red grows downwards and whose green grows to the right."""
    ball = make_ball(ring_count)
    right, up = np.meshgrid(np.linspace(0, 1, 2 * ring_count + 1), np.linspace(1, 0, ring_count + 1))
    texture = np.full((64, 128, 3), 60, np.uint8)
    texture[..., 0] = 3 * np.arange(64)[:, None]
    texture[..., 1] = 2 * np.arange(128)
    return Mesh(
        vertices_m=ball.vertices_m,
        faces=ball.faces,
        uvs=np.stack([right, up], axis=-1).reshape(-1, 2).astype(np.float32),
        texture_rgb=texture,
    )


def make_box(
    low_m: tuple[float, float, float], high_m: tuple[float, float, float], color: tuple[int, int, int]
) -> Mesh:
    """A box of one colour."""
    low, high = np.array(low_m), np.array(high_m)
    share = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))]
    return Mesh(
        vertices_m=(low + share * (high - low)).astype(np.float32),
        faces=np.array(faces, np.int32),
        colors_rgb=np.tile(np.array(color, np.uint8), (8, 1)),
    )


def joined(*meshes: Mesh) -> Mesh:
    """One mesh of several that have colours."""
    starts = np.cumsum([0, *(len(mesh.vertices_m) for mesh in meshes)])
    colors = [mesh.colors_rgb for mesh in meshes if mesh.colors_rgb is not None]
    return Mesh(
        vertices_m=np.concatenate([mesh.vertices_m for mesh in meshes]),
        faces=np.concatenate(
            [mesh.faces + np.int32(start) for mesh, start in zip(meshes, starts, strict=False)]
        ),
        colors_rgb=np.concatenate(colors),
    )  # fmt: skip


def make_still_life() -> Mesh:
    """A ball on a box, and a box beside them: things that throw shadows on each other."""
    return joined(
        make_box((-0.7, 0.0, -0.7), (0.7, 0.8, 0.7), (196, 182, 160)),
        make_ball(20, radius_m=0.5, middle_m=(0.0, 1.3, 0.0)),
        make_box((0.9, 0.0, 0.2), (1.3, 1.4, 0.6), (70, 110, 170)),
    )
