"""Labels that would cover each other."""

from hypothesis import given
from hypothesis import strategies as st

from rendering_service.core.labels import spread_labels
from rendering_service.core.types import Text


def label(x: float, y: float, words: str = "17°") -> Text:
    return Text(origin=(x, y), words=words, height=10.0, colour=(255, 255, 255), has_ground=True)


def covers(first: Text, second: Text) -> bool:
    """Whether two labels of about 9.5 by 10 pixels a character, with 4 pixels of ground, share a pixel."""
    width = 9.5 * 3 + 8
    apart_x, apart_y = abs(first.origin[0] - second.origin[0]), abs(first.origin[1] - second.origin[1])
    return apart_x < width - 0.01 and apart_y < 18 - 0.01


def test_labels_apart_stay_where_they_are() -> None:
    labels = [label(0, 0), label(100, 0), label(0, 100)]
    assert list(spread_labels(labels)) == labels


def test_the_second_of_two_at_one_place_moves_by_its_own_height() -> None:
    first, second = spread_labels([label(50, 50), label(52, 51)])
    assert first.origin == (50, 50)
    assert second.origin[0] == 52
    assert 18 <= abs(second.origin[1] - 50) <= 20


@given(st.lists(st.tuples(st.floats(0, 200), st.floats(0, 200)), max_size=6))
def test_a_few_labels_never_cover_each_other(places: list[tuple[float, float]]) -> None:
    spread = spread_labels([label(x, y) for x, y in places])
    assert len(spread) == len(places)
    for index, one in enumerate(spread):
        assert not any(covers(one, other) for other in spread[:index])


def test_where_there_is_no_room_nothing_is_lost() -> None:
    assert len(spread_labels([label(0, 0)] * 40)) == 40
