"""Passwords with Argon2id, off the event loop and a few at a time: one hash takes 64 MiB."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


class Argon2Passwords:
    """Hashes and checks passwords with argon2-cffi's defaults (RFC 9106, low memory profile)."""

    def __init__(self, thread_count: int = 2) -> None:
        """Prepares the hasher and a hash that no password has, for accounts that do not exist."""
        self._hasher = PasswordHasher()
        self._threads = ThreadPoolExecutor(thread_count, thread_name_prefix="argon2")
        self._nobody = self._hasher.hash("nobody has this password, and it is not a secret")

    async def hash(self, password: str) -> str:
        """Returns a password's hash."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Returns whether a password has a hash; takes as long where there is no account."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._matches, password, password_hash)

    def _matches(self, password: str, password_hash: str | None) -> bool:
        try:
            return self._hasher.verify(password_hash or self._nobody, password) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False
