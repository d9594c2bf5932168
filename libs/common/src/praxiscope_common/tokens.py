"""Checks access tokens with auth's published keys, without asking auth about each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import jwt

from praxiscope_common.errors import DomainError, UnauthenticatedError, UnavailableError
from praxiscope_common.identity import Caller

logger = logging.getLogger(__name__)

ISSUER = "praxiscope-auth"
AUDIENCE = "praxiscope"
ALGORITHM = "RS256"
_CLOCK_LEEWAY_S = 10
_KEY_REFRESH_S = 300.0
_UNKNOWN_KEY_REFRESH_S = 2.0  # so that invented key ids cannot make us ask auth all the time
REVOCATION_POLL_S = 2.0


class InvalidTokenError(UnauthenticatedError):
    """The access token does not hold; log in again or send an API key."""

    reason = "INVALID_TOKEN"


class RevokedTokenError(UnauthenticatedError):
    """The access token was revoked; log in again."""

    reason = "REVOKED_TOKEN"


class KeysUnavailableError(UnavailableError):
    """The keys of access tokens cannot be read at the moment; try again."""

    reason = "TOKEN_KEYS_UNAVAILABLE"


@dataclass(frozen=True, kw_only=True)
class Revocation:
    """Tokens that no longer hold although their time is not over.

    Attributes:
        session: Claim `sid` of the tokens meant, or empty for any.
        subject: Claim `sub` of the tokens meant, or empty for any.
        project: Claim `prj` of the tokens meant, or empty for any.
        issued_until_s: Tokens issued at or before this Unix time are meant.
    """

    session: str = ""
    subject: str = ""
    project: str = ""
    issued_until_s: float

    def covers(self, caller: Caller) -> bool:
        """Returns whether the caller's token is meant."""
        return (
            bool(self.session or self.subject)
            and self.session in ("", caller.session)
            and self.subject in ("", caller.subject)
            and self.project in ("", caller.project)
            and caller.issued_at_s <= self.issued_until_s
        )


class KeySource(Protocol):
    """Where keys and revocations come from."""

    async def fetch_keys(self) -> Sequence[Mapping[str, str]]:
        """Returns the public keys as JWKs."""
        ...

    async def fetch_revocations(self, cursor: int) -> tuple[Sequence[Revocation], int]:
        """Returns the revocations behind `cursor`, and the cursor behind them."""
        ...


@dataclass
class TokenVerifier:
    """Verifies tokens; keep one per process and run `follow_revocations` beside it.

    Attributes:
        source: Where keys and revocations come from.
        clock: Returns Unix time in seconds.
    """

    source: KeySource
    clock: Callable[[], float] = time.time
    _keys: dict[str, Any] = field(default_factory=dict)
    _keys_read_s: float = field(default=float("-inf"))
    _heard_s: float = field(default=float("-inf"))
    _by_session: dict[str, list[Revocation]] = field(default_factory=dict)
    _by_subject: dict[str, list[Revocation]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def verify(self, token: str) -> Caller:
        """Returns who a token speaks for.

        Raises:
            InvalidTokenError: If it is broken, not signed by auth, too old, not yet valid or meant for others.
            RevokedTokenError: If it was revoked.
            KeysUnavailableError: If auth's keys were never read and cannot be read now.
        """
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise InvalidTokenError() from error
        key = await self._key(str(header.get("kid", "")))
        if key is None or header.get("alg") != ALGORITHM:
            raise InvalidTokenError()
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=_CLOCK_LEEWAY_S,
                options={"require": ["exp", "iat", "sub", "jti"]},
            )
            caller = caller_of(claims, token)
        except (
            jwt.InvalidTokenError,
            TypeError,
            ValueError,
            OverflowError,
        ) as error:  # the last: claims of another form
            raise InvalidTokenError() from error
        revocations = [*self._by_session.get(caller.session, ()), *self._by_subject.get(caller.subject, ())]
        if any(revocation.covers(caller) for revocation in revocations):
            raise RevokedTokenError()
        return caller

    async def probe(self) -> None:
        """Returns if auth answers, or answered when it was last asked for revocations, a moment ago.

        Raises:
            DomainError: If it does not.
        """
        if self.clock() - self._heard_s > 2 * REVOCATION_POLL_S:
            await self.source.fetch_keys()

    async def follow_revocations(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Asks for new revocations every two seconds until cancelled; an auth that is away is asked again."""
        cursor = 0
        while True:
            try:
                revocations, cursor = await self.source.fetch_revocations(cursor)
                self._heard_s = self.clock()
                for revocation in revocations:
                    self._remember(revocation)
            except DomainError as error:  # away, too slow, or in trouble: what is known still holds
                self._heard_s = float("-inf")
                logger.warning("revocations cannot be read", extra={"reason": error.reason})
            await sleep(REVOCATION_POLL_S)

    def _remember(self, revocation: Revocation) -> None:
        index, key = (
            (self._by_session, revocation.session) if revocation.session else (self._by_subject, revocation.subject)
        )
        index.setdefault(key, []).append(revocation)

    async def _key(self, key_id: str) -> Any | None:  # noqa: ANN401  PyJWT's key types have no common name
        age_s = self.clock() - self._keys_read_s
        if (key_id in self._keys and age_s < _KEY_REFRESH_S) or (
            key_id not in self._keys and age_s < _UNKNOWN_KEY_REFRESH_S
        ):
            return self._keys.get(key_id)
        async with self._lock:
            if self.clock() - self._keys_read_s >= min(age_s, _UNKNOWN_KEY_REFRESH_S):
                await self._read_keys()
        return self._keys.get(key_id)

    async def _read_keys(self) -> None:
        try:
            jwks = await self.source.fetch_keys()
        except DomainError as error:
            if not self._keys:
                raise KeysUnavailableError(retry_after_s=1.0) from error
            logger.warning("token keys cannot be read; the ones known are kept")
            self._keys_read_s = self.clock()
            return
        self._keys = {jwk["kid"]: jwt.PyJWK.from_dict(dict(jwk), algorithm=ALGORITHM).key for jwk in jwks}
        self._keys_read_s = self.clock()


def caller_of(claims: Mapping[str, Any], token: str) -> Caller:
    """Returns the caller that verified claims describe."""
    return Caller(
        subject=str(claims["sub"]),
        project=str(claims.get("prj", "")),
        permissions=frozenset(str(item) for item in claims.get("permissions", ())),
        token=token,
        token_id=str(claims["jti"]),
        session=str(claims.get("sid", "")),
        acting_service=str(claims.get("azp", "")),
        operation=str(claims.get("op", "")),
        issued_at_s=float(claims["iat"]),
    )
