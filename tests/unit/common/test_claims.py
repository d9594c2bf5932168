"""Claims of a form that auth never writes: refused as a token, and no mistake of ours."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from praxiscope_common.tokens import ALGORITHM, AUDIENCE, ISSUER, InvalidTokenError, Revocation, TokenVerifier

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Keys:
    """The one key, and no revocations."""

    async def fetch_keys(self) -> Sequence[Mapping[str, str]]:
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        return [{"kid": "k", "kty": "RSA", "n": jwk["n"], "e": jwk["e"]}]

    async def fetch_revocations(self, cursor: int) -> tuple[Sequence[Revocation], int]:
        return (), cursor


def signed(changes: Mapping[str, Any]) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "users/a", "jti": "j", "iat": 1, "exp": int(time.time()) + 60}
    return jwt.encode(claims | changes, KEY, algorithm=ALGORITHM, headers={"kid": "k"})


async def test_a_token_of_our_form_holds() -> None:
    caller = await TokenVerifier(source=Keys()).verify(signed({"permissions": ["a"]}))
    assert caller.permissions == {"a"}


@pytest.mark.parametrize(
    "changes",
    [{"permissions": 0}, {"permissions": None}, {"permissions": 1.5}, {"sub": 5}, {"jti": []}, {"exp": "soon"}],
)
async def test_a_claim_of_another_form_is_a_token_that_does_not_hold(changes: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        await TokenVerifier(source=Keys()).verify(signed(changes))
