"""The checker of parity must itself catch what is wrong, and let pass what may be."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.parity import GRADIENT, PICTURE, find_disagreement

PICTURE_RGB = np.random.default_rng(0).random((40, 50, 3))


def test_equal_arrays_agree() -> None:
    assert find_disagreement(PICTURE_RGB, PICTURE_RGB, PICTURE) is None


def test_a_few_jumps_to_both_sides_agree() -> None:
    found = PICTURE_RGB.copy()
    found[3, 4] += 1 / 255
    found[9, 9] -= 1 / 255
    assert find_disagreement(found, PICTURE_RGB, PICTURE) is None


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        pytest.param(lambda p: p.__setitem__((3, 4), 0.9 - p[3, 4]), "difference", id="one pixel is far off"),
        pytest.param(lambda p: p.__iadd__(1e-4), "differ by more", id="all are a little brighter"),
        pytest.param(lambda p: p.__iadd__(1.5e-5), "bias", id="all are brighter within the tight tier"),
        pytest.param(lambda p: p[:4].__iadd__(1 / 255), "differ by more", id="jumps in a tenth of the picture"),
        pytest.param(lambda p: p.__setitem__(slice(0, 5), np.nan), "missing", id="missing rows"),
    ],
)
def test_what_is_wrong_is_found(spoil, word: str) -> None:
    found = PICTURE_RGB.copy()
    spoil(found)
    assert word in (find_disagreement(found, PICTURE_RGB, PICTURE) or "")


def test_a_gradient_of_the_wrong_sign_or_size_is_found() -> None:
    gradient = np.random.default_rng(1).standard_normal((60, 3)) * 1e-6
    assert find_disagreement(gradient, gradient, GRADIENT) is None
    for factor in (-1.0, 0.5, 1.1):
        assert find_disagreement(gradient * factor, gradient, GRADIENT)


def test_something_where_nothing_should_be_is_found() -> None:
    assert find_disagreement(np.full(3, 1e-9), np.zeros(3), GRADIENT)
