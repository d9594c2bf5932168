"""A world of anisotropic three-dimensional Gaussians.

Source: B. Kerbl, G. Kopanas, T. Leimkühler, G. Drettakis, "3D Gaussian Splatting for Real-Time Radiance Field Rendering", SIGGRAPH 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int

from praxiscope_worlds._errors import InvalidWorldError

# Coefficients a channel has, by degree of the spherical harmonics.
SH_COUNTS = (1, 4, 9, 16)
# Y_0, the constant harmonic: colour = 0.5 + SH_C0 * first coefficient.
SH_C0 = 0.28209479177387814


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianWorld:
    """N Gaussians in the world's frame: right-handed, x right, y up, z towards the viewer (glTF's), metres where the scale is known.

    Attributes:
        means_m: Centres, [N, 3].
        quaternions_wxyz: Rotations `world_from_gaussian`, [N, 4]; of any positive length, readers give unit ones.
        log_scales: Natural logarithms of the standard deviations along the Gaussian's own axes, in metres, [N, 3].
        opacity_logits: Opacities before the logistic function, [N].
        sh: Coefficients of real spherical harmonics, [N, K, 3] with K of `SH_COUNTS`; order, signs and constants are 3DGS's, with directions in the
            world's frame from the camera to the Gaussian. Colour in [0, 1] is 0.5 + sum, cut at 0; it is sRGB as in the photos, not linear light.
    """

    means_m: Float32[np.ndarray, "N 3"]
    quaternions_wxyz: Float32[np.ndarray, "N 4"]
    log_scales: Float32[np.ndarray, "N 3"]
    opacity_logits: Float32[np.ndarray, " N"]
    sh: Float32[np.ndarray, "N K 3"]

    def __post_init__(self) -> None:
        """Checks shapes and types.

        Raises:
            InvalidWorldError: One is not as the class says.
        """
        count = len(self.means_m)
        expected = {
            "means_m": (count, 3),
            "quaternions_wxyz": (count, 4),
            "log_scales": (count, 3),
            "opacity_logits": (count,),
            "sh": (count, self.sh.shape[1] if self.sh.ndim == 3 else -1, 3),
        }
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise InvalidWorldError(f"{name} must be float32 of shape {shape}, is {array.dtype} of {array.shape}.")
        if self.sh.shape[1] not in SH_COUNTS:
            raise InvalidWorldError(f"sh must have {SH_COUNTS} coefficients a channel, has {self.sh.shape[1]}.")

    def __len__(self) -> int:
        return len(self.means_m)

    @property
    def sh_degree(self) -> int:
        """Degree of the spherical harmonics, 0 to 3."""
        return SH_COUNTS.index(self.sh.shape[1])

    def select(self, which: Bool[np.ndarray, " N"] | Int[np.ndarray, " M"]) -> GaussianWorld:
        """Returns the Gaussians that a mask or indices name, in that order."""
        return GaussianWorld(
            means_m=self.means_m[which],
            quaternions_wxyz=self.quaternions_wxyz[which],
            log_scales=self.log_scales[which],
            opacity_logits=self.opacity_logits[which],
            sh=self.sh[which],
        )
