"""What is in a picture, roughly: enough to tell a world from an empty canvas."""

from __future__ import annotations

import cv2
import numpy as np


def pixel_spread(encoded: bytes) -> float:
    """Returns how much the pixels of a picture differ: 0 where it is of one colour."""
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return float(picture.std())
