"""Where the nets' inputs lie in the source frame, and how to come back.

A net sees either the whole frame shrunk into a grid (`SearchGrid`) or a rectangle cut out of it (`CropWindow`). Both know
the way from their own pixels to the upright source frame. Pixel convention: `types`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vision_inference_service.core.types import FloatArray


@dataclass(frozen=True, kw_only=True)
class SearchGrid:
    """The whole frame shrunk to the upper left of a grid whose sides the net accepts; the rest is black.

    Attributes:
        frame_width_px: Width of the source frame.
        frame_height_px: Height of the source frame.
        image_width_px: Width of the shrunken frame.
        image_height_px: Height of the shrunken frame.
        grid_width_px: Width of the net's input, a multiple of the net's stride.
        grid_height_px: Height of the net's input, a multiple of the net's stride.
    """

    frame_width_px: int
    frame_height_px: int
    image_width_px: int
    image_height_px: int
    grid_width_px: int
    grid_height_px: int

    @classmethod
    def fit(cls, frame_width_px: int, frame_height_px: int, *, long_side_px: int, stride_px: int) -> SearchGrid:
        """Fits a frame into a grid.

        Args:
            frame_width_px: Width of the source frame, at least 1.
            frame_height_px: Height of the source frame, at least 1.
            long_side_px: Length that the frame's longer side is brought to, a multiple of `stride_px`.
            stride_px: The grid's sides are multiples of this.
        """
        scale = long_side_px / max(frame_width_px, frame_height_px)
        image_width_px = max(1, round(frame_width_px * scale))
        image_height_px = max(1, round(frame_height_px * scale))
        return cls(
            frame_width_px=frame_width_px,
            frame_height_px=frame_height_px,
            image_width_px=image_width_px,
            image_height_px=image_height_px,
            grid_width_px=math.ceil(image_width_px / stride_px) * stride_px,
            grid_height_px=math.ceil(image_height_px / stride_px) * stride_px,
        )

    def source_from_unit(self, points_xy: FloatArray) -> FloatArray:
        """Brings points from the grid's unit square (0..1 across the whole grid) to source pixels.

        Args:
            points_xy: (..., 2) x, y.

        Returns:
            (..., 2) x, y in source pixels.
        """
        scale = (
            self.grid_width_px * self.frame_width_px / self.image_width_px,
            self.grid_height_px * self.frame_height_px / self.image_height_px,
        )
        return np.asarray(points_xy * np.asarray(scale), np.float32)


@dataclass(frozen=True, kw_only=True)
class CropWindow:
    """A rectangle of the source frame, possibly turned, that is resampled to `width_px` by `height_px` pixels.

    Attributes:
        center_x_px: Centre in the source frame.
        center_y_px: Centre in the source frame.
        source_px_per_crop_px: How many source pixels one pixel of the crop spans, greater than 0.
        width_px: Of the crop, in its own pixels.
        height_px: Of the crop, in its own pixels.
        rotation_rad: Direction of the crop's x axis in the source frame, clockwise on the screen.
    """

    center_x_px: float
    center_y_px: float
    source_px_per_crop_px: float
    width_px: int
    height_px: int
    rotation_rad: float = 0.0

    def __post_init__(self) -> None:
        """Refuses an empty window."""
        if not self.source_px_per_crop_px > 0.0:
            raise ValueError(f"source_px_per_crop_px must be greater than 0, but is {self.source_px_per_crop_px}")

    @classmethod
    def square(
        cls, *, center_x_px: float, center_y_px: float, side_px: float, size_px: int, rotation_rad: float = 0.0
    ) -> CropWindow:
        """A square of `side_px` source pixels a side, in `size_px` pixels of its own."""
        return cls(
            center_x_px=center_x_px,
            center_y_px=center_y_px,
            source_px_per_crop_px=side_px / size_px,
            width_px=size_px,
            height_px=size_px,
            rotation_rad=rotation_rad,
        )

    @property
    def size_px(self) -> FloatArray:
        """Width and height (2,) of the crop, in its own pixels."""
        return np.array([self.width_px, self.height_px], np.float32)

    def rotation_matrix(self) -> FloatArray:
        """The (2, 2) turn from the crop's axes to the source frame's."""
        cosine, sine = math.cos(self.rotation_rad), math.sin(self.rotation_rad)
        return np.array([[cosine, -sine], [sine, cosine]], np.float32)

    def source_from_crop(self) -> FloatArray:
        """The (2, 3) affine map from the crop's pixels to source pixels, both with pixel centres at one half."""
        linear = self.rotation_matrix() * self.source_px_per_crop_px
        center = np.array([self.center_x_px, self.center_y_px], np.float32)
        offset = center - linear @ (self.size_px / 2)
        return np.concatenate([linear, offset[:, None]], axis=1).astype(np.float32)

    def to_source(self, points_xy: FloatArray) -> FloatArray:
        """Brings points (..., 2) from the crop's pixels to source pixels."""
        affine = self.source_from_crop()
        return np.asarray(points_xy @ affine[:, :2].T + affine[:, 2], np.float32)


def box_center(boxes: FloatArray) -> FloatArray:
    """Centres (..., 2) of boxes (..., 4)."""
    return np.asarray((boxes[..., :2] + boxes[..., 2:]) / 2, np.float32)


def box_size(boxes: FloatArray) -> FloatArray:
    """Width and height (..., 2) of boxes (..., 4)."""
    return boxes[..., 2:] - boxes[..., :2]


def box_area(boxes: FloatArray) -> FloatArray:
    """Areas (...,) of boxes (..., 4); a box that is inside out has none."""
    return np.asarray(np.prod(np.maximum(box_size(boxes), 0.0), axis=-1), np.float32)


def intersection_over_union(first: FloatArray, second: FloatArray) -> FloatArray:
    """Overlap of every box of one set with every box of another.

    Args:
        first: (A, 4) boxes.
        second: (B, 4) boxes.

    Returns:
        (A, B) 0..1; 0 where both boxes are empty.
    """
    lower = np.maximum(first[:, None, :2], second[None, :, :2])  # [A, B, 2]
    upper = np.minimum(first[:, None, 2:], second[None, :, 2:])  # [A, B, 2]
    shared = np.prod(np.maximum(upper - lower, 0.0), axis=-1)  # [A, B]
    union = box_area(first)[:, None] + box_area(second)[None] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0.0), np.float32)


def box_around(points_xy: FloatArray) -> FloatArray:
    """The smallest box (4,) that holds all points (N, 2) that are not NaN; NaN where there is none."""
    finite = points_xy[np.isfinite(points_xy).all(axis=-1)]
    if len(finite) == 0:
        return np.full(4, np.nan, np.float32)
    return np.concatenate([finite.min(axis=0), finite.max(axis=0)]).astype(np.float32)


def visible_share(box: FloatArray, *, width_px: int, height_px: int) -> float:
    """Which share 0..1 of a box (4,) lies inside the frame; 0 for an empty box."""
    area = float(box_area(box))
    inside = np.clip(box, 0.0, np.array([width_px, height_px, width_px, height_px], np.float32))
    return float(box_area(inside)) / area if area > 0.0 else 0.0
