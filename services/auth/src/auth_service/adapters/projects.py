"""Projects, members and API keys over PostgreSQL. Every statement has the project in its predicate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import LiteralString

import psycopg

from auth_service.adapters import audit
from auth_service.adapters.revocations import revoke
from auth_service.core import roles as catalogue
from auth_service.core import secrets
from auth_service.core.errors import LastOwnerError, MemberExistsError, ScopeTooWideError
from auth_service.core.types import ApiKey, AuditEvent, Member, Project
from praxiscope_common import names
from praxiscope_common.database import Connection, Database
from praxiscope_common.errors import FieldViolation, InvalidInputError
from praxiscope_common.jobs.operations import RequestIdReusedError
from praxiscope_common.server.stages import resource_not_found

MAX_KEY_LIFETIME = timedelta(days=30)
_KEY: LiteralString = "project_id, key_id, display_name, prefix, permissions, creator, create_time, expire_time, last_use_time, revoke_time"
_MEMBER: LiteralString = "m.project_id, m.user_id, a.email, m.roles, m.create_time"


class KeyLifetimeError(InvalidInputError):
    """A key lives at most 30 days; give an earlier end, or none."""

    reason = "INVALID_REQUEST"


@dataclass(frozen=True, kw_only=True)
class Projects:
    """Projects, who belongs to them, and their keys.

    Attributes:
        database: Where their rows are.
    """

    database: Database

    async def create(self, *, display_name: str, creator: str, owner_id: str | None, request_id: str) -> Project:
        """Makes a project owned by `owner_id`; a repeated request id gives the project it gave before."""
        project_id = names.new_id()
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO auth.project (project_id, display_name, creator, request_id) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (creator, request_id) WHERE request_id IS NOT NULL DO NOTHING RETURNING project_id",
                [project_id, display_name, creator, request_id or None],
            )
            if await cursor.fetchone() is None:
                cursor = await connection.execute(
                    "SELECT project_id, display_name, create_time FROM auth.project WHERE creator = %s AND request_id = %s",
                    [creator, request_id],
                )
                row = await cursor.fetchone()
                if row is None or row["display_name"] != display_name:
                    raise RequestIdReusedError(metadata={"request_id": request_id})
                return Project(**row)
            if owner_id:
                await connection.execute(
                    "INSERT INTO auth.member (project_id, user_id, roles) VALUES (%s, %s, %s)",
                    [project_id, owner_id, [catalogue.OWNER]],
                )
            await audit.record(
                connection,
                action="projects.create",
                subject=creator,
                project_id=project_id,
                target=names.PROJECT.format(project_id),
            )
        return await self.find(project_id)

    async def find(self, project_id: str) -> Project:
        """Returns a project."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT project_id, display_name, create_time FROM auth.project WHERE project_id = %s", [project_id]
            )
            row = await cursor.fetchone()
        if row is None:
            raise resource_not_found(names.PROJECT.format(project_id))
        return Project(**row)

    async def list_of(
        self, user_id: str, *, project_id: str, limit: int, before: tuple[str, ...] | None
    ) -> Sequence[Project]:
        """Returns the projects of a person, or the one project of a key, newest first."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT p.project_id, p.display_name, p.create_time FROM auth.project p"
                " WHERE (p.project_id IN (SELECT project_id FROM auth.member WHERE user_id = %s) OR (%s = '' AND p.project_id = %s))"
                " AND (%s::timestamptz IS NULL OR (p.create_time, p.project_id) < (%s::timestamptz, %s))"
                " ORDER BY p.create_time DESC, p.project_id DESC LIMIT %s",
                [user_id, user_id, project_id, *((before[0], *before) if before else (None, None, None)), limit],
            )
            return [Project(**row) for row in await cursor.fetchall()]

    async def add_member(self, project_id: str, *, user_id: str, email: str, roles: Sequence[str]) -> Member:
        """Takes a person into a project, named by id or, where that is empty, by e-mail address."""
        checked = catalogue.check_roles(roles)
        try:
            async with self.database.transaction() as connection:
                cursor = await connection.execute(
                    "INSERT INTO auth.member (project_id, user_id, roles)"
                    " SELECT %s, user_id, %s FROM auth.account WHERE user_id = %s OR (%s = '' AND email = %s) RETURNING user_id",
                    [project_id, list(checked), user_id, user_id, email.lower()],
                )
                row = await cursor.fetchone()
                if row is None:
                    raise resource_not_found(names.USER.format(user_id) if user_id else email)
                member = await self._member(connection, project_id, row["user_id"])
                await self._record_member(connection, "members.create", member)
        except psycopg.errors.UniqueViolation as error:
            raise MemberExistsError() from error
        return member

    async def list_members(self, project_id: str, *, limit: int, before: tuple[str, ...] | None) -> Sequence[Member]:
        """Returns a project's people, newest first."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                f"SELECT {_MEMBER} FROM auth.member m JOIN auth.account a USING (user_id) WHERE m.project_id = %s"
                " AND (%s::timestamptz IS NULL OR (m.create_time, m.user_id) < (%s::timestamptz, %s))"
                " ORDER BY m.create_time DESC, m.user_id DESC LIMIT %s",
                [project_id, *((before[0], *before) if before else (None, None, None)), limit],
            )
            return [_as_member(row) for row in await cursor.fetchall()]

    async def change_member(self, project_id: str, user_id: str, *, roles: Sequence[str]) -> Member:
        """Changes a person's roles and revokes their tokens for the project, and those of the keys they answer for."""
        checked = catalogue.check_roles(roles)
        async with self.database.transaction() as connection:
            await self._member(connection, project_id, user_id)
            if catalogue.OWNER not in checked:
                await self._keep_an_owner(connection, project_id, user_id)
            await connection.execute(
                "UPDATE auth.member SET roles = %s WHERE project_id = %s AND user_id = %s",
                [list(checked), project_id, user_id],
            )
            await revoke(connection, subject=names.USER.format(user_id), project_id=project_id)
            for key_id in await self._keys_of(connection, project_id, user_id):  # they may do what the person may now
                await revoke(connection, subject=names.API_KEY.format(project_id, key_id))
            member = await self._member(connection, project_id, user_id)
            await self._record_member(connection, "members.update", member)
        return member

    async def remove_member(self, project_id: str, user_id: str) -> None:
        """Takes a person out and revokes their tokens for the project, and the keys they answer for."""
        async with self.database.transaction() as connection:
            member = await self._member(connection, project_id, user_id)
            await self._keep_an_owner(connection, project_id, user_id)
            await connection.execute(
                "DELETE FROM auth.member WHERE project_id = %s AND user_id = %s", [project_id, user_id]
            )
            await revoke(connection, subject=names.USER.format(user_id), project_id=project_id)
            for key_id in await self._keys_of(connection, project_id, user_id):  # whoever is out knows these secrets
                await self._revoke_key(connection, project_id, key_id)
            await self._record_member(connection, "members.delete", member)

    async def create_key(
        self,
        project_id: str,
        *,
        display_name: str,
        permissions: Sequence[str],
        expire_time: datetime | None,
        creator: str,
        held: frozenset[str],
    ) -> tuple[ApiKey, str]:
        """Makes a key and returns it with its secret; it holds nothing that its maker, who holds `held`, does not."""
        wanted = catalogue.check_permissions(permissions) if permissions else held & catalogue.GRANTABLE
        if excess := sorted(wanted - held):
            raise ScopeTooWideError(metadata={"permission": excess[0]})
        now = datetime.now(timezone.utc)
        end = expire_time or now + MAX_KEY_LIFETIME
        if not now < end <= now + MAX_KEY_LIFETIME + timedelta(minutes=1):
            raise KeyLifetimeError(
                field_violations=[
                    FieldViolation(field="api_key.expire_time", description="Expected within 30 days from now.")
                ]
            )
        secret = secrets.new_api_key()
        key_id = names.new_id()
        async with self.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO auth.api_key (project_id, key_id, display_name, prefix, secret_sha256, permissions, creator,"
                " answerable_user_id, expire_time) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    project_id,
                    key_id,
                    display_name,
                    secrets.shown_prefix(secret),
                    secrets.digest(secret),
                    sorted(wanted),
                    creator,
                    await self._answerable_for(connection, creator),
                    end,
                ],
            )
            key = await self._key(connection, project_id, key_id)
            await audit.record(
                connection,
                action="apiKeys.create",
                subject=creator,
                project_id=project_id,
                target=names.API_KEY.format(project_id, key_id),
            )
        return key, secret

    async def list_keys(self, project_id: str, *, limit: int, before: tuple[str, ...] | None) -> Sequence[ApiKey]:
        """Returns a project's keys, newest first."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                f"SELECT {_KEY} FROM auth.api_key WHERE project_id = %s"
                " AND (%s::timestamptz IS NULL OR (create_time, key_id) < (%s::timestamptz, %s))"
                " ORDER BY create_time DESC, key_id DESC LIMIT %s",
                [project_id, *((before[0], *before) if before else (None, None, None)), limit],
            )
            return [_as_key(row) for row in await cursor.fetchall()]

    async def revoke_key(self, project_id: str, key_id: str) -> ApiKey:
        """Revokes a key and the tokens made from it; doing it twice changes nothing."""
        async with self.database.transaction() as connection:
            key = await self._key(connection, project_id, key_id)
            if key.revoke_time is None:
                await self._revoke_key(connection, project_id, key_id)
                key = await self._key(connection, project_id, key_id)
        return key

    async def _answerable_for(self, connection: Connection, creator: str) -> str:
        """Returns the id of the person behind whoever makes a key: themselves, or who answers for the key they use."""
        if not names.API_KEY.matches(creator):
            return names.USER.parse(creator)[0]
        cursor = await connection.execute(
            "SELECT answerable_user_id FROM auth.api_key WHERE project_id = %s AND key_id = %s",
            list(names.API_KEY.parse(creator)),
        )
        row = await cursor.fetchone()
        return row["answerable_user_id"] if row else ""

    async def _keys_of(self, connection: Connection, project_id: str, user_id: str) -> Sequence[str]:
        """Returns the ids of the keys that a person answers for in a project."""
        cursor = await connection.execute(
            "SELECT key_id FROM auth.api_key WHERE project_id = %s AND answerable_user_id = %s AND revoke_time IS NULL",
            [project_id, user_id],
        )
        return [row["key_id"] for row in await cursor.fetchall()]

    async def _revoke_key(self, connection: Connection, project_id: str, key_id: str) -> None:
        await connection.execute(
            "UPDATE auth.api_key SET revoke_time = now() WHERE project_id = %s AND key_id = %s", [project_id, key_id]
        )
        name = names.API_KEY.format(project_id, key_id)
        await revoke(connection, subject=name)
        await audit.record(connection, action="apiKeys.delete", project_id=project_id, target=name)

    async def list_events(self, project_id: str, *, limit: int, before: tuple[str, ...] | None) -> Sequence[AuditEvent]:
        """Returns a project's audit events, newest first."""
        async with self.database.transaction() as connection:
            return await audit.list_events(connection, project_id, limit=limit, before=before)

    async def _member(self, connection: Connection, project_id: str, user_id: str) -> Member:
        cursor = await connection.execute(
            f"SELECT {_MEMBER} FROM auth.member m JOIN auth.account a USING (user_id) WHERE m.project_id = %s AND m.user_id = %s",
            [project_id, user_id],
        )
        row = await cursor.fetchone()
        if row is None:
            raise resource_not_found(names.MEMBER.format(project_id, user_id))
        return _as_member(row)

    async def _keep_an_owner(self, connection: Connection, project_id: str, user_id: str) -> None:
        cursor = await connection.execute(
            "SELECT user_id FROM auth.member WHERE project_id = %s AND %s = ANY(roles) FOR UPDATE",
            [project_id, catalogue.OWNER],
        )
        owners = {row["user_id"] for row in await cursor.fetchall()}
        if owners == {user_id}:
            raise LastOwnerError(metadata={"member": names.MEMBER.format(project_id, user_id)})

    async def _key(self, connection: Connection, project_id: str, key_id: str) -> ApiKey:
        cursor = await connection.execute(
            f"SELECT {_KEY} FROM auth.api_key WHERE project_id = %s AND key_id = %s", [project_id, key_id]
        )
        row = await cursor.fetchone()
        if row is None:
            raise resource_not_found(names.API_KEY.format(project_id, key_id))
        return _as_key(row)

    async def _record_member(self, connection: Connection, action: str, member: Member) -> None:
        target = names.MEMBER.format(member.project_id, member.user_id)
        await audit.record(connection, action=action, project_id=member.project_id, target=target)


def _as_member(row: dict[str, object]) -> Member:
    return Member(**{**row, "roles": tuple(row["roles"])})  # type: ignore[arg-type]  the row is the type's fields


def _as_key(row: dict[str, object]) -> ApiKey:
    return ApiKey(**{**row, "permissions": tuple(row["permissions"])})  # type: ignore[arg-type]  the row is the type's fields
