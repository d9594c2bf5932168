"""What is drawn: nothing that was not seen, nothing outside the picture, faint where it is unsure."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rendering_service.adapters.canvas import put
from rendering_service.core.overlay import Overlay
from rendering_service.core.palette import colour_of_person, colour_of_side
from rendering_service.core.types import Dot, Line, MotionFrame, MotionLayout, PersonFrame, Style, Text

JOINTS = ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle")
LAYOUT = MotionLayout(
    angle_names=("knee_angle_r", "knee_angle_l", "ankle_angle_r"),
    joint_names=JOINTS,
    bones=np.array([[0, 1], [1, 2], [3, 4], [4, 5], [0, 3]]),
    angle_joints=np.array([[0, 1, 2], [3, 4, 5], [-1, -1, -1]]),
)
STANDING = np.array(
    [[100, 100, 0.9], [100, 160, 0.9], [100, 220, 0.9], [130, 100, 0.9], [130, 160, 0.9], [150, 215, 0.9]], np.float64
)


def person(
    joints: np.ndarray = STANDING, *, angle_deg: float = 20.0, confidence: float = 0.9, person_id: int = 1
) -> PersonFrame:
    return PersonFrame(
        person_id=person_id,
        box_xyxy=np.array([80, 40, 170, 230], np.float64),
        joints=joints.astype(np.float64),
        angles_rad=np.radians([angle_deg, angle_deg, angle_deg]),
        confidences=np.array([confidence, confidence, confidence]),
    )


def overlay(style: Style | None = None, *, width: int = 320, height: int = 240, scale: float = 1.0) -> Overlay:
    return Overlay(layout=LAYOUT, style=style or Style(), width=width, height=height, scale=scale)


def draw(*people: PersonFrame, style: Style | None = None) -> list[Line | Dot | Text]:
    return list(overlay(style).draw(MotionFrame(frame_index=0, offset_s=0.0, persons=people)).marks)


def test_what_was_not_seen_is_not_drawn() -> None:
    blind = person(np.full((6, 3), np.nan), angle_deg=math.nan)
    marks = draw(blind, style=Style(boxes=False))
    assert marks == []


def test_a_bone_with_one_end_unseen_is_not_drawn() -> None:
    joints = STANDING.copy()
    joints[1, :2] = np.nan
    lines = [
        mark
        for mark in draw(person(joints), style=Style(boxes=False, angles=False, curve=False))
        if isinstance(mark, Line)
    ]
    assert len(lines) == 3


def test_unsure_bones_are_faint_and_unsure_joints_have_no_dot() -> None:
    joints = STANDING.copy()
    joints[:, 2] = 0.3
    marks = draw(person(joints), style=Style(boxes=False, angles=False, curve=False))
    assert marks
    assert all(isinstance(mark, Line) and mark.opacity < 1 for mark in marks)


@pytest.mark.parametrize(("confidence", "expected"), [(0.51, 2), (0.5, 0), (0.0, 0), (math.nan, 0)])
def test_an_angle_is_written_only_where_it_is_sure(confidence: float, expected: int) -> None:
    marks = draw(person(confidence=confidence), style=Style(boxes=False, skeletons=False, curve=False))
    words = [mark.words for mark in marks if isinstance(mark, Text)]
    assert words == ["20°"] * expected


def test_an_arc_spans_the_angle_between_its_limbs() -> None:
    lines = [
        mark
        for mark in draw(person(), style=Style(boxes=False, skeletons=False, curve=False))
        if isinstance(mark, Line)
    ]
    vertex = STANDING[1, :2]
    radii = [math.dist(point, vertex) for point in lines[0].points]
    assert max(radii) - min(radii) < 1e-6
    first, last = np.array(lines[0].points[0]) - vertex, np.array(lines[0].points[-1]) - vertex
    assert np.allclose(first / np.hypot(*first), (0, -1))
    assert np.allclose(last / np.hypot(*last), (0, 1))


def test_everything_can_be_left_out() -> None:
    assert draw(person(), style=Style(boxes=False, skeletons=False, angles=False, curve=False)) == []


def test_left_and_right_and_people_have_colours_of_their_own() -> None:
    assert colour_of_side("left_knee") == colour_of_side("knee_angle_l") != colour_of_side("right_knee")
    assert len({colour_of_person(person_id) for person_id in range(1, 7)}) == 6
    assert colour_of_person(7) == colour_of_person(1)


def test_the_curve_stays_with_a_person_until_another_is_clearly_more_to_see() -> None:
    drawn = overlay(Style(boxes=False, skeletons=False, angles=False))
    titles: list[str] = []
    for index in range(90):
        swing = 30 + 25 * math.sin(index / 4)
        people = [person(angle_deg=swing, person_id=1)]
        if index >= 30:
            people.append(person(angle_deg=swing + 2, person_id=2))
        marks = drawn.draw(MotionFrame(frame_index=index, offset_s=index / 30, persons=people)).marks
        titles += [mark.words for mark in marks if isinstance(mark, Text) and mark.words.startswith("knee")]
    assert set(titles[5:]) == {"knee bend, person 1"}


numbers = some.one_of(some.floats(-1e7, 1e7), some.just(math.nan), some.just(math.inf), some.just(-math.inf))


@settings(max_examples=60, deadline=None)
@given(
    some.lists(numbers, min_size=18, max_size=18),
    some.lists(numbers, min_size=4, max_size=4),
    some.floats(allow_nan=True, allow_infinity=True),
    some.floats(0, 1),
)
def test_no_number_breaks_the_drawing(joints: list[float], box: list[float], angle: float, confidence: float) -> None:
    odd = PersonFrame(
        person_id=12345,
        box_xyxy=np.array(box),
        joints=np.array(joints).reshape(6, 3),
        angles_rad=np.array([angle, 1.0, 1.0]),
        confidences=np.array([confidence, 1.0, 1.0]),
    )
    picture = np.zeros((120, 160, 3), np.uint8)
    put(picture, overlay(width=160, height=120).draw(MotionFrame(frame_index=0, offset_s=0.0, persons=[odd])))


def test_words_never_leave_the_picture() -> None:
    inside = np.zeros((120, 160, 3), np.uint8)
    for x, y in ((-500, -500), (500, 500), (80, -3), (159, 60)):
        picture = inside.copy()
        text = Text(origin=(x, y), words="17°", height=10, colour=(255, 255, 255))
        from rendering_service.core.types import Drawing

        put(picture, Drawing(marks=(text,)))
        columns = np.flatnonzero(picture.any(axis=(0, 2)))
        assert len(columns) > 12, "the words are cut off"


def test_marks_follow_the_scale() -> None:
    small = overlay(scale=0.5, width=160, height=120)
    marks = small.draw(MotionFrame(frame_index=0, offset_s=0.0, persons=[person()])).marks
    dots = {mark.centre for mark in marks if isinstance(mark, Dot)}
    assert (50.0, 80.0) in dots
