"""Values that go into a training and come out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generation_service.core.errors import InvalidTrainingInputError
from praxiscope_worlds import Camera

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
UInt8Array = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# Parameters of a Gaussian, by the names that `GaussianWorld` has for them.
PARAMETERS = ("means_m", "quaternions_wxyz", "log_scales", "opacity_logits", "sh")
# Below this, structural similarity's window of 11 pixels sees more frame than picture.
MIN_SIDE_PX = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A picture and where it was taken from.

    Attributes:
        image_rgb: The picture without distortion, [H, W, 3].
        camera: Its camera.
    """

    image_rgb: UInt8Array
    camera: Camera

    def __post_init__(self) -> None:
        """Checks that picture and camera belong together.

        Raises:
            InvalidTrainingInputError: They do not.
        """
        shape = (self.camera.height_px, self.camera.width_px, 3)
        if self.image_rgb.shape != shape or self.image_rgb.dtype != np.uint8:
            raise InvalidTrainingInputError(
                f"The camera's picture is uint8 of shape {shape}, this one is {self.image_rgb.dtype} of "
                f"{self.image_rgb.shape}; scale the picture or the camera.",
                metadata={"expected": str(shape), "actual": str(self.image_rgb.shape)},
            )
        if min(shape[:2]) < MIN_SIDE_PX:
            raise InvalidTrainingInputError(f"Pictures need {MIN_SIDE_PX} pixels a side; this one has {shape[:2]}.")


@dataclass(frozen=True, kw_only=True, eq=False)
class SparsePoints:
    """What a reconstruction of the cameras also found.

    Attributes:
        positions_m: Places in the world, [P, 3].
        colors_rgb: Their colours, [P, 3].
    """

    positions_m: Float64Array
    colors_rgb: UInt8Array


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingState:
    """All that a training is: saved and restored, it goes on as if it had never stopped. Plain arrays and numbers; version them as one.

    Attributes:
        version: Layout of the arrays.
        step: Steps done.
        seed: What every random number of the training is made from, together with the step.
        values: The Gaussians, by the names of `PARAMETERS`.
        first_moments: Adam's running means, likewise.
        second_moments: Adam's running squares, likewise.
        exposures: Colour correction of each view, (matrix | offset), [V, 3, 4].
        exposure_moments: Adam's two for these, [2, V, 3, 4].
        pulls: Sum of the lengths of the gradients by the place in the picture since the last change of density, [N].
        seen_counts: In how many steps of these each Gaussian was seen, [N].
    """

    version: int
    step: int
    seed: int
    values: dict[str, Float32Array]
    first_moments: dict[str, Float32Array]
    second_moments: dict[str, Float32Array]
    exposures: Float32Array
    exposure_moments: Float32Array
    pulls: Float32Array
    seen_counts: Float32Array


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What one step did.

    Attributes:
        step: Number of the step, from 1.
        loss: (1 - share) l1 + share (1 - similarity) on the step's view, after colour correction, without its outer pixels.
        gaussian_count: Gaussians after it.
        sh_degree: Degree of their harmonics.
        downscale: By how much the picture was smaller.
    """

    step: int
    loss: float
    gaussian_count: int
    sh_degree: int
    downscale: int
