"""Revocations: what services poll for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from praxiscope_common.database import Connection
from praxiscope_common.tokens import Revocation

ACCESS_LIFETIME = timedelta(hours=1)
_KEPT_S = ACCESS_LIFETIME.total_seconds() + 60
_SETTLED_AFTER_S = 10


async def revoke(
    connection: Connection,
    *,
    session: str = "",
    subject: str = "",
    project_id: str = "",
    clock: Callable[[], float] = time.time,
) -> None:
    """Revokes the access tokens issued until now to a session, or to a subject in a project or in all.

    "Now" is by the clock that tokens are issued by: the database's may be another.
    """
    await connection.execute(
        "INSERT INTO auth.revocation (session_id, subject, project_id, issued_until, expire_time)"
        " VALUES (%s, %s, %s, to_timestamp(%s), clock_timestamp() + make_interval(secs => %s))",
        [session, subject, project_id, clock(), _KEPT_S],
    )


async def list_revocations(connection: Connection, cursor_id: int, limit: int) -> tuple[Sequence[Revocation], int]:
    """Returns the revocations that still matter behind a cursor, and the cursor behind them.

    Ids are given before rows are committed, so a row may appear behind one that was read; the cursor therefore stays a few seconds behind, and services
    see some revocations twice, which changes nothing.
    """
    cursor = await connection.execute(
        "SELECT revocation_id, session_id, subject, project_id, extract(epoch FROM issued_until)::float8 AS issued_until_s,"
        " expire_time < clock_timestamp() + make_interval(secs => %s) AS is_settled"
        " FROM auth.revocation WHERE revocation_id > %s AND expire_time > now() ORDER BY revocation_id LIMIT %s",
        [_KEPT_S - _SETTLED_AFTER_S, cursor_id, limit],
    )
    rows = await cursor.fetchall()
    settled = [row["revocation_id"] for row in rows if row["is_settled"]]
    revocations = [
        Revocation(
            session=row["session_id"],
            subject=row["subject"],
            project=row["project_id"],
            issued_until_s=row["issued_until_s"],
        )
        for row in rows
    ]
    return revocations, max(settled, default=cursor_id)
