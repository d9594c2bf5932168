"""Everything that is drawn into a frame, as marks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rendering_service.core.body import draw_angles, draw_box, draw_skeleton
from rendering_service.core.curve import LiveCurve
from rendering_service.core.labels import spread_labels
from rendering_service.core.types import Drawing, Mark, MotionFrame, MotionLayout, Style, Text

_STROKE_SHARE = 1 / 300  # of the picture's height: 2.4 pixels at 720
_MIN_STROKE = 1.0


@dataclass
class Overlay:
    """Draws frame after frame; frames are given in order, since the curve remembers.

    Attributes:
        layout: How a motion's numbers are laid out.
        style: What is drawn.
        width: Width of the picture that is drawn on.
        height: Its height.
        scale: Pixels of that picture for each pixel of the source.
    """

    layout: MotionLayout
    style: Style
    width: int
    height: int
    scale: float
    _curve: LiveCurve = field(init=False)

    def __post_init__(self) -> None:
        """Begins with an empty curve."""
        self._curve = LiveCurve(layout=self.layout)

    def draw(self, frame: MotionFrame) -> Drawing:
        """Returns the marks of a frame."""
        self._curve.add(frame)
        return Drawing(marks=tuple(self._marks(frame)))

    def _marks(self, frame: MotionFrame) -> Iterator[Mark]:
        stroke = max(_MIN_STROKE, self.height * _STROKE_SHARE)
        persons = [person.scaled(self.scale) for person in frame.persons]
        if self.style.skeletons:
            for person in persons:
                yield from draw_skeleton(person, self.layout, stroke)
        if self.style.boxes:
            for person in persons:
                yield from draw_box(person, stroke)
        if self.style.angles:
            marks = [mark for person in persons for mark in draw_angles(person, self.layout, stroke)]
            yield from (mark for mark in marks if not isinstance(mark, Text))
            yield from spread_labels(mark for mark in marks if isinstance(mark, Text))
        if self.style.curve:
            yield from self._curve.draw(self.width, self.height, stroke)
