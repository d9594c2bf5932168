"""How near a drawn picture is to a photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generation_service.core.errors import InvalidTrainingInputError
from generation_service.core.types import Float32Array, Float64Array
from praxiscope_worlds.kernels import SplatKernels

# At the edges a photo without distortion has pixels of which a part was outside.
CROP_PX = 4


@dataclass(frozen=True, kw_only=True)
class ViewQuality:
    """Of one view.

    Attributes:
        psnr_db: Peak signal to noise.
        corrected_psnr_db: The same after the best affine change of colours, without the outer `CROP_PX` pixels: what is left when the camera's exposure and
            white balance of that photo are known.
        ssim: Structural similarity, 0 to 1, of the picture as drawn.
        corrected_ssim: The same after the change of colours, without the outer pixels.
    """

    psnr_db: float
    corrected_psnr_db: float
    ssim: float
    corrected_ssim: float


def measure_view(kernels: SplatKernels, drawn_rgb: Float32Array, wanted_rgb: Float32Array) -> ViewQuality:
    """Compares a drawn picture with a photo, both [H, W, 3] from 0 to 1."""
    drawn = np.clip(drawn_rgb, 0.0, 1.0).astype(np.float32)
    correction = fit_colors(drawn, wanted_rgb)
    corrected = np.clip(apply_colors(correction, drawn), 0.0, 1.0).astype(np.float32)
    inner = (slice(CROP_PX, -CROP_PX), slice(CROP_PX, -CROP_PX))
    return ViewQuality(
        psnr_db=measure_psnr(drawn, wanted_rgb),
        corrected_psnr_db=measure_psnr(corrected[inner], wanted_rgb[inner]),
        ssim=kernels.compare(drawn, wanted_rgb, ssim_share=1.0).ssim,
        corrected_ssim=kernels.compare(corrected[inner], wanted_rgb[inner], ssim_share=1.0).ssim,
    )


def average(qualities: list[ViewQuality]) -> ViewQuality:
    """Returns the means over views.

    Raises:
        InvalidTrainingInputError: There are none.
    """
    if not qualities:
        raise InvalidTrainingInputError("There is no view to measure on.")
    return ViewQuality(
        psnr_db=float(np.mean([quality.psnr_db for quality in qualities])),
        corrected_psnr_db=float(np.mean([quality.corrected_psnr_db for quality in qualities])),
        ssim=float(np.mean([quality.ssim for quality in qualities])),
        corrected_ssim=float(np.mean([quality.corrected_ssim for quality in qualities])),
    )


def measure_psnr(drawn_rgb: Float32Array, wanted_rgb: Float32Array) -> float:
    """Returns 10 log10(1 / mean squared error) in dB; infinite where the pictures are equal.

    Raises:
        InvalidTrainingInputError: Their shapes differ.
    """
    if drawn_rgb.shape != wanted_rgb.shape:
        raise InvalidTrainingInputError(f"The pictures have shapes {drawn_rgb.shape} and {wanted_rgb.shape}.")
    error = float(np.mean((drawn_rgb.astype(np.float64) - wanted_rgb) ** 2))
    return float("inf") if error == 0.0 else -10.0 * float(np.log10(error))


def fit_colors(drawn_rgb: Float32Array, wanted_rgb: Float32Array) -> Float64Array:
    """Returns the affine change of colours (matrix | offset), [3, 4], that brings a picture nearest to another in least squares.

    The outer `CROP_PX` pixels are not looked at. Where colours do not vary enough to say, the smallest change that does it.
    """
    inner = (slice(CROP_PX, -CROP_PX), slice(CROP_PX, -CROP_PX))
    colors = drawn_rgb[inner].reshape(-1, 3).astype(np.float64)
    with_one = np.concatenate([colors, np.ones((len(colors), 1))], axis=1)
    solution = np.linalg.lstsq(with_one, wanted_rgb[inner].reshape(-1, 3).astype(np.float64), rcond=1e-6)[0]
    return np.asarray(solution.T, dtype=np.float64)


def apply_colors(correction: Float64Array | Float32Array, picture_rgb: Float32Array) -> Float32Array:
    """Applies a change of colours (matrix | offset), [3, 4], to a picture [H, W, 3]."""
    return np.asarray(picture_rgb @ correction[:, :3].T + correction[:, 3], dtype=np.float32)
