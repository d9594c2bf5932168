"""Which test covers which outcome of which method. The claims are made where the tests are; a fixture checks each against what the test saw."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.support.calls import OK

_Test = TypeVar("_Test", bound=Callable[..., object])
claims: set[tuple[str, str]] = set()


def covers(method: str, *reasons: str) -> Callable[[_Test], _Test]:
    """Claims that a test sees these outcomes of a method: reasons, or success where none is given."""
    outcomes = {(method, reason) for reason in reasons or (OK,)}
    claims.update(outcomes)

    def mark(test: _Test) -> _Test:
        return pytest.mark.covers(frozenset(outcomes))(test)

    return mark
