"""Did an edit change anything but what it was to change?

Two looks, neither of which knows how the edit was done. Rows: every row that it may not touch must be what it was, bit for bit. Pictures: the world is drawn
before and after from some of its cameras, and where neither what it may touch nor what came of it covers a pixel, the pixel must be what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32

from editing_service.core.arrays import BoolArray, Float32Array
from editing_service.core.compare import Difference
from editing_service.core.state import EditState
from praxiscope_worlds import Camera
from praxiscope_worlds.kernels import RenderOptions, SplatKernels, WorldTooDenseError

# Drawing is exact, so a difference means a change; this only lets rounding pass, should a backend sum in another order. An 8-bit level is 0.004.
TOLERANCE = 1e-4
_SIDE_PX = 160


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """What was found.

    Attributes:
        is_consistent: Whether nothing changed outside.
        changed_outside_count: Rows outside that are not what they were.
        max_difference: The largest difference of a pixel outside, 0 to 1.
        mean_difference: The mean difference of the pixels outside.
        compared_share: Share of all pixels that lie outside.
        picture_count: How many pictures were compared.
        elapsed_ms: Milliseconds that it took.
    """

    is_consistent: bool
    changed_outside_count: int
    max_difference: float
    mean_difference: float
    compared_share: float
    picture_count: int
    elapsed_ms: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Looks:
    """From where, and how, a world is looked at.

    Attributes:
        cameras: Small ones, of the world as it is now.
        kernels: What draws.
        options: How the world is drawn.
    """

    cameras: Sequence[Camera]
    kernels: SplatKernels
    options: RenderOptions

    def pictures(self, state: EditState) -> Sequence[Float32[Float32Array, "H W 3"]]:
        """Draws a world from every camera; nothing where it is too dense to be drawn, so that rows alone are compared."""
        try:
            return [self.kernels.render(state.drawn, camera, self.options).color_rgb for camera in self.cameras]
        except WorldTooDenseError:
            return ()

    def blank(self) -> Sequence[Float32[Float32Array, "H W 3"]]:
        """Returns pictures of nothing, where what is in them does not matter."""
        return [np.zeros((camera.height_px, camera.width_px, 3), np.float32) for camera in self.cameras]


def small_camera(camera: Camera) -> Camera:
    """Returns a camera whose longer side has 160 pixels, or as many as it has where these are fewer."""
    scale = min(1.0, _SIDE_PX / max(camera.width_px, camera.height_px))
    return Camera(
        width_px=max(1, round(camera.width_px * scale)),
        height_px=max(1, round(camera.height_px * scale)),
        focal_px=(camera.focal_px[0] * scale, camera.focal_px[1] * scale),
        centre_px=(camera.centre_px[0] * scale, camera.centre_px[1] * scale),
        world_from_camera=camera.world_from_camera,
    )


def check_consistency(
    before: EditState,
    after: EditState,
    difference: Difference,
    is_touchable: Bool[BoolArray, " N"],
    looks: Looks,
    *,
    pictures_before: Sequence[Float32[Float32Array, "H W 3"]],
    pictures_after: Sequence[Float32[Float32Array, "H W 3"]],
) -> Consistency:
    """Compares a world before and after an edit, outside what the edit may touch.

    Args:
        before: The world before it.
        after: The world after it.
        difference: Their difference.
        is_touchable: Which rows of `before` it may change or take away, [N].
        looks: From where the pictures are taken.
        pictures_before: `looks.pictures(before)`.
        pictures_after: `looks.pictures(after)`.
    """
    outside_count = int(np.count_nonzero((difference.is_changed | difference.is_removed) & ~is_touchable))
    is_open = np.concatenate([is_touchable, np.ones(len(after) - len(before), np.bool_)])
    parts = [replace(before, is_alive=before.is_alive & is_touchable)]
    if (
        difference.moved_count or difference.added_count
    ):  # what only lost its colour or itself covers nothing that it did not cover before
        parts.append(replace(after, is_alive=after.is_alive & is_open))
    largest, total, outside_pixels, all_pixels, compared = 0.0, 0.0, 0, 0, 0
    has_outside = bool((before.is_alive & ~is_touchable).any())
    footprint = replace(looks.options, background_rgb=(0.0, 0.0, 0.0), sh_degree=0)
    # one of the two has no pictures where it cannot be drawn
    for camera, old, new in zip(looks.cameras, pictures_before, pictures_after, strict=False):
        all_pixels += old.shape[0] * old.shape[1]
        if not has_outside:
            continue
        is_outside = np.ones(old.shape[:2], np.bool_)
        for part in parts:
            if part.count:
                is_outside &= looks.kernels.render(part.drawn, camera, footprint).alpha <= 0
        compared += 1
        error = np.abs(new - old)[is_outside]
        if error.size:
            outside_pixels += int(is_outside.sum())
            largest = max(largest, float(error.max()))
            total += float(error.mean(dtype=np.float64)) * int(is_outside.sum())
    return Consistency(
        is_consistent=outside_count == 0 and largest <= TOLERANCE,
        changed_outside_count=outside_count,
        max_difference=largest,
        mean_difference=total / max(1, outside_pixels),
        compared_share=outside_pixels / max(1, all_pixels),
        picture_count=compared,
    )
