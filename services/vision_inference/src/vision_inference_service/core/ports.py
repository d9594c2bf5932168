"""What the core needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vision_inference_service.core.geometry import CropWindow
from vision_inference_service.core.types import FloatArray, ImageArray


class FramePixels(Protocol):
    """One upright frame, from which the nets' inputs are cut; its pixels stay on the other side of the port."""

    @property
    def frame_index(self) -> int:
        """Index of the frame in its video, from 0."""
        ...

    @property
    def offset_s(self) -> float:
        """Media time in seconds from the first frame's."""
        ...

    @property
    def width_px(self) -> int:
        """Width of the upright frame."""
        ...

    @property
    def height_px(self) -> int:
        """Height of the upright frame."""
        ...

    async def resized_rgb(self, width_px: int, height_px: int) -> ImageArray:
        """The whole frame, shrunk or enlarged to (height_px, width_px, 3) RGB."""
        ...

    async def crops_rgb(self, windows: Sequence[CropWindow]) -> ImageArray:
        """Rectangles of one size out of the frame, (N, height_px, width_px, 3) RGB, black outside the frame."""
        ...


class PoseModels(Protocol):
    """The two nets that find people and their joints."""

    async def detect_persons(self, image_rgb: ImageArray) -> FloatArray:
        """Finds up to six people.

        Args:
            image_rgb: (H, W, 3) uint8, sides multiples of 32.

        Returns:
            (6, 56): 17 times y, x, score, then the box y_min, x_min, y_max, x_max, then the person's score; coordinates
            in 0..1 of the image.
        """
        ...

    async def estimate_landmarks(self, crops_rgb: ImageArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Estimates the landmarks of the person in each crop.

        Args:
            crops_rgb: (N, 256, 256, 3) uint8, N from 1 to 8.

        Returns:
            (N, 39, 5) x, y, z in crop pixels, visibility and presence as logits; (N, 39, 3) metres; (N,) presence of a
            pose, 0..1.
        """
        ...


class ObjectModels(Protocol):
    """The net that finds everyday objects."""

    async def detect_objects(self, image_rgb: ImageArray) -> FloatArray:
        """Finds up to a hundred objects.

        Args:
            image_rgb: (512, 512, 3) uint8.

        Returns:
            (100, 6): x_min, y_min, x_max, y_max in pixels of the image, score, COCO class.
        """
        ...
