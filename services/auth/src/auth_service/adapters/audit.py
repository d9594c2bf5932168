"""The audit trail: written in the transaction of what it tells of, or on its own for what failed."""

from __future__ import annotations

from collections.abc import Sequence

from auth_service.core.types import AuditEvent
from praxiscope_common import names
from praxiscope_common.database import Connection
from praxiscope_common.identity import current_call


async def record(
    connection: Connection,
    *,
    action: str,
    subject: str = "",
    project_id: str = "",
    target: str = "",
    succeeded: bool = True,
) -> None:
    """Writes one event; the subject is the caller's where none is given."""
    call = current_call()
    await connection.execute(
        "INSERT INTO auth.audit_event (event_id, project_id, subject, action, target, succeeded, request_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [
            names.new_id(),
            project_id,
            subject or (call.caller.subject if call.caller else ""),
            action,
            target,
            succeeded,
            call.request_id,
        ],
    )


async def list_events(
    connection: Connection, project_id: str, *, limit: int, before: tuple[str, ...] | None
) -> Sequence[AuditEvent]:
    """Returns a project's events, newest first, behind the position `before` (time, id)."""
    cursor = await connection.execute(
        "SELECT event_id, project_id, event_time, subject, action, target, succeeded, request_id FROM auth.audit_event"
        " WHERE project_id = %s AND (%s::timestamptz IS NULL OR (event_time, event_id) < (%s::timestamptz, %s))"
        " ORDER BY event_time DESC, event_id DESC LIMIT %s",
        [project_id, *((before[0], *before) if before else (None, None, None)), limit],
    )
    return [AuditEvent(**row) for row in await cursor.fetchall()]
