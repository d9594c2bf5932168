"""A PNG that is written row by row is the picture."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest

from rendering_service.adapters.png_stream import PngStream


@pytest.mark.parametrize("rows_at_once", [1, 7, 100])
@pytest.mark.parametrize("is_depth", [False, True], ids=["colours", "depth"])
def test_a_picture_survives_being_written_in_pieces(rows_at_once: int, is_depth: bool) -> None:
    random = np.random.default_rng(1)
    picture = (
        random.integers(0, 65536, (40, 33), np.uint16) if is_depth else random.integers(0, 256, (40, 33, 3), np.uint8)
    )
    target = io.BytesIO()
    with PngStream(target, width_px=33, height_px=40, is_depth=is_depth) as stream:
        for top in range(0, 40, rows_at_once):
            stream.write(picture[top : top + rows_at_once])
    read = cv2.imdecode(np.frombuffer(target.getvalue(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert read is not None
    np.testing.assert_array_equal(read if is_depth else read[..., ::-1], picture)


def test_rows_that_do_not_belong_into_the_picture_are_refused() -> None:
    for rows in (np.zeros((3, 4, 3), np.uint8), np.zeros((1, 5, 3), np.uint8), np.zeros((1, 4, 3), np.float32)):
        stream = PngStream(io.BytesIO(), width_px=4, height_px=2, is_depth=False)
        with pytest.raises(ValueError, match="belong"):
            stream.write(rows)
    with pytest.raises(ValueError, match="missing"), PngStream(io.BytesIO(), width_px=4, height_px=2, is_depth=False):
        pass
