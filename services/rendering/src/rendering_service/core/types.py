"""What there is to draw, and the marks it is drawn with. Pixels of the picture that is drawn on: x right, y down. Missing is NaN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class MotionLayout:
    """How a motion's numbers are laid out.

    Attributes:
        angle_names: Names of the angles, in their order.
        joint_names: Names of the joints, in their order.
        bones: Pairs of joints between which a bone is drawn. [B, 2]
        angle_joints: One end, vertex and other end of each angle; -1 where it is not drawn. [A, 3]
    """

    angle_names: Sequence[str]
    joint_names: Sequence[str]
    bones: NDArray[np.int64]
    angle_joints: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class PersonFrame:
    """One person in one frame.

    Attributes:
        person_id: The person's number.
        box_xyxy: Left, top, right, bottom. [4]
        joints: x, y and confidence of each joint. [J, 3]
        angles_rad: Each angle. [A]
        confidences: How sure each angle is, 0 to 1. [A]
    """

    person_id: int
    box_xyxy: FloatArray
    joints: FloatArray
    angles_rad: FloatArray
    confidences: FloatArray

    def scaled(self, factor: float) -> PersonFrame:
        """Returns the person in a picture that is `factor` times as large."""
        joints = self.joints.copy()
        joints[:, :2] *= factor
        return PersonFrame(
            person_id=self.person_id,
            box_xyxy=self.box_xyxy * factor,
            joints=joints,
            angles_rad=self.angles_rad,
            confidences=self.confidences,
        )


@dataclass(frozen=True, kw_only=True)
class MotionFrame:
    """One frame.

    Attributes:
        frame_index: Its number.
        offset_s: Its time.
        persons: The people in it.
    """

    frame_index: int
    offset_s: float
    persons: Sequence[PersonFrame] = ()


@dataclass(frozen=True, kw_only=True)
class Style:
    """What is drawn.

    Attributes:
        boxes: Boxes and numbers of people.
        skeletons: Bones and joints.
        angles: Arcs and their degrees.
        curve: The small live curve.
    """

    boxes: bool = True
    skeletons: bool = True
    angles: bool = True
    curve: bool = True


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line through points; closed where its ends meet, filled where it is an area."""

    points: Sequence[Point]
    colour: Colour
    width: float
    opacity: float = 1.0
    is_closed: bool = False
    is_filled: bool = False


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A filled circle."""

    centre: Point
    radius: float
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class Text:
    """Words whose lower left corner is at `origin`, on a dark ground where `has_ground`."""

    origin: Point
    words: str
    height: float
    colour: Colour
    has_ground: bool = False


Mark = Line | Dot | Text


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Everything that is drawn into one frame, the lowest first.

    Attributes:
        marks: The marks.
    """

    marks: Sequence[Mark] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class StillQuestion:
    """Which frame is drawn.

    Attributes:
        motion: The motion's version.
        frame_index: The frame's number; None where its time is given.
        offset_s: The time at which it is shown; None where its number is given.
        height: The picture's height; 0 is the source's.
        style: What is drawn.
    """

    motion: str
    frame_index: int | None
    offset_s: float | None
    height: int
    style: Style


@dataclass(frozen=True, kw_only=True)
class Still:
    """One drawn frame.

    Attributes:
        png: A PNG file's bytes.
        frame_index: The frame's number.
        width: Width in pixels.
        height: Height in pixels.
    """

    png: bytes
    frame_index: int
    width: int
    height: int
