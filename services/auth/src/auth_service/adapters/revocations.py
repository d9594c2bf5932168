"""Revocations: what services poll for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from praxiscope_common.database import Connection
from praxiscope_common.tokens import Revocation

ACCESS_LIFETIME = timedelta(hours=1)
_KEPT_S = ACCESS_LIFETIME.total_seconds() + 60


async def revoke(connection: Connection, *, session: str = "", subject: str = "", project_id: str = "") -> None:
    """Revokes the access tokens issued until now to a session, or to a subject in a project or in all."""
    await connection.execute(
        "INSERT INTO auth.revocation (session_id, subject, project_id, issued_until, expire_time)"
        " VALUES (%s, %s, %s, clock_timestamp(), clock_timestamp() + make_interval(secs => %s))",
        [session, subject, project_id, _KEPT_S],
    )


async def list_revocations(connection: Connection, cursor_id: int, limit: int) -> tuple[Sequence[Revocation], int]:
    """Returns the revocations that still matter behind a cursor, and the cursor behind them.

    Ids are given before rows are committed, so a row may appear behind one that was read; the cursor therefore stays a few seconds behind, and services
    see some revocations twice, which changes nothing.
    """
    cursor = await connection.execute(
        "SELECT revocation_id, session_id, subject, project_id, extract(epoch FROM issued_until)::float8 AS issued_until_s,"
        " issued_until < clock_timestamp() - interval '10 seconds' AS is_settled"
        " FROM auth.revocation WHERE revocation_id > %s AND expire_time > now() ORDER BY revocation_id LIMIT %s",
        [cursor_id, limit],
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
