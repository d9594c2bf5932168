"""Tokens: a good one is needed, and one that is broken, too old, of another or for another is refused before a service sees it."""

from __future__ import annotations

import pytest

from tests.support.mesh import Answered, Call, Laboratory
from tests.support.mesh_tokens import GOOD

# One method of each service that wants a token.
METHODS = {
    "auth:7410": "/praxiscope.auth.v1.ProjectService/ListProjects",
    "library:7420": "/praxiscope.library.v1.AssetService/GetAsset",
    "vision-inference:7430": "/praxiscope.vision.v1.VisionService/ListModels",
    "biomechanics:7450": "/praxiscope.biomechanics.v1.MotionService/GetMotion",
}
_PUBLIC = "/praxiscope.auth.v1.TokenService/GetKeySet"
WRONG = ("broken", "signed by another", "expired", "for another audience", "of another issuer")


def token_problems(laboratory: Laboratory) -> list[str]:
    """Returns which tokens, or the lack of one, were judged otherwise than they should be."""
    problems: list[str] = []
    expected = {"": Answered.POLICY, GOOD: Answered.SERVICE, **dict.fromkeys(WRONG, Answered.AUTHENTICATION)}
    for address, method in METHODS.items():
        for name, answered in expected.items():
            metadata = (("authorization", f"Bearer {laboratory.tokens[name]}"),) if name else ()
            outcome = laboratory.callers["gateway"].one(Call(address=address, method=method, metadata=metadata))
            if outcome.answered is not answered:
                problems.append(f"{address} with {name or 'no token'}: {outcome}")
    return problems


def test_a_token_must_be_there_and_hold(laboratory: Laboratory) -> None:
    assert token_problems(laboratory) == []


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_token_does_not_help_where_none_is_needed(laboratory: Laboratory, name: str) -> None:
    metadata = (("authorization", f"Bearer {laboratory.tokens[name]}"),)
    outcome = laboratory.callers["gateway"].one(Call(address="auth:7410", method=_PUBLIC, metadata=metadata))
    assert outcome.answered is Answered.AUTHENTICATION


def test_a_good_token_does_not_help_who_may_not_call(laboratory: Laboratory) -> None:
    metadata = (("authorization", f"Bearer {laboratory.tokens[GOOD]}"),)
    for account in ("triton", "stranger-praxiscope-migrate", "tracking"):
        call = Call(address="library:7420", method=METHODS["library:7420"], metadata=metadata)
        assert laboratory.callers[account].one(call).answered is Answered.POLICY
