"""Accounts, projects, members, keys and grants as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Account:
    """A person.

    Attributes:
        user_id: Its id.
        email: In lower case.
        display_name: A name for people.
        is_administrator: Whether it administers the platform.
        is_barred: Whether it may not log in.
        create_time: When it was made.
    """

    user_id: str
    email: str
    display_name: str
    is_administrator: bool
    is_barred: bool
    create_time: datetime


@dataclass(frozen=True, kw_only=True)
class Project:
    """A tenant.

    Attributes:
        project_id: Its id.
        display_name: A name for people.
        create_time: When it was made.
    """

    project_id: str
    display_name: str
    create_time: datetime


@dataclass(frozen=True, kw_only=True)
class Member:
    """A person in a project.

    Attributes:
        project_id: The project.
        user_id: The person.
        email: The person's address.
        roles: Role ids.
        create_time: When the person came in.
    """

    project_id: str
    user_id: str
    email: str
    roles: tuple[str, ...]
    create_time: datetime


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key for programs, without its secret.

    Attributes:
        project_id: The project.
        key_id: Its id.
        display_name: A name for people.
        prefix: The secret's first characters.
        permissions: What it allows.
        creator: Who made it.
        create_time: When it was made.
        expire_time: When it ends.
        last_use_time: When it was last used, to the minute.
        revoke_time: When it was revoked.
    """

    project_id: str
    key_id: str
    display_name: str
    prefix: str
    permissions: tuple[str, ...]
    creator: str
    create_time: datetime
    expire_time: datetime
    last_use_time: datetime | None = None
    revoke_time: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AuditEvent:
    """Something that was done.

    Attributes:
        event_id: Its id.
        project_id: In which project, or empty.
        event_time: When.
        subject: Who.
        action: What.
        target: On what.
        succeeded: Whether it was allowed and worked.
        request_id: The request it came with.
    """

    event_id: str
    project_id: str
    event_time: datetime
    subject: str
    action: str
    target: str
    succeeded: bool
    request_id: str


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What an access token will say.

    Attributes:
        subject: For whom it speaks.
        project_id: For which project; empty for none.
        roles: The subject's roles there.
        permissions: What it allows.
        session: The session or key it comes from.
        acting_service: The service that acts for the subject, or empty.
        operation: The operation that service works on, or empty.
    """

    subject: str
    project_id: str
    roles: tuple[str, ...] = ()
    permissions: frozenset[str] = frozenset()
    session: str = ""
    acting_service: str = ""
    operation: str = ""


@dataclass(frozen=True, kw_only=True)
class IssuedTokens:
    """Tokens for whoever asked.

    Attributes:
        access_token: A JWT.
        expire_time: When it ends.
        grant: What it says.
        refresh_token: Empty where there is none.
        refresh_expire_time: When that ends.
    """

    access_token: str
    expire_time: datetime
    grant: Grant
    refresh_token: str = ""
    refresh_expire_time: datetime | None = None
