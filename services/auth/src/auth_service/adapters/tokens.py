"""How credentials become tokens: passwords, refresh tokens, API keys, and services that act for a caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from auth_service.adapters import audit
from auth_service.adapters.keys import ServiceKeys, TokenKeys
from auth_service.adapters.passwords import Argon2Passwords
from auth_service.adapters.revocations import ACCESS_LIFETIME, list_revocations, revoke
from auth_service.core import roles as catalogue
from auth_service.core import secrets
from auth_service.core.errors import (
    AccountLockedError,
    InvalidApiKeyError,
    InvalidCredentialsError,
    InvalidRefreshTokenError,
    InvalidSubjectTokenError,
    NoMembershipError,
    RefreshTokenReusedError,
)
from auth_service.core.types import Grant, IssuedTokens
from praxiscope_common import names
from praxiscope_common.database import Connection, Database
from praxiscope_common.errors import UnauthenticatedError
from praxiscope_common.identity import Caller
from praxiscope_common.tokens import Revocation, TokenVerifier

_REFRESH_LIFETIME = timedelta(days=30)
_MANDATE_LIFETIME = timedelta(minutes=10)
_MAX_FAILURES = 5
_FAILURE_WINDOW = timedelta(minutes=5)
_REVOCATIONS_AT_ONCE = 5000


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Issues and revokes tokens.

    Attributes:
        database: Where accounts, sessions and keys are.
        passwords: Checks passwords.
        keys: Signs access tokens.
        service_keys: Checks services' assertions.
        verifier: Checks access tokens that services bring.
    """

    database: Database
    passwords: Argon2Passwords
    keys: TokenKeys
    service_keys: ServiceKeys
    verifier: TokenVerifier

    async def log_in(self, *, email: str, password: str, project_id: str, address: str) -> IssuedTokens:
        """Checks a password and starts a session. Five failures in five minutes lock the pair of account and address."""
        email = email.lower()
        async with self.database.transaction() as connection:
            await self._refuse_when_locked(connection, email, address)
            cursor = await connection.execute(
                "SELECT user_id, password_hash, is_barred FROM auth.account WHERE email = %s", [email]
            )
            row = await cursor.fetchone()
        matches = await self.passwords.matches(password, row["password_hash"] if row else None)
        if row is None or not matches or row["is_barred"]:
            async with self.database.transaction() as connection:
                await connection.execute(
                    "INSERT INTO auth.failed_login (email, address) VALUES (%s, %s)", [email, address]
                )
                await audit.record(connection, action="auth.login", subject=email, target=address, succeeded=False)
            raise InvalidCredentialsError()
        async with self.database.transaction() as connection:
            await connection.execute(
                "DELETE FROM auth.failed_login WHERE email = %s AND address = %s", [email, address]
            )
            grant = await self._grant_person(connection, row["user_id"], project_id, session=names.new_id())
            await connection.execute(
                "INSERT INTO auth.session (session_id, user_id, project_id) VALUES (%s, %s, %s)",
                [grant.session, row["user_id"], grant.project_id],
            )
            await audit.record(
                connection, action="auth.login", subject=grant.subject, project_id=grant.project_id, target=address
            )
            return await self._issue_pair(connection, grant)

    async def refresh(self, *, refresh_token: str, project_id: str) -> IssuedTokens:
        """Swaps a refresh token; a second use of one ends its session, since one of the two users is a thief."""
        digest = secrets.digest(refresh_token)
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT r.use_time, r.expire_time > now() AS is_fresh, s.session_id, s.user_id, s.project_id, s.end_time"
                " FROM auth.refresh_token r JOIN auth.session s USING (session_id) WHERE r.secret_sha256 = %s FOR UPDATE",
                [digest],
            )
            row = await cursor.fetchone()
            if row is None or not row["is_fresh"] or row["end_time"]:
                raise InvalidRefreshTokenError()
            was_reused = row["use_time"] is not None
            if was_reused:
                await self._end_session(connection, row["session_id"])
                await audit.record(
                    connection,
                    action="auth.refreshTokenReused",
                    subject=names.USER.format(row["user_id"]),
                    project_id=row["project_id"],
                    succeeded=False,
                )
        if was_reused:
            raise RefreshTokenReusedError()
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                "UPDATE auth.refresh_token SET use_time = now() WHERE secret_sha256 = %s AND use_time IS NULL", [digest]
            )
            if cursor.rowcount == 0:  # a call beside this one was first
                raise RefreshTokenReusedError()
            grant = await self._grant_person(
                connection, row["user_id"], project_id or row["project_id"], session=row["session_id"]
            )
            await connection.execute(
                "UPDATE auth.session SET project_id = %s WHERE session_id = %s", [grant.project_id, grant.session]
            )
            return await self._issue_pair(connection, grant)

    async def log_out(self, caller: Caller) -> None:
        """Ends the session of the caller's token."""
        async with self.database.transaction() as connection:
            await self._end_session(connection, caller.session)
            await audit.record(connection, action="auth.logout", project_id=caller.project)

    async def exchange_api_key(self, api_key: str) -> IssuedTokens:
        """Swaps an API key for an access token of its project and permissions, as far as whoever answers for it has them."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                "UPDATE auth.api_key SET last_use_time = CASE WHEN last_use_time > now() - interval '1 minute' THEN last_use_time ELSE now() END"
                " WHERE secret_sha256 = %s AND revoke_time IS NULL AND expire_time > now() RETURNING project_id, key_id, permissions, answerable_user_id",
                [secrets.digest(api_key)],
            )
            row = await cursor.fetchone()
            if row is None:
                raise InvalidApiKeyError()
            held = await self._held_by_key(connection, row["project_id"], row)
        name = names.API_KEY.format(row["project_id"], row["key_id"])
        grant = Grant(
            subject=name,
            project_id=row["project_id"],
            permissions=held,
            session=row["key_id"],
        )
        return self.keys.issue(grant, ACCESS_LIFETIME)

    async def exchange_for_caller(self, *, assertion: str, subject_token: str) -> IssuedTokens:
        """Gives a service a token to act for whoever holds `subject_token`."""
        service = self.service_keys.verify(assertion, catalogue.SERVICE_PERMISSIONS)
        try:
            caller = await self.verifier.verify(subject_token)
        except UnauthenticatedError as error:
            raise InvalidSubjectTokenError(metadata={"cause": error.reason}) from error
        grant = Grant(
            subject=caller.subject,
            project_id=caller.project,
            permissions=caller.permissions | catalogue.SERVICE_PERMISSIONS[service],
            session=caller.session,
            acting_service=service,
            operation=caller.operation,
        )
        return self.keys.issue(grant, _MANDATE_LIFETIME)

    async def exchange_for_mandate(
        self, *, assertion: str, subject: str, project_id: str, permissions: Sequence[str], operation: str
    ) -> IssuedTokens:
        """Gives a service a token to act for whoever a job row names, as far as they are still allowed, or for itself."""
        service = self.service_keys.verify(assertion, catalogue.SERVICE_PERMISSIONS)
        if subject == f"services/{service}" and service in catalogue.OWN_PERMISSIONS:
            return self.keys.issue(_own_grant(service), _MANDATE_LIFETIME)
        async with self.database.transaction() as connection:
            held, session = await self._held_by(connection, subject, project_id)
        grant = Grant(
            subject=subject,
            project_id=project_id,
            permissions=(held & frozenset(permissions)) | catalogue.SERVICE_PERMISSIONS[service],
            session=session,
            acting_service=service,
            operation=operation,
        )
        return self.keys.issue(grant, _MANDATE_LIFETIME)

    async def revocations(self, cursor: int) -> tuple[Sequence[Revocation], int]:
        """Returns the revocations behind a cursor, and the cursor behind them."""
        async with self.database.transaction() as connection:
            return await list_revocations(connection, cursor, _REVOCATIONS_AT_ONCE)

    async def forget_old(self) -> None:
        """Removes what no longer matters: old failures, tokens and revocations."""
        async with self.database.transaction() as connection:
            await connection.execute("DELETE FROM auth.failed_login WHERE fail_time < now() - interval '1 hour'")
            await connection.execute("DELETE FROM auth.refresh_token WHERE expire_time < now()")
            await connection.execute("DELETE FROM auth.revocation WHERE expire_time < now()")
            await connection.execute("DELETE FROM auth.audit_event WHERE event_time < now() - interval '400 days'")

    async def _refuse_when_locked(self, connection: Connection, email: str, address: str) -> None:
        cursor = await connection.execute(
            "SELECT count(*) AS failures, extract(epoch FROM min(fail_time) + %s - now())::float8 AS wait_s"
            " FROM auth.failed_login WHERE email = %s AND address = %s AND fail_time > now() - %s",
            [_FAILURE_WINDOW, email, address, _FAILURE_WINDOW],
        )
        row: Mapping[str, Any] | None = await cursor.fetchone()
        if row and row["failures"] >= _MAX_FAILURES:
            raise AccountLockedError(retry_after_s=max(1.0, row["wait_s"]))

    async def _grant_person(self, connection: Connection, user_id: str, project_id: str, *, session: str) -> Grant:
        cursor = await connection.execute(
            "SELECT a.is_administrator, a.is_barred, m.project_id, m.roles FROM auth.account a"
            " LEFT JOIN auth.member m ON m.user_id = a.user_id AND (%s = '' OR m.project_id = %s)"
            " WHERE a.user_id = %s ORDER BY m.create_time, m.project_id LIMIT 1",
            [project_id, project_id, user_id],
        )
        row = await cursor.fetchone()
        if row is None or row["is_barred"]:
            raise InvalidCredentialsError()
        if row["project_id"] is None and (project_id or not row["is_administrator"]):
            raise NoMembershipError(metadata={"project": project_id})
        roles = tuple(row["roles"] or ())
        permissions = catalogue.permissions_of(roles)
        if row["is_administrator"]:
            permissions |= catalogue.ADMINISTRATOR_PERMISSIONS
        return Grant(
            subject=names.USER.format(user_id),
            project_id=row["project_id"] or "",
            roles=roles,
            permissions=permissions,
            session=session,
        )

    async def _held_by(self, connection: Connection, subject: str, project_id: str) -> tuple[frozenset[str], str]:
        if names.API_KEY.matches(subject):
            key_project, key_id = names.API_KEY.parse(subject)
            cursor = await connection.execute(
                "SELECT permissions, answerable_user_id FROM auth.api_key"
                " WHERE project_id = %s AND key_id = %s AND project_id = %s AND revoke_time IS NULL AND expire_time > now()",
                [key_project, key_id, project_id],
            )
            row = await cursor.fetchone()
            if row is None:
                raise InvalidSubjectTokenError(metadata={"subject": subject})
            return await self._held_by_key(connection, project_id, row), key_id
        if not names.USER.matches(subject):
            raise InvalidSubjectTokenError(metadata={"subject": subject[:100]})
        try:
            grant = await self._grant_person(connection, names.USER.parse(subject)[0], project_id, session="")
        except (InvalidCredentialsError, NoMembershipError) as error:
            raise InvalidSubjectTokenError(metadata={"subject": subject}) from error
        return grant.permissions, ""

    async def _held_by_key(self, connection: Connection, project_id: str, key: Mapping[str, Any]) -> frozenset[str]:
        """Returns what a key holds now: its permissions, less those that whoever answers for it has no more."""
        cursor = await connection.execute(
            "SELECT m.roles FROM auth.member m JOIN auth.account a USING (user_id)"
            " WHERE m.project_id = %s AND m.user_id = %s AND NOT a.is_barred",
            [project_id, key["answerable_user_id"]],
        )
        row = await cursor.fetchone()
        return frozenset(key["permissions"]) & catalogue.permissions_of(row["roles"] if row else ())

    async def _issue_pair(self, connection: Connection, grant: Grant) -> IssuedTokens:
        issued = self.keys.issue(grant, ACCESS_LIFETIME)
        refresh_token = secrets.new_refresh_token()
        end = datetime.now(timezone.utc) + _REFRESH_LIFETIME
        await connection.execute(
            "INSERT INTO auth.refresh_token (secret_sha256, session_id, expire_time) VALUES (%s, %s, %s)",
            [secrets.digest(refresh_token), grant.session, end],
        )
        return IssuedTokens(
            access_token=issued.access_token,
            expire_time=issued.expire_time,
            grant=grant,
            refresh_token=refresh_token,
            refresh_expire_time=end,
        )

    async def _end_session(self, connection: Connection, session_id: str) -> None:
        await connection.execute(
            "UPDATE auth.session SET end_time = now() WHERE session_id = %s AND end_time IS NULL", [session_id]
        )
        if session_id:
            await revoke(connection, session=session_id)


def _own_grant(service: str) -> Grant:
    return Grant(
        subject=f"services/{service}",
        project_id="",
        permissions=catalogue.OWN_PERMISSIONS[service],
        session="",
        acting_service=service,
    )
