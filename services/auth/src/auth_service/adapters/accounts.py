"""Accounts over PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

import psycopg

from auth_service.adapters import audit
from auth_service.adapters.passwords import Argon2Passwords
from auth_service.adapters.revocations import revoke
from auth_service.core.errors import EmailTakenError, InvalidCredentialsError, PasswordTooWeakError
from auth_service.core.secrets import is_weak_password
from auth_service.core.types import Account
from praxiscope_common import names
from praxiscope_common.database import Connection, Database
from praxiscope_common.server.stages import resource_not_found

_COLUMNS: LiteralString = "user_id, email, display_name, is_administrator, is_barred, create_time"


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """People's accounts.

    Attributes:
        database: Where their rows are.
        passwords: Hashes and checks passwords.
    """

    database: Database
    passwords: Argon2Passwords

    async def create(self, *, email: str, display_name: str, is_administrator: bool, password: str) -> Account:
        """Makes an account."""
        if is_weak_password(password, email):
            raise PasswordTooWeakError()
        password_hash = await self.passwords.hash(password)
        user_id = names.new_id()
        try:
            async with self.database.transaction() as connection:
                await connection.execute(
                    "INSERT INTO auth.account (user_id, email, display_name, is_administrator, password_hash) VALUES (%s, %s, %s, %s, %s)",
                    [user_id, email.lower(), display_name, is_administrator, password_hash],
                )
                await audit.record(connection, action="users.create", target=names.USER.format(user_id))
                account = await find_account(connection, user_id)
        except psycopg.errors.UniqueViolation as error:
            raise EmailTakenError() from error
        if account is None:
            raise LookupError(user_id)
        return account

    async def find(self, user_id: str) -> Account | None:
        """Returns an account."""
        async with self.database.transaction() as connection:
            return await find_account(connection, user_id)

    async def list(self, *, limit: int, before: tuple[str, ...] | None) -> Sequence[Account]:
        """Returns accounts, newest first, behind the position `before` (create time, id)."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                f"SELECT {_COLUMNS} FROM auth.account"
                " WHERE (%s::timestamptz IS NULL OR (create_time, user_id) < (%s::timestamptz, %s))"
                " ORDER BY create_time DESC, user_id DESC LIMIT %s",
                [*((before[0], *before) if before else (None, None, None)), limit],
            )
            return [Account(**row) for row in await cursor.fetchall()]

    async def change_password(self, user_id: str, *, old_password: str, new_password: str) -> None:
        """Changes a password and ends every session of the account."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT email, password_hash FROM auth.account WHERE user_id = %s", [user_id]
            )
            row = await cursor.fetchone()
        if row is None or not await self.passwords.matches(old_password, row["password_hash"]):
            raise InvalidCredentialsError()
        if is_weak_password(new_password, row["email"]):
            raise PasswordTooWeakError()
        new_hash = await self.passwords.hash(new_password)
        async with self.database.transaction() as connection:
            await connection.execute(
                "UPDATE auth.account SET password_hash = %s WHERE user_id = %s", [new_hash, user_id]
            )
            await end_sessions(connection, user_id)
            await audit.record(connection, action="users.changePassword", target=names.USER.format(user_id))

    async def set_barred(self, user_id: str, *, is_barred: bool) -> Account:
        """Bars or admits an account; barring ends its sessions and leaves the keys that it answers for without permissions."""
        async with self.database.transaction() as connection:
            await connection.execute("UPDATE auth.account SET is_barred = %s WHERE user_id = %s", [is_barred, user_id])
            account = await find_account(connection, user_id)
            if account is None:
                raise resource_not_found(names.USER.format(user_id))
            if is_barred:
                await end_sessions(connection, user_id)
                await _revoke_key_tokens(connection, user_id)
            action = "users.bar" if is_barred else "users.admit"
            await audit.record(connection, action=action, target=names.USER.format(user_id))
        return account


async def find_account(connection: Connection, user_id: str) -> Account | None:
    """Returns an account."""
    cursor = await connection.execute(f"SELECT {_COLUMNS} FROM auth.account WHERE user_id = %s", [user_id])
    row = await cursor.fetchone()
    return None if row is None else Account(**row)


async def _revoke_key_tokens(connection: Connection, user_id: str) -> None:
    cursor = await connection.execute(
        "SELECT project_id, key_id FROM auth.api_key WHERE answerable_user_id = %s AND revoke_time IS NULL", [user_id]
    )
    for row in await cursor.fetchall():
        await revoke(connection, subject=names.API_KEY.format(row["project_id"], row["key_id"]))


async def end_sessions(connection: Connection, user_id: str) -> None:
    """Ends every session of an account and revokes its access tokens."""
    await connection.execute(
        "UPDATE auth.session SET end_time = now() WHERE user_id = %s AND end_time IS NULL", [user_id]
    )
    await revoke(connection, subject=names.USER.format(user_id))
