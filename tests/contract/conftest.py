"""What a contract test claims to cover, it must have seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import calls


@pytest.fixture(autouse=True)
def claims_are_kept(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test whose `covers` names an outcome that none of its calls had."""
    calls.observed.clear()
    yield
    for mark in request.node.iter_markers("covers"):
        unseen = mark.args[0] - set(calls.observed)
        assert not unseen, f"claimed and not seen: {sorted(unseen)}"
