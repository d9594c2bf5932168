"""Where people were a moment ago, so that the next frame knows where to look closer.

The memory knows no identities: a region is a place where somebody was seen and should be seen again. It is a plain
value, carried from frame to frame by the caller, and turns into one array and back, so that a stream can stop after any
frame and go on elsewhere with the same result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vision_inference_service.core.geometry import box_center
from vision_inference_service.core.types import BodyCircle, FloatArray

REGION_ROW_LENGTH = 15
"""Numbers of a region in `RegionMemory.to_array`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """A place where somebody was seen.

    Attributes:
        box_px: (4,) box when last seen, source pixels.
        velocity_px_per_s: (2,) smoothed velocity of the box's centre.
        seen_offset_s: Media time when last seen.
        evidence_offset_s: Media time when last seen with strong evidence.
        rotation_rad: Turn of the zoomed crop that last found the person; 0 after a find in the upright frame.
        circle: The body's circle when landmarks were last seen.
        zoomed_offset_s: Media time when the region was last looked at closer.
        miss_count: Frames since last seen.
    """

    box_px: FloatArray
    velocity_px_per_s: FloatArray
    seen_offset_s: float
    evidence_offset_s: float
    rotation_rad: float = 0.0
    circle: BodyCircle | None = None
    zoomed_offset_s: float = 0.0
    miss_count: int = 0

    def predict_box(self, offset_s: float, *, velocity_memory_s: float) -> FloatArray:
        """Where the box (4,) should be now: it keeps its size and moves on, ever more slowly.

        Args:
            offset_s: Media time now.
            velocity_memory_s: Time constant of the slowing down. Whoever is not seen may have stopped or turned; after
                a long time the prediction stands still at velocity times this.
        """
        travel = self._travel(offset_s, velocity_memory_s)
        return np.asarray(self.box_px + np.tile(travel, 2), np.float32)

    def predict_circle(self, offset_s: float, *, velocity_memory_s: float) -> BodyCircle | None:
        """Where the body's circle should be now, moved like the box; None where no landmarks told it."""
        return self._moved_circle(self._travel(offset_s, velocity_memory_s))

    def _moved_circle(self, step_px: FloatArray) -> BodyCircle | None:
        if self.circle is None:
            return None
        return replace(
            self.circle,
            center_x_px=self.circle.center_x_px + float(step_px[0]),
            center_y_px=self.circle.center_y_px + float(step_px[1]),
        )

    def _travel(self, offset_s: float, velocity_memory_s: float) -> FloatArray:
        elapsed_s = max(0.0, offset_s - self.seen_offset_s)
        return self.velocity_px_per_s * velocity_memory_s * (1.0 - math.exp(-elapsed_s / velocity_memory_s))

    def see(
        self,
        box_px: FloatArray,
        *,
        offset_s: float,
        is_strong: bool,
        rotation_rad: float,
        circle: BodyCircle | None,
        smoothing: float,
    ) -> Region:
        """The region after the person was seen again.

        Args:
            box_px: (4,) the new box.
            offset_s: Media time now, later than `seen_offset_s`.
            is_strong: Whether this counts as evidence that the person is really there.
            rotation_rad: Turn of the crop that found the person.
            circle: The body's circle; None where no landmarks tell it: then the last one moves along with the box.
            smoothing: Weight 0..1 of the newest displacement in the velocity.
        """
        elapsed_s = offset_s - self.seen_offset_s
        velocity = self.velocity_px_per_s
        if elapsed_s > 0.0:
            newest = (box_center(box_px) - box_center(self.box_px)) / elapsed_s
            velocity = np.asarray((1.0 - smoothing) * velocity + smoothing * newest, np.float32)
        return replace(
            self,
            box_px=box_px,
            velocity_px_per_s=velocity,
            seen_offset_s=offset_s,
            evidence_offset_s=offset_s if is_strong else self.evidence_offset_s,
            rotation_rad=rotation_rad,
            circle=circle or self._moved_circle(box_center(box_px) - box_center(self.box_px)),
            miss_count=0,
        )

    def look_closer(self, offset_s: float) -> Region:
        """The region after it was looked at closer, whatever was found."""
        return replace(self, zoomed_offset_s=offset_s)

    def miss(self) -> Region:
        """The region after a frame in which nobody was seen there."""
        return replace(self, miss_count=self.miss_count + 1)


def new_region(box_px: FloatArray, *, offset_s: float, circle: BodyCircle | None = None) -> Region:
    """A region for somebody who was just seen for the first time."""
    return Region(
        box_px=box_px,
        velocity_px_per_s=np.zeros(2, np.float32),
        seen_offset_s=offset_s,
        evidence_offset_s=offset_s,
        circle=circle,
        zoomed_offset_s=offset_s,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionMemory:
    """All regions after some frame; `RegionMemory()` before the first.

    Attributes:
        regions: In no meaningful order.
    """

    regions: tuple[Region, ...] = ()

    def to_array(self) -> NDArray[np.float64]:
        """(R, 15) float64: box (4), velocity (2), seen, evidence, rotation, circle (x, y, radius or 0, lean), zoomed, miss count; exact."""
        rows = [
            [
                *region.box_px,
                *region.velocity_px_per_s,
                region.seen_offset_s,
                region.evidence_offset_s,
                region.rotation_rad,
                *_circle_row(region.circle),
                region.zoomed_offset_s,
                region.miss_count,
            ]
            for region in self.regions
        ]
        return np.array(rows, np.float64).reshape(-1, REGION_ROW_LENGTH)

    @classmethod
    def from_array(cls, rows: NDArray[np.float64]) -> RegionMemory:
        """The memory that `to_array` came from.

        Args:
            rows: (R, 15) float64.

        Raises:
            ValueError: The shape is another one, or a number is not finite.
        """
        if rows.ndim != 2 or rows.shape[1] != REGION_ROW_LENGTH:
            raise ValueError(f"a region memory must have shape (R, {REGION_ROW_LENGTH}), but has {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError("a region memory must be finite")
        return cls(
            regions=tuple(
                Region(
                    box_px=row[:4].astype(np.float32),
                    velocity_px_per_s=row[4:6].astype(np.float32),
                    seen_offset_s=float(row[6]),
                    evidence_offset_s=float(row[7]),
                    rotation_rad=float(row[8]),
                    circle=_circle_of(row[9:13]),
                    zoomed_offset_s=float(row[13]),
                    miss_count=int(row[14]),
                )
                for row in rows
            )
        )


def _circle_row(circle: BodyCircle | None) -> tuple[float, float, float, float]:
    if circle is None:
        return 0.0, 0.0, 0.0, 0.0
    return circle.center_x_px, circle.center_y_px, circle.radius_px, circle.lean_rad


def _circle_of(row: NDArray[np.float64]) -> BodyCircle | None:
    center_x_px, center_y_px, radius_px, lean_rad = (float(value) for value in row)
    if not radius_px > 0.0:
        return None
    return BodyCircle(center_x_px=center_x_px, center_y_px=center_y_px, radius_px=radius_px, lean_rad=lean_rad)
