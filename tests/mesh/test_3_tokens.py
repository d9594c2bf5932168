"""Tokens: a good one is needed, and one that is broken, too old, of another or for another is refused before a service sees it."""

from __future__ import annotations

import pytest

from tests.support.mesh import Answered, Call, Laboratory
from tests.support.mesh_checks import METHODS, PUBLIC, WRONG, token_problems
from tests.support.mesh_tokens import GOOD


def test_a_token_must_be_there_and_hold(laboratory: Laboratory) -> None:
    assert token_problems(laboratory) == []


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_token_does_not_help_where_none_is_needed(laboratory: Laboratory, name: str) -> None:
    metadata = (("authorization", f"Bearer {laboratory.tokens[name]}"),)
    outcome = laboratory.callers["gateway"].one(Call(address="auth:7410", method=PUBLIC, metadata=metadata))
    assert outcome.answered is Answered.AUTHENTICATION


def test_a_good_token_does_not_help_who_may_not_call(laboratory: Laboratory) -> None:
    metadata = (("authorization", f"Bearer {laboratory.tokens[GOOD]}"),)
    for account in ("triton", "stranger-praxiscope-migrate", "tracking"):
        call = Call(address="library:7420", method=METHODS["library:7420"], metadata=metadata)
        assert laboratory.callers[account].one(call).answered is Answered.POLICY
