"""What goes into the kernels and comes out of them, whatever their backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Float32

from praxiscope_worlds._camera import Camera
from praxiscope_worlds._errors import InvalidWorldError
from praxiscope_worlds._gaussians import SH_COUNTS, GaussianWorld
from praxiscope_worlds.kernels._errors import InvalidPictureError

# An alpha below this does not count, a pixel that would let through less is closed (3DGS's values); alpha never reaches 1, or nothing behind could be
# told apart from nothing.
MIN_ALPHA = 1.0 / 255.0
MIN_TRANSMITTANCE = 1e-4
# Beyond the picture by this share of its size, the slope of the perspective is held (gsplat's margin): EWA's linear picture breaks down there.
FRAME_MARGIN = 0.15
# 2^26 pixels, 8192 x 8192: about 2 GB with depth and normals.
MAX_PIXEL_COUNT = 1 << 26
MAX_SIDE_PX = 1 << 16
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
SSIM_SIGMA_PX, SSIM_REACH_PX = 1.5, 5


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """How a world is drawn.

    Attributes:
        background_rgb: Colour behind everything, 0 to 1.
        near_m: Gaussians whose centre is nearer to the camera's plane are not drawn; positive. 3DGS has 0.2, for scenes of its own size.
        low_pass_px2: Variance that the picture's pixels add to every Gaussian, [0, 10]. 0.3: 3DGS's.
        is_antialiased: Take from the opacity what the low pass adds to the area (Mip-Splatting, eq. 9), so that far Gaussians do not grow brighter. Must
            be what the world was made with.
        max_alpha: Most that one Gaussian covers, below 1. 0.99: 3DGS's.
        has_geometry: Also give depth and normals.
        sh_degree: Highest degree that is used; None: the world's.
        max_intersections: Most pairs of a Gaussian and a tile of 16 x 16 pixels. On the CPU, a pair takes 4 bytes to draw, and 68 more
            for gradients.
    """

    background_rgb: tuple[float, float, float] = (0.0, 0.0, 0.0)
    near_m: float = 0.01
    low_pass_px2: float = 0.3
    is_antialiased: bool = False
    max_alpha: float = 0.99
    has_geometry: bool = False
    sh_degree: int | None = None
    max_intersections: int = 32_000_000

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            InvalidWorldError: One is outside.
        """
        is_within = {
            "background_rgb": len(self.background_rgb) == 3
            and all(0.0 <= value <= 1.0 for value in self.background_rgb),
            "near_m": 0.0 < self.near_m < float("inf"),
            "low_pass_px2": 0.0 <= self.low_pass_px2 <= 10.0,
            "max_alpha": 0.0 < self.max_alpha < 1.0,
            "sh_degree": self.sh_degree is None or 0 <= self.sh_degree < len(SH_COUNTS),
            "max_intersections": 0 < self.max_intersections < 2**31,
        }
        for name, is_good in is_within.items():
            if not is_good:
                raise InvalidWorldError(
                    f"{name} is {getattr(self, name)}, which is outside its range.", metadata={"option": name}
                )


