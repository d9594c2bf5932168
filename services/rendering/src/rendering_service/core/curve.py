"""The small live curve: one angle of one person, both sides, over the last seconds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rendering_service.core.palette import GROUND, SOFT, colour_of_person, colour_of_side
from rendering_service.core.types import Line, Mark, MotionFrame, MotionLayout, Point, Text

_WINDOW_S = 3.0
_MAX_MOMENTS = 1000  # of the window: three seconds at 330 frames a second; a file may state any times
_ANGLES = ("knee_angle_r", "knee_angle_l")
_LOW_DEG, _HIGH_DEG, _STEP_DEG = 0, 120, 40
_SURE = 0.5
_TAKE_OVER = 1.2
_STILL_DEG = 5.0  # somebody who stands still counts a little
_Moment = tuple[float, dict[int, tuple[float, ...]]]
_WIDTH_SHARE, _HEIGHT_SHARE, _MARGIN_SHARE = 0.26, 0.2, 0.02


@dataclass
class LiveCurve:
    """The curve's memory. It shows whoever moves most and is surely seen, and stays with them.

    Attributes:
        layout: How a motion's numbers are laid out.
    """

    layout: MotionLayout
    _seen: deque[_Moment] = field(default_factory=lambda: deque[_Moment](maxlen=_MAX_MOMENTS))
    _shown: int = 0

    def add(self, frame: MotionFrame) -> None:
        """Remembers a frame and forgets those before the window."""
        columns = [list(self.layout.angle_names).index(name) for name in _ANGLES if name in self.layout.angle_names]
        values = {
            person.person_id: tuple(
                math.degrees(float(person.angles_rad[column])) if person.confidences[column] > _SURE else math.nan
                for column in columns
            )
            for person in frame.persons
        }
        self._seen.append((frame.offset_s, values))
        while self._seen[0][0] < frame.offset_s - _WINDOW_S:
            self._seen.popleft()

    def draw(self, width: int, height: int, stroke: float) -> Iterator[Mark]:
        """Yields the panel in the lower right corner."""
        scores = {person_id: score for person_id in self._people() if (score := self._score(person_id)) > 0}
        if not scores:
            return
        best = max(scores, key=lambda person_id: (scores[person_id], person_id == self._shown))
        # Another person takes over only when there is clearly more to see of them.
        if scores.get(self._shown, 0.0) * _TAKE_OVER < scores[best]:
            self._shown = best
        yield from self._panel(width, height, stroke)

    def _people(self) -> set[int]:
        return {person_id for _, values in self._seen for person_id in values}

    def _score(self, person_id: int) -> float:
        """Returns how much there is to see of somebody: sure values times how far they reach."""
        angles = [angle for _, values in self._seen for angle in values.get(person_id, ()) if math.isfinite(angle)]
        return len(angles) * (max(angles) - min(angles) + _STILL_DEG) if angles else 0.0

    def _panel(self, width: int, height: int, stroke: float) -> Iterator[Mark]:
        margin = _MARGIN_SHARE * height
        left, right = width * (1 - _WIDTH_SHARE) - margin, width - margin
        top, bottom = height * (1 - _HEIGHT_SHARE) - margin, height - margin
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        yield Line(points=corners, colour=GROUND, width=1, opacity=0.62, is_closed=True, is_filled=True)
        title = f"knee bend, person {self._shown}"
        text_height = stroke * 4.6
        yield Text(
            origin=(left + stroke * 2, top + text_height + stroke * 1.5),
            words=title,
            height=text_height,
            colour=colour_of_person(self._shown),
        )
        plot = (left + stroke * 12, top + text_height + stroke * 5, right - stroke * 8, bottom - stroke * 3)
        for level in range(_LOW_DEG, _HIGH_DEG + 1, _STEP_DEG):
            y = _y_of(level, plot)
            yield Line(points=((plot[0], y), (plot[2], y)), colour=SOFT, width=max(1.0, stroke * 0.25), opacity=0.5)
            yield Text(
                origin=(left + stroke * 2, y + stroke * 1.4), words=f"{level}°", height=stroke * 3.6, colour=SOFT
            )
        for side, name in enumerate(_ANGLES):
            for run in self._runs(side, plot):
                yield Line(points=run, colour=colour_of_side(name), width=stroke * 0.8)
            if self._seen and (newest := self._value(len(self._seen) - 1, side)) is not None:
                y = _y_of(newest, plot) + stroke * 1.2
                yield Text(
                    origin=(plot[2] + stroke, y), words=name[-1].upper(), height=stroke * 4, colour=colour_of_side(name)
                )

    def _runs(self, side: int, plot: tuple[float, float, float, float]) -> Iterator[Sequence[Point]]:
        """Yields the pieces of a curve between its gaps."""
        newest_s = self._seen[-1][0]
        run: list[Point] = []
        for index, (offset_s, _) in enumerate(self._seen):
            value = self._value(index, side)
            if value is None:
                if len(run) > 1:
                    yield run
                run = []
                continue
            share = 1 - (newest_s - offset_s) / _WINDOW_S
            run.append((plot[0] + share * (plot[2] - plot[0]), _y_of(value, plot)))
        if len(run) > 1:
            yield run

    def _value(self, index: int, side: int) -> float | None:
        angles = self._seen[index][1].get(self._shown, ())
        return angles[side] if side < len(angles) and math.isfinite(angles[side]) else None


def _y_of(value_deg: float, plot: tuple[float, float, float, float]) -> float:
    share = (min(_HIGH_DEG, max(_LOW_DEG, value_deg)) - _LOW_DEG) / (_HIGH_DEG - _LOW_DEG)
    return plot[3] - share * (plot[3] - plot[1])
