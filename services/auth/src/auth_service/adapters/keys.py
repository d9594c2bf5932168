"""The keys that sign access tokens, and those with which services sign their assertions; both are files."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from auth_service.core.errors import InvalidClientAssertionError
from auth_service.core.types import Grant, IssuedTokens
from praxiscope_common import names
from praxiscope_common.config import Secret
from praxiscope_common.credentials import CLIENT_ASSERTION_AUDIENCE
from praxiscope_common.tokens import ALGORITHM, AUDIENCE, ISSUER

_ASSERTION_MAX_AGE_S = 120


@dataclass(frozen=True, kw_only=True)
class PublishedKey:
    """A public key as a JWK.

    Attributes:
        key_id: Its id.
        modulus: base64url.
        exponent: base64url.
    """

    key_id: str
    modulus: str
    exponent: str


class TokenKeys:
    """Signs access tokens with the first key; publishes all, so that keys can be changed without a pause.

    Args:
        private_keys: RSA keys, PEM, the one that signs first.
        clock: Returns Unix time in seconds.
    """

    def __init__(self, private_keys: Sequence[Secret], clock: Callable[[], float] = time.time) -> None:
        """Reads the keys."""
        self._clock = clock
        self._keys = [_load_private(key) for key in private_keys]
        self.published = [_publish(key.public_key()) for key in self._keys]

    def issue(self, grant: Grant, lifetime: timedelta) -> IssuedTokens:
        """Returns an access token."""
        issued_s = round(self._clock(), 3)
        expire_s = issued_s + lifetime.total_seconds()
        claims: dict[str, object] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": grant.subject,
            "prj": grant.project_id,
            "roles": list(grant.roles),
            "permissions": sorted(grant.permissions),
            "sid": grant.session,
            "jti": names.new_id(),
            "iat": issued_s,
            "nbf": int(issued_s),
            "exp": int(expire_s),
        }
        if grant.acting_service:
            claims |= {
                "azp": grant.acting_service,
                "act": {"sub": f"services/{grant.acting_service}"},
                "op": grant.operation,
            }
        token = jwt.encode(claims, self._keys[0], algorithm=ALGORITHM, headers={"kid": self.published[0].key_id})
        return IssuedTokens(
            access_token=token, expire_time=datetime.fromtimestamp(int(expire_s), timezone.utc), grant=grant
        )


class ServiceKeys:
    """Checks services' assertions with their public keys, one PEM file a service.

    Args:
        folder: Where the files are; read anew when a service is not known yet.
    """

    def __init__(self, folder: Path) -> None:
        """Reads nothing yet."""
        self._folder = folder
        self._keys: dict[str, RSAPublicKey] = {}

    def verify(self, assertion: str, known_services: Mapping[str, object]) -> str:
        """Returns the service that signed an assertion.

        Raises:
            InvalidClientAssertionError: If no service of ours did, or too long ago.
        """
        try:
            service = str(jwt.get_unverified_header(assertion).get("kid", ""))
            if service not in known_services:
                raise InvalidClientAssertionError(metadata={"service": service[:64]})
            claims = jwt.decode(
                assertion,
                self._key(service),
                algorithms=[ALGORITHM],
                audience=CLIENT_ASSERTION_AUDIENCE,
                issuer=service,
                leeway=10,
                options={"require": ["exp", "iat", "sub"]},
            )
        except (jwt.InvalidTokenError, OSError, ValueError) as error:
            raise InvalidClientAssertionError() from error
        if claims["sub"] != service or claims["exp"] - claims["iat"] > _ASSERTION_MAX_AGE_S:
            raise InvalidClientAssertionError(metadata={"service": service})
        return service

    def _key(self, service: str) -> RSAPublicKey:
        if service not in self._keys:
            key = serialization.load_pem_public_key((self._folder / f"{service}.pem").read_bytes())
            if not isinstance(key, RSAPublicKey):
                raise InvalidClientAssertionError(metadata={"service": service})
            self._keys[service] = key
        return self._keys[service]


def _load_private(secret: Secret) -> RSAPrivateKey:
    key = serialization.load_pem_private_key(secret.reveal().encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("access tokens are signed with RSA keys")
    return key


def _publish(key: RSAPublicKey) -> PublishedKey:
    numbers = key.public_numbers()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublishedKey(
        key_id=hashlib.sha256(der).hexdigest()[:16], modulus=_base64(numbers.n), exponent=_base64(numbers.e)
    )


def _base64(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
