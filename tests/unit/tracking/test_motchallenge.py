"""MOTChallenge text goes in and out, and what is wrong is said with its line."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking_service.core.errors import InvalidMotChallengeTextError
from tracking_service.core.motchallenge import read_detections, write_tracks
from tracking_service.core.types import TrackedDetections

corners = st.tuples(st.integers(-500, 4000), st.integers(-500, 4000), st.integers(1, 900), st.integers(1, 900))


@given(st.lists(st.lists(corners, max_size=5), max_size=8))
def test_what_is_written_is_read_back(frames: list[list[tuple[int, int, int, int]]]) -> None:
    tracked = [
        TrackedDetections(
            frame_index=i_frame,
            ids=np.arange(1, len(boxes) + 1),
            detection_index=np.arange(len(boxes)),
            boxes_xyxy_px=np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], dtype=float).reshape(-1, 4),
            scores=np.full(len(boxes), 0.5),
        )
        for i_frame, boxes in enumerate(frames)
    ]
    read = {frame.frame_index: frame for frame in read_detections(write_tracks(tracked))}
    assert set(read) == {t.frame_index for t in tracked if len(t.ids)}
    for item in tracked:
        if len(item.ids):
            np.testing.assert_array_equal(read[item.frame_index].ids, item.ids)
            np.testing.assert_allclose(read[item.frame_index].boxes_xyxy_px, item.boxes_xyxy_px, atol=0.011)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1,-1,0,0,10,20,nan", "line 1: NaN and infinity"),
        ("1,-1,0,0,10,20,0.9\n\n1,-1,0,0,inf,20,0.9", "line 3: NaN and infinity"),
        ("1,-1,0,0,10", "line 1: 5 columns"),
        ("1,-1,0,0,10,20,0.9,1,1,1,1", "line 1: 11 columns"),
        ("1,-1,0,0,-10,20,0.9", "line 1: width and height"),
        ("1,-1,0,0,10,0,0.9", "line 1: width and height"),
        ("1,-1,0,zero,10,20,0.9", "line 1: not a number"),
        ("2,-1,0,0,10,20,0.9\n1,-1,0,0,10,20,0.9", "line 2: frames must not go back"),
        ("0,-1,0,0,10,20,0.9", "line 1: the frame must be"),
        ("1.5,-1,0,0,10,20,0.9", "line 1: the frame must be"),
        ("1,-2,0,0,10,20,0.9", "line 1: the id must be"),
        ("1," + "1" * 2000, "line 1: the line has"),
        ("<html>", "line 1: 1 columns"),
    ],
)
def test_a_bad_line_is_named(text: str, problem: str) -> None:
    with pytest.raises(InvalidMotChallengeTextError, match=problem) as caught:
        list(read_detections(text.splitlines()))
    assert caught.value.metadata["line_number"] == problem.split(":")[0].removeprefix("line ")


def test_reading_is_bounded_and_lazy() -> None:
    endless = (f"{frame},-1,0,0,10,20,0.9" for frame in itertools.count(1))
    assert [f.frame_index for f in itertools.islice(read_detections(endless), 3)] == [0, 1, 2]
    with pytest.raises(InvalidMotChallengeTextError, match="more than 2 objects"):
        list(read_detections(["1,-1,0,0,10,20,0.9"] * 3, max_objects_per_frame=2))


def test_a_missing_score_counts_as_sure() -> None:
    first, second = read_detections(["1,1,0,0,10,20", "2,1,0,0,10,20,-1,-1,-1,-1"])
    assert (first.scores[0], second.scores[0]) == (1.0, 1.0)


@pytest.mark.parametrize(
    "line",
    [
        "1,1e300,10,10,5,5,1",
        "1,9007199254740994,10,10,5,5,1",
        "1,-1,1e308,10,1e308,5,1",
        "1,-1,10,-1e12,5,5,1",
    ],
)
def test_a_number_that_arithmetic_cannot_do_with_is_refused(line: str) -> None:
    with pytest.raises(InvalidMotChallengeTextError, match="line 1"):
        list(read_detections([line]))
