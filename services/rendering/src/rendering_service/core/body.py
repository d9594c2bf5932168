"""A person's box, skeleton and angle arcs as marks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from rendering_service.core.palette import MIDDLE, colour_of_person, colour_of_side
from rendering_service.core.types import Dot, Line, Mark, MotionLayout, PersonFrame, Point, Text

SURE = 0.5
_FAINT = 0.35
# Arcs of joints that mean most to a reader; more than these would cover the person.
ARC_PREFIXES = ("knee_angle", "hip_flexion", "elbow_flex")
_ARC_STEP_RAD = math.radians(12)
_MIN_LIMB = 4.0  # in strokes: an arc at a shorter limb is a blot


def draw_box(person: PersonFrame, stroke: float) -> Iterator[Mark]:
    """Yields the corners of a person's box and their number."""
    if not np.isfinite(person.box_xyxy).all():
        return
    left, top, right, bottom = (float(value) for value in person.box_xyxy)
    colour = colour_of_person(person.person_id)
    reach = max(stroke * 3, 0.16 * min(right - left, bottom - top))
    for x, y, toward_x, toward_y in (
        (left, top, 1, 1),
        (right, top, -1, 1),
        (right, bottom, -1, -1),
        (left, bottom, 1, -1),
    ):
        points = ((x + toward_x * reach, y), (x, y), (x, y + toward_y * reach))
        yield Line(points=points, colour=colour, width=stroke * 0.8)
    yield Text(
        origin=(left, top - stroke * 2),
        words=f"person {person.person_id}",
        height=stroke * 6,
        colour=colour,
        has_ground=True,
    )


def draw_skeleton(person: PersonFrame, layout: MotionLayout, stroke: float) -> Iterator[Mark]:
    """Yields bones, faint where they are unsure, and joints; what was not seen is not drawn."""
    for start, end in layout.bones.tolist():
        first, last = person.joints[start], person.joints[end]
        if not (np.isfinite(first[:2]).all() and np.isfinite(last[:2]).all()):
            continue
        names: tuple[str, str] = (layout.joint_names[int(start)], layout.joint_names[int(end)])
        colours = {colour_of_side(name) for name in names}
        colour = colours.pop() if len(colours) == 1 else MIDDLE
        opacity = 1.0 if min(_confidence(first), _confidence(last)) >= SURE else _FAINT
        yield Line(points=(_point(first), _point(last)), colour=colour, width=stroke, opacity=opacity)
    for name, joint in zip(layout.joint_names, person.joints, strict=True):
        if np.isfinite(joint[:2]).all() and _confidence(joint) >= SURE:
            yield Dot(centre=_point(joint), radius=stroke * 1.1, colour=colour_of_side(name))


def draw_angles(person: PersonFrame, layout: MotionLayout, stroke: float) -> Iterator[Mark]:
    """Yields an arc and its degrees at each sure joint."""
    for index, name in enumerate(layout.angle_names):
        joints = layout.angle_joints[index]
        value = float(person.angles_rad[index])
        if not name.startswith(ARC_PREFIXES) or joints.min() < 0 or not math.isfinite(value):
            continue
        if not person.confidences[index] > SURE:
            continue
        corners = person.joints[joints][:, :2]
        if np.isfinite(corners).all():
            yield from _draw_arc(corners, math.degrees(value), name, stroke)


def _draw_arc(corners: np.ndarray, value_deg: float, name: str, stroke: float) -> Iterator[Mark]:
    one_end, vertex, other_end = corners
    first, second = one_end - vertex, other_end - vertex
    shorter = min(float(np.hypot(*first)), float(np.hypot(*second)))
    if shorter < _MIN_LIMB * stroke:
        return
    radius = min(shorter * 0.45, stroke * 9)
    begin = math.atan2(first[1], first[0])
    turn = (math.atan2(second[1], second[0]) - begin + math.pi) % (2 * math.pi) - math.pi
    count = max(2, math.ceil(abs(turn) / _ARC_STEP_RAD) + 1)
    angles = [begin + turn * step / (count - 1) for step in range(count)]
    colour = colour_of_side(name)
    points = [(float(vertex[0] + radius * math.cos(a)), float(vertex[1] + radius * math.sin(a))) for a in angles]
    yield Line(points=points, colour=colour, width=stroke * 0.7)
    middle = begin + turn / 2
    place = (float(vertex[0] + radius * 1.25 * math.cos(middle)), float(vertex[1] + radius * 1.25 * math.sin(middle)))
    yield Text(origin=place, words=f"{value_deg:.0f}°", height=stroke * 5, colour=colour, has_ground=True)


def _point(joint: Sequence[float] | np.ndarray) -> Point:
    return float(joint[0]), float(joint[1])


def _confidence(joint: np.ndarray) -> float:
    return float(joint[2]) if math.isfinite(joint[2]) else 0.0