@dataclass(frozen=True, kw_only=True, eq=False)
class Rendering:
    """A drawn picture.

    Attributes:
        color_rgb: [H, W, 3], float32, 0 and up; may lie plane by plane in memory.
        alpha: How much of each pixel the Gaussians cover, [H, W].
        depth_m: Mean distance from the camera's plane of what covers the pixel, NaN where nothing does, [H, W]; None without geometry.
        normals: Mean of the Gaussians' shortest axes turned towards the camera, in the world's frame, as long as they agree times alpha, [H, W, 3].
        seen_count: Gaussians that may touch the picture.
        unusable_count: Gaussians left out because a number of theirs is none, infinite, or overflows.
        intersection_count: Pairs of a Gaussian and a tile.
        saved: What `differentiate` needs; the backend's own. None where no gradient was asked for.
    """

    color_rgb: Float32[np.ndarray, "H W 3"]
    alpha: Float32[np.ndarray, "H W"]
    depth_m: Float32[np.ndarray, "H W"] | None
    normals: Float32[np.ndarray, "H W 3"] | None
    seen_count: int
    unusable_count: int
    intersection_count: int
    saved: Any = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureGradients:
    """Slope of a loss by each value of a picture; None is zero. See `Rendering` for the shapes."""

    color_rgb: Float32[np.ndarray, "H W 3"]
    alpha: Float32[np.ndarray, "H W"] | None = None
    depth_m: Float32[np.ndarray, "H W"] | None = None
    normals: Float32[np.ndarray, "H W 3"] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class WorldGradients:
    """Slope of a loss by each number of a world; shapes are `GaussianWorld`'s. Zero where a Gaussian is not seen.

    Attributes:
        means_m: By the centres.
        quaternions_wxyz: By the quaternions; at right angles to them, since their length does not matter.
        log_scales: By the logarithms of the scales.
        opacity_logits: By the opacities' logits.
        sh: By the harmonics' coefficients; zero above the degree that was drawn.
        screen: Length of the slope by the place in the picture, per pixel, [N]: what density control asks for.
        is_seen: Whether the Gaussian may touch the picture, [N].
    """

    means_m: Float32[np.ndarray, "N 3"]
    quaternions_wxyz: Float32[np.ndarray, "N 4"]
    log_scales: Float32[np.ndarray, "N 3"]
    opacity_logits: Float32[np.ndarray, " N"]
    sh: Float32[np.ndarray, "N K 3"]
    screen: Float32[np.ndarray, " N"]
    is_seen: Bool[np.ndarray, " N"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureLoss:
    """How far a drawn picture is from the wanted one.

    Attributes:
        value: (1 - share) l1 + share (1 - ssim).
        l1: Mean absolute difference.
        ssim: Mean structural similarity: window of 11 x 11 with a deviation of 1.5 px, zeros outside the picture, values from 0 to 1.
        gradient: Slope of `value` by the drawn picture, [H, W, 3].
    """

    value: float
    l1: float
    ssim: float
    gradient: Float32[np.ndarray, "H W 3"]


@dataclass(frozen=True, kw_only=True)
class AdamSettings:
    """Adam's constants.

    Attributes:
        beta1: Decay of the gradient's mean, [0, 1).
        beta2: Decay of the squared gradient's mean, [0, 1).
        epsilon: Added to the root of the latter, positive. 1e-15: 3DGS's; gradients are means over many pixels and tiny.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-15


class SplatKernels(Protocol):
    """What a backend can do. Calls may run side by side; none keeps anything between two."""

    def render(
        self, world: GaussianWorld, camera: Camera, options: RenderOptions, *, has_gradients: bool = False
    ) -> Rendering:
        """Draws a world.

        Gaussians are projected to ellipses (EWA), ordered by the depth of their centres (ties by index), and blended from near to far.

        Args:
            world: The Gaussians; any number, also none.
            camera: From where.
            options: How.
            has_gradients: Whether `differentiate` may be called with the result.

        Raises:
            WorldTooDenseError: More intersections than the options allow.
            InvalidPictureError: The picture has more than 2^26 pixels, or a side of more than 2^16.
            KernelsBusyError: The system gives no more threads or memory.
        """
        ...

    def differentiate(self, rendering: Rendering, gradients: PictureGradients) -> WorldGradients:
        """Goes back from a picture's gradient to the world's.

        Raises:
            InvalidPictureError: The gradient's shape is not the picture's, or the picture was drawn without `has_gradients`.
        """
        ...

    def compare(
        self, drawn_rgb: Float32[np.ndarray, "H W 3"], wanted_rgb: Float32[np.ndarray, "H W 3"], *, ssim_share: float
    ) -> PictureLoss:
        """Compares two pictures, with the gradient by the first.

        Raises:
            InvalidPictureError: They are not float32 of one shape [H, W, 3].
        """
        ...

    def step_adam(
        self,
        values: Float32[np.ndarray, "N ..."],
        gradients: Float32[np.ndarray, "N ..."],
        first: Float32[np.ndarray, "N ..."],
        second: Float32[np.ndarray, "N ..."],
        *,
        learning_rates: Float32[np.ndarray, " D"],
        step: int,
        settings: AdamSettings,
        is_moved: Bool[np.ndarray, " N"] | None = None,
    ) -> None:
        """Moves parameters and their moments in place.

        Args:
            values: Parameters, contiguous; a row has D numbers.
            gradients: Their slopes.
            first: Running means of the gradients.
            second: Running means of their squares.
            learning_rates: One for each number of a row.
            step: Steps taken with this one, from 1.
            settings: The constants.
            is_moved: Rows that move; None: all. The others keep their moments too.

        Raises:
            InvalidPictureError: The arrays are not contiguous float32 of one shape.
        """
        ...


def check_picture(camera: Camera) -> None:
    """Refuses a picture that would take too much memory.

    Raises:
        InvalidPictureError: It has more than 2^26 pixels, or a side of more than 2^16.
    """
    if camera.width_px * camera.height_px > MAX_PIXEL_COUNT or max(camera.width_px, camera.height_px) > MAX_SIDE_PX:
        raise InvalidPictureError(
            f"A picture may have 2^26 pixels and sides of 2^16, {camera.width_px} x {camera.height_px} has more; draw it in parts.",
            metadata={"width_px": str(camera.width_px), "height_px": str(camera.height_px)},
        )


def check_array(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuses an array that is not float32 of a shape.

    Raises:
        InvalidPictureError: It is not.
    """
    if array.shape != shape or array.dtype != np.float32:
        raise InvalidPictureError(f"{name} must be float32 of shape {shape}, is {array.dtype} of {array.shape}.")


def count_active_sh(world: GaussianWorld, options: RenderOptions) -> int:
    """Returns how many coefficients of a channel are used."""
    degree = world.sh_degree if options.sh_degree is None else min(options.sh_degree, world.sh_degree)
    return SH_COUNTS[degree]
