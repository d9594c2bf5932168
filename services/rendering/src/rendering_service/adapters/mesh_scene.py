"""A mesh as engines want it, in the file that hands it to the program that draws; `mesh_preparation.py` makes it of a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

_GROUND_ALBEDO = 0.35


@dataclass(frozen=True, kw_only=True, eq=False)
class MeshScene:
    """What is drawn.

    Attributes:
        vertices_m: Corners, [V, 3], float32.
        faces: [F, 3], int32; no corner twice.
        albedo: Reflected share of light at each corner, linear, [V, 3], float32. White where the texture says it.
        uvs: [V, 2], float32; (0, 0) is the texture's bottom left. Without rows where there is no texture.
        texture_rgb: sRGB, rows from the top, [H, W, 3], uint8. Without rows where there is none.
        ground_m: Corners of the ground in their order around it, [4, 3]. Without rows where none was asked for.
    """

    vertices_m: np.ndarray
    faces: np.ndarray
    albedo: np.ndarray
    uvs: np.ndarray
    texture_rgb: np.ndarray
    ground_m: np.ndarray

    @property
    def parts(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Corners, faces, albedo and texture coordinates of the mesh and of the ground, where there is one."""
        parts = [(self.vertices_m, self.faces, self.albedo, self.uvs)]
        if len(self.ground_m):
            square = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
            grey = np.full((4, 3), _GROUND_ALBEDO, np.float32)
            parts.append((self.ground_m, square, grey, np.zeros((0, 2), np.float32)))
        return parts

    def save(self, path: Path) -> None:
        """Writes it; not packed, it is read once and soon."""
        np.savez(
            path,
            vertices_m=self.vertices_m,
            faces=self.faces,
            albedo=self.albedo,
            uvs=self.uvs,
            texture_rgb=self.texture_rgb,
            ground_m=self.ground_m,
        )

    @classmethod
    def load(cls, path: Path) -> MeshScene:
        """Reads what `save` wrote."""
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})
