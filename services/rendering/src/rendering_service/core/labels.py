"""Keeps small labels off each other, so that each can be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rendering_service.core.types import Text

_CHARACTER_WIDTH = 0.95  # of a capital's height, on the average and rather too wide
_PAD = 0.4  # of a capital's height, what the ground adds on each side
_MAX_STEPS = 6

_Rectangle = tuple[float, float, float, float]


def spread_labels(labels: Iterable[Text]) -> Sequence[Text]:
    """Returns the labels, moved up or down as little as it takes; the first ones keep their place.

    A label that finds no free place within six heights stays where it is.
    """
    placed: list[Text] = []
    for label in labels:
        taken = [_rectangle(other) for other in placed]
        step = label.height * (1 + 2 * _PAD)
        moves = [0.0, *(sign * count * step for count in range(1, _MAX_STEPS + 1) for sign in (1, -1))]
        options = (replace(label, origin=(label.origin[0], label.origin[1] + move)) for move in moves)
        placed.append(next((option for option in options if _is_free(_rectangle(option), taken)), label))
    return placed


def _rectangle(label: Text) -> _Rectangle:
    pad = label.height * _PAD
    left, bottom = label.origin
    width = label.height * _CHARACTER_WIDTH * len(label.words)
    return left - pad, bottom - label.height - pad, left + width + pad, bottom + pad


def _is_free(wanted: _Rectangle, taken: Sequence[_Rectangle]) -> bool:
    """Whether no rectangle shares more than an edge with `wanted`."""
    slack = 1e-6 * (wanted[3] - wanted[1])
    return all(
        wanted[0] >= other[2] - slack
        or other[0] >= wanted[2] - slack
        or wanted[1] >= other[3] - slack
        or other[1] >= wanted[3] - slack
        for other in taken
    )
