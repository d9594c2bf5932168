"""Colours that people with any colour vision tell apart: Okabe and Ito, "Color Universal Design" (2008), in the order in which they differ most."""

from __future__ import annotations

from rendering_service.core.types import Colour

_PEOPLE: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
)
RIGHT: Colour = (255, 138, 76)
LEFT: Colour = (94, 214, 255)
MIDDLE: Colour = (236, 240, 244)
GROUND: Colour = (16, 22, 30)
SOFT: Colour = (150, 160, 172)


def colour_of_person(person_id: int) -> Colour:
    """Returns a person's colour."""
    return _PEOPLE[(person_id - 1) % len(_PEOPLE)]


def colour_of_side(name: str) -> Colour:
    """Returns the colour of a joint or angle by the side in its name."""
    if name.startswith("right_") or name.endswith("_r"):
        return RIGHT
    if name.startswith("left_") or name.endswith("_l"):
        return LEFT
    return MIDDLE
