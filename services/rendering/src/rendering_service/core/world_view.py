"""What is asked of a view of a world, and what the pixels of its pictures say."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
from jaxtyping import Float32

from praxiscope_worlds import Camera, Orbit
from rendering_service.core.daylight import Daylight
from rendering_service.core.engines import Engine, Lighting, Quality
from rendering_service.core.panorama import Panorama

DEFAULT_SIZE_PX = (960, 540)
LARGE_SIZE_PX = (3840, 2160)
MAX_PANORAMA_WIDTH_PX = 8192
_MAX_DEPTH_LEVEL = 65535


class Layer(Enum):
    """What a pixel says."""

    COLOR = auto()
    DEPTH = auto()
    NORMAL = auto()


@dataclass(frozen=True, kw_only=True)
class RenderSettings:
    """With what and how a world is drawn.

    Attributes:
        path: The file in the version; empty: the world's.
        engine: What draws.
        quality: How well.
        sample_count: Paths of light through a pixel; 0: the quality's.
        lighting: What falls on a mesh.
        daylight: Where the sun is; None: where the world says, else where it usually is.
        has_ground: Whether a ground lies under a mesh.
    """

    path: str = ""
    engine: Engine = Engine.AUTO
    quality: Quality = Quality.STANDARD
    sample_count: int = 0
    lighting: Lighting = Lighting.AUTO
    daylight: Daylight | None = None
    has_ground: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class ViewQuestion:
    """What to draw.

    Attributes:
        world: The asset's version.
        view: A place around the middle, a camera of one's own, the number of one of the world's own pictures, or everything around a place (if large).
        width_px: Width; a camera of one's own has its own.
        height_px: Height, likewise.
        layer: What a pixel says.
        settings: With what and how it is drawn.
    """

    world: str
    view: Orbit | Camera | int | Panorama
    width_px: int
    height_px: int
    layer: Layer
    settings: RenderSettings = field(default_factory=RenderSettings)


@dataclass(frozen=True, kw_only=True)
class DrawnView:
    """A drawn view.

    Attributes:
        png: A PNG file's bytes.
        width_px: Width.
        height_px: Height.
        engine: What drew it.
        engine_reason: Why that, for a person to read.
        near_m: Nearest distance of a depth layer, else 0.
        far_m: Farthest distance of a depth layer, else 0.
    """

    png: bytes
    width_px: int
    height_px: int
    engine: str
    engine_reason: str
    near_m: float = 0.0
    far_m: float = 0.0


def color_levels(color_rgb: Float32[np.ndarray, "H W 3"]) -> np.ndarray:
    """Returns colours as 8-bit levels, [H, W, 3]."""
    return np.rint(np.clip(color_rgb, 0.0, 1.0) * 255.0).astype(np.uint8)


def depth_range(depth_m: Float32[np.ndarray, "H W"]) -> tuple[float, float] | None:
    """Returns the nearest and the farthest distance; None where nothing is seen."""
    seen = depth_m[np.isfinite(depth_m)]
    return (float(seen.min()), float(seen.max())) if seen.size else None


def depth_levels(
    depth_m: Float32[np.ndarray, "H W"], between_m: tuple[float, float] | None = None
) -> tuple[np.ndarray, float, float]:
    """Returns depth as 16-bit levels, [H, W] (0: nothing, 1: nearest, 65535: farthest), the nearest and the farthest.

    Args:
        depth_m: NaN where nothing is.
        between_m: The nearest and the farthest; None: those of this picture.
    """
    between_m = between_m or depth_range(depth_m)
    if between_m is None:
        return np.zeros(depth_m.shape, np.uint16), 0.0, 0.0
    near, far = between_m
    is_seen = np.isfinite(depth_m)
    share = np.clip((np.where(is_seen, depth_m, near) - near) / max(far - near, 1e-9), 0.0, 1.0)
    levels = np.rint(1.0 + share * (_MAX_DEPTH_LEVEL - 1))
    return np.where(is_seen, levels, 0.0).astype(np.uint16), near, far


def normal_levels(normals: Float32[np.ndarray, "H W 3"], camera: Camera) -> np.ndarray:
    """Returns directions, turned into the camera's frame, as 8-bit levels, [H, W, 3]; the middle where nothing is."""
    turned = normals @ camera.world_from_camera[:3, :3].astype(np.float32)
    length = np.linalg.norm(turned, axis=-1, keepdims=True)
    unit = np.where(length > 1e-6, turned / np.maximum(length, 1e-6), 0.0)
    return np.rint(127.5 + 127.5 * unit).astype(np.uint8)
