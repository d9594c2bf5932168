"""Auth reads its own keys and revocations without asking itself over the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auth_service.adapters.keys import TokenKeys
from auth_service.adapters.revocations import list_revocations
from praxiscope_common.database import Database
from praxiscope_common.tokens import ALGORITHM, Revocation

_LIMIT = 5000


class LocalKeySource:
    """Where auth's own verifier looks."""

    def __init__(self, keys: TokenKeys, database: Database) -> None:
        """Uses the keys and the database."""
        self._keys, self._database = keys, database

    async def fetch_keys(self) -> Sequence[Mapping[str, str]]:
        """Returns the public keys as JWKs."""
        return [
            {"kty": "RSA", "kid": key.key_id, "use": "sig", "alg": ALGORITHM, "n": key.modulus, "e": key.exponent}
            for key in self._keys.published
        ]

    async def fetch_revocations(self, cursor: int) -> tuple[Sequence[Revocation], int]:
        """Returns the revocations behind `cursor`, and the cursor behind them."""
        async with self._database.transaction() as connection:
            return await list_revocations(connection, cursor, _LIMIT)
