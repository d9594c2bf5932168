"""Puts marks onto pictures with OpenCV."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from rendering_service.core.palette import GROUND
from rendering_service.core.types import Colour, Dot, Drawing, Line, Point, Text

Picture = NDArray[np.uint8]
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAP_HEIGHT = 21.0  # of OpenCV's Hershey font at scale 1, in pixels
_FRACTION_BITS = 4
_GROUND_OPACITY = 0.55


def put(picture: Picture, drawing: Drawing) -> None:
    """Draws into a picture (H, W, 3) in place; what would leave it is cut off, words are moved inside."""
    for mark in drawing.marks:
        match mark:
            case Line():
                _put_line(picture, mark)
            case Dot():
                centre = tuple(_fixed(mark.centre))
                cv2.circle(
                    picture, centre, _fixed_length(mark.radius), mark.colour, cv2.FILLED, cv2.LINE_AA, _FRACTION_BITS
                )
            case Text():
                _put_text(picture, mark)


def _put_line(picture: Picture, line: Line) -> None:
    points = np.array([_fixed(point) for point in line.points], np.int32)
    if line.is_filled:
        corners = np.array(line.points)
        low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
        _shade(picture, low[0], low[1], high[0], high[1], line.colour, line.opacity)
        return
    colour = line.colour if line.opacity >= 1 else _faint(line.colour, line.opacity)
    width = max(1, round(line.width))
    cv2.polylines(picture, [points], line.is_closed, colour, width, cv2.LINE_AA, _FRACTION_BITS)


def _put_text(picture: Picture, text: Text) -> None:
    scale = text.height / _CAP_HEIGHT
    thickness = max(1, round(text.height / 11))
    words = text.words.replace("°", "")
    (width, _), _ = cv2.getTextSize(words, _FONT, scale, thickness)
    ring = text.height * 0.22 if "°" in text.words else 0.0
    full_width = width + round(3 * ring)
    pad = round(text.height * 0.35) if text.has_ground else 0
    height, limit = picture.shape[:2]
    x = int(min(max(text.origin[0], pad), max(pad, limit - full_width - pad)))
    y = int(min(max(text.origin[1], text.height + pad), max(text.height + pad, height - pad - 1)))
    if text.has_ground:
        _shade(picture, x - pad, round(y - text.height) - pad, x + full_width + pad, y + pad, GROUND, _GROUND_OPACITY)
    cv2.putText(picture, words, (x, y), _FONT, scale, text.colour, thickness, cv2.LINE_AA)
    if ring:  # the font has no degree sign
        centre = (round(x + width + ring * 1.3), round(y - text.height + ring))
        cv2.circle(picture, centre, max(1, round(ring)), text.colour, max(1, thickness - 1), cv2.LINE_AA)


def _shade(picture: Picture, left: int, top: int, right: int, bottom: int, colour: Colour, opacity: float) -> None:
    height, width = picture.shape[:2]
    left, right = max(0, int(left)), min(width, int(right))
    top, bottom = max(0, int(top)), min(height, int(bottom))
    if left >= right or top >= bottom:
        return
    part = picture[top:bottom, left:right]
    ground = np.empty_like(part)
    ground[:] = colour
    cv2.addWeighted(part, 1 - opacity, ground, opacity, 0, dst=part)


def _faint(colour: Colour, opacity: float) -> Colour:
    red, green, blue = (round(value * opacity + 90 * (1 - opacity)) for value in colour)
    return red, green, blue


def _fixed(point: Point) -> list[int]:
    """Returns a point in OpenCV's fixed numbers; our pixel centres are at halves, OpenCV's at whole numbers."""
    return [_fixed_length(point[0] - 0.5), _fixed_length(point[1] - 0.5)]


def _fixed_length(length: float) -> int:
    if not math.isfinite(length):
        raise ValueError("a mark must be finite")
    return round(min(max(length, -1e5), 1e5) * (1 << _FRACTION_BITS))
