"""Tokens that do not hold open nothing, anywhere."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from praxiscope.auth.v1 import auth_pb2
from praxiscope_common import names
from praxiscope_common.access import PUBLIC, access_of
from tests.support import contracts
from tests.support.examples import EXAMPLES, existing, unknown
from tests.support.house import House, Tenant, claims_of

GUARDED = sorted(
    short
    for short in EXAMPLES
    if access_of(f"/{contracts.find(short).containing_service.full_name}/{short.partition('.')[2]}").permission
    != PUBLIC
)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _signed(house: House, claims: dict[str, Any], *, key_id: str | None = None) -> str:
    key = house.postgres.secrets.rsa_key("access-tokens").read_text()
    known = house.served("auth").app.keys.published[0].key_id
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": known if key_id is None else key_id})


def _known_key_id(house: House) -> str:
    return str(house.served("auth").app.keys.published[0].key_id)


def _hmac_with_the_public_key(house: House, claims: dict[str, Any]) -> str:
    """The classic confusion: the public key, which everybody has, taken for a shared secret."""
    private = serialization.load_pem_private_key(house.postgres.secrets.rsa_key("access-tokens").read_bytes(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    body = f"{_encode({'alg': 'HS256', 'typ': 'JWT', 'kid': _known_key_id(house)})}.{_encode(claims)}"
    digest = hmac.new(public, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _tampered(token: str) -> str:
    head, body, signature = token.split(".")
    claims = claims_of(token) | {"prj": "another", "permissions": ["auth.users.manage"]}
    assert body
    return f"{head}.{_encode(claims)}.{signature}"


BAD: dict[str, Callable[[House, str], str]] = {
    "nonsense": lambda _house, _token: "nonsense",
    "empty parts": lambda _house, _token: "..",
    "expired": lambda house, token: _signed(house, claims_of(token) | {"exp": int(time.time()) - 30}),
    "not yet valid": lambda house, token: _signed(house, claims_of(token) | {"nbf": int(time.time()) + 60}),
    "issued in the future": lambda house, token: _signed(house, claims_of(token) | {"iat": int(time.time()) + 60}),
    "for others": lambda house, token: _signed(house, claims_of(token) | {"aud": "somebody else"}),
    "for a service's own login": lambda house, token: _signed(house, claims_of(token) | {"aud": "praxiscope-auth"}),
    "of another issuer": lambda house, token: _signed(house, claims_of(token) | {"iss": "somebody else"}),
    "without an end": lambda house, token: _signed(
        house, {key: value for key, value in claims_of(token).items() if key != "exp"}
    ),
    "of another key": lambda house, token: jwt.encode(
        claims_of(token), OTHER_KEY, algorithm="RS256", headers={"kid": _known_key_id(house)}
    ),
    "of an unknown key": lambda house, token: _signed(house, claims_of(token), key_id="unknown"),
    "of no key": lambda house, token: _signed(house, claims_of(token), key_id=""),
    "unsigned": lambda house, token: (
        f"{_encode({'alg': 'none', 'typ': 'JWT', 'kid': _known_key_id(house)})}.{_encode(claims_of(token))}."
    ),
    "signed with the public key": lambda house, token: _hmac_with_the_public_key(house, claims_of(token)),
    "changed on the way": lambda _house, token: _tampered(token),
    "a refresh token": lambda _house, _token: "0" * 43,
    "an API key": lambda _house, _token: "pxk_" + "0" * 64,
}


@pytest.mark.parametrize("short", GUARDED)
async def test_no_bad_token_opens_any_method(house: House, tenant: Tenant, short: str) -> None:
    request = EXAMPLES[short].make(await existing(tenant, EXAMPLES[short].kind))
    for what, make in BAD.items():
        answer = await house.ask(short, request, token=make(house, tenant.everything))
        assert answer.code is grpc.StatusCode.UNAUTHENTICATED, f"{what}: {answer.outcome}"
        assert answer.outcome in {"INVALID_TOKEN", "UNAUTHENTICATED"}, what


def test_every_method_but_the_public_ones_is_tried() -> None:
    """The public ones are how one becomes somebody, and what a token is checked with."""
    assert set(EXAMPLES) - set(GUARDED) == {
        "TokenService.Login",
        "TokenService.RefreshToken",
        "TokenService.ExchangeApiKey",
        "TokenService.ExchangeToken",
        "TokenService.ListRevocations",
        "TokenService.GetKeySet",
    }


async def test_the_tokens_above_are_bad_for_the_one_reason_they_name(house: House, tenant: Tenant) -> None:
    """Or the tests above would pass whatever the services check."""
    again = _signed(house, claims_of(tenant.token))
    answer = await house.ask("UserService.GetCaller", auth_pb2.GetCallerRequest(), token=again)
    assert answer.message.subject == tenant.subject


@pytest.mark.parametrize("header", ["Basic YTpi", "bearer", "Bearer", "Bearer  ", "token"])
async def test_what_is_no_bearer_token_is_no_token(house: House, header: str) -> None:
    answer = await house.ask("UserService.GetCaller", auth_pb2.GetCallerRequest(), metadata={"authorization": header})
    assert answer.code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_logout_reaches_every_method_within_five_seconds(house: House, tenant: Tenant) -> None:
    token, other_session = tenant.everything, tenant.everything
    requests = {short: EXAMPLES[short].make(unknown(tenant, EXAMPLES[short].kind)) for short in GUARDED}
    assert (await house.ask("UserService.GetCaller", auth_pb2.GetCallerRequest(), token=token)).error is None
    await house.ask("TokenService.Logout", auth_pb2.LogoutRequest(), token=token)
    deadline_s = time.monotonic() + 5
    waiting = dict.fromkeys(
        short.partition(".")[0] for short in GUARDED
    )  # one method of each service knows what all know
    while waiting and time.monotonic() < deadline_s:
        for service in list(waiting):
            short = next(name for name in GUARDED if name.startswith(f"{service}."))
            if (await house.ask(short, requests[short], token=token)).code is grpc.StatusCode.UNAUTHENTICATED:
                del waiting[service]
        await asyncio.sleep(0.1)
    assert not waiting
    for short in GUARDED:
        answer = await house.ask(short, requests[short], token=token)
        assert answer.code is grpc.StatusCode.UNAUTHENTICATED, short
        answer.fails("REVOKED_TOKEN")
    answer = await house.ask("UserService.GetCaller", auth_pb2.GetCallerRequest(), token=other_session)
    assert answer.error is None, "another session of the same person goes on"


async def test_a_token_says_who_for_what_and_nothing_more(tenant: Tenant) -> None:
    claims = claims_of(tenant.service_token("biomechanics", operation="projects/p/operations/o"))
    assert claims["sub"] == tenant.subject
    assert claims["act"] == {"sub": "services/biomechanics"}
    assert claims["azp"] == "biomechanics"
    assert names.project_of(f"projects/{claims['prj']}") == tenant.project_id
    assert set(claims) <= {
        *("iss", "aud", "sub", "prj", "roles", "permissions", "sid", "jti", "iat", "nbf", "exp", "azp", "act", "op")
    }
