"""How a service proves who it is to auth, reads auth's keys, and gets tokens to act for a caller (RFC 7523, RFC 8693)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import jwt

from praxiscope.auth.v1 import auth_pb2, auth_pb2_grpc
from praxiscope_common.client import call
from praxiscope_common.config import Secret
from praxiscope_common.identity import current_caller
from praxiscope_common.names import new_id
from praxiscope_common.tokens import Revocation

CLIENT_ASSERTION_AUDIENCE = "praxiscope-auth"
_ASSERTION_LIFETIME_S = 60
_RENEW_BEFORE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Mandate:
    """For whom a job works, as its row keeps it: never a token.

    Attributes:
        subject: `users/{user}` or `projects/{project}/apiKeys/{key}`.
        project: Id of the project.
        permissions: What the caller was allowed when the job was accepted.
        operation: `projects/{project}/operations/{operation}`.
    """

    subject: str
    project: str
    permissions: tuple[str, ...]
    operation: str


class AuthKeySource:
    """Reads keys and revocations from auth."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Uses a channel to auth."""
        self._stub = auth_pb2_grpc.TokenServiceStub(channel)

    async def fetch_keys(self) -> Sequence[Mapping[str, str]]:
        """Returns the public keys as JWKs."""
        keys = await call(self._stub.GetKeySet, auth_pb2.GetKeySetRequest(), token="", timeout_s=5, is_repeatable=True)
        return [
            {"kty": key.kty, "kid": key.kid, "use": key.use, "alg": key.alg, "n": key.n, "e": key.e}
            for key in keys.keys
        ]

    async def fetch_revocations(self, cursor: int) -> tuple[Sequence[Revocation], int]:
        """Returns the revocations behind `cursor`, and the cursor behind them."""
        request = auth_pb2.ListRevocationsRequest(cursor=cursor)
        answer = await call(self._stub.ListRevocations, request, token="", timeout_s=5, is_repeatable=True)
        revocations = [
            Revocation(
                session=item.session,
                subject=item.subject,
                project=item.project,
                issued_until_s=item.issued_until.ToNanoseconds() / 1e9,
            )
            for item in answer.revocations
        ]
        return revocations, answer.next_cursor


@dataclass
class ServiceIdentity:
    """A service's own key, and the tokens it got with it.

    Attributes:
        service: The service's name, as in `biomechanics`.
        private_key: Its RSA key, PEM.
        channel: A channel to auth.
        clock: Returns Unix time in seconds.
    """

    service: str
    private_key: Secret
    channel: grpc.aio.Channel
    clock: Callable[[], float] = time.time
    _held: dict[tuple[str, ...], tuple[str, float]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def token_for_caller(self) -> str:
        """Returns a token with which this service acts for the current caller: the caller's permissions and the service's own."""
        caller = current_caller()
        if caller.acting_service:
            return caller.token  # another service's mandate covers what it asks of us
        request = auth_pb2.ExchangeTokenRequest(subject_token=caller.token)
        return await self._token(("caller", caller.token_id), request)

    async def token_for_mandate(self, mandate: Mandate) -> str:
        """Returns a token with which this service acts for whoever started an operation; renewed before it ends."""
        request = auth_pb2.ExchangeTokenRequest(
            subject=mandate.subject,
            project=f"projects/{mandate.project}",
            permissions=mandate.permissions,
            operation=mandate.operation,
        )
        return await self._token(("mandate", mandate.operation, mandate.subject), request)

    async def token_for_self(self) -> str:
        """Returns a token with which this service acts in its own name, where auth lets it; renewed before it ends."""
        subject = f"services/{self.service}"
        return await self._token(("self", subject), auth_pb2.ExchangeTokenRequest(subject=subject))

    def assertion(self) -> str:
        """Returns a fresh client assertion."""
        now_s = int(self.clock())
        claims = {
            "iss": self.service,
            "sub": self.service,
            "aud": CLIENT_ASSERTION_AUDIENCE,
            "iat": now_s,
            "exp": now_s + _ASSERTION_LIFETIME_S,
            "jti": new_id(),
        }
        return jwt.encode(claims, self.private_key.reveal(), algorithm="RS256", headers={"kid": self.service})

    async def _token(self, key: tuple[str, ...], request: auth_pb2.ExchangeTokenRequest) -> str:
        held = self._held.get(key)
        if held and held[1] - self.clock() > _RENEW_BEFORE_S:
            return held[0]
        async with self._lock:
            held = self._held.get(key)
            if held and held[1] - self.clock() > _RENEW_BEFORE_S:
                return held[0]
            request.client_assertion = self.assertion()
            stub = auth_pb2_grpc.TokenServiceStub(self.channel)
            answer = await call(stub.ExchangeToken, request, token="", is_repeatable=True)
            now_s = self.clock()
            self._held = {name: value for name, value in self._held.items() if value[1] > now_s}
            self._held[key] = (answer.access_token, answer.expire_time.ToNanoseconds() / 1e9)
            return answer.access_token


def read_service_key(path: Path) -> Secret:
    """Returns the private key that stands in a file."""
    return Secret(path.read_text(encoding="utf-8"))
