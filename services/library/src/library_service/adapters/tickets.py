"""Tickets: short-lived, signed permissions for one object, which the gateway's blob handler carries out.

A ticket is a compact JWS (EdDSA). The gateway holds the public key only, so it can check tickets and not make them, and it holds no keys of the store: a
ticket carries either the object's key below a shared folder or a presigned address.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

import jwt

from praxiscope_common.config import Secret
from praxiscope_common.storage.port import Location, ObjectStore

_PUT_LIFETIME_S = 3600
_GET_LIFETIME_S = 300  # decisions: signed media addresses live five minutes
TICKET_PATH = "/v1/blobs"


@dataclass(frozen=True, kw_only=True)
class JwsTicketSigner:
    """Signs tickets.

    Attributes:
        private_key: An Ed25519 key, PEM.
        store: The object store; makes presigned addresses where it is S3.
        clock: Returns Unix time in seconds.
    """

    private_key: Secret
    store: ObjectStore
    clock: Callable[[], float] = time.time

    async def sign_put(self, *, object_key: str, size_bytes: int) -> tuple[str, datetime]:
        """Returns the address to which an object's bytes are put, and when it stops working."""
        location = await self.store.locate_for_put(object_key, size_bytes, _PUT_LIFETIME_S)
        return self._sign("put", location, _PUT_LIFETIME_S, {"len": size_bytes})

    async def sign_get(
        self, *, object_key: str, size_bytes: int, sha256: str, content_type: str, file_name: str, attachment: bool
    ) -> tuple[str, datetime]:
        """Returns the address under which an object is fetched, and when it stops working."""
        location = await self.store.locate_for_get(object_key, _GET_LIFETIME_S)
        details = {"len": size_bytes, "sha": sha256, "typ": content_type, "nam": file_name, "att": attachment}
        return self._sign("get", location, _GET_LIFETIME_S, details)

    def _sign(
        self, action: str, location: Location, lifetime_s: int, details: dict[str, object]
    ) -> tuple[str, datetime]:
        expire_s = int(self.clock()) + lifetime_s
        claims = {"act": action, "key": location.key, "url": location.url, "exp": expire_s, **details}
        token = jwt.encode(claims, self.private_key.reveal(), algorithm="EdDSA")
        return f"{TICKET_PATH}?ticket={token}", datetime.fromtimestamp(expire_s, timezone.utc)
