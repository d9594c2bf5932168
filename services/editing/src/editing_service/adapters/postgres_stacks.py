"""Stacks and edits in PostgreSQL. Every statement has the project in its predicate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, LiteralString

import numpy as np
from psycopg.types.json import Jsonb

from editing_service.core.compare import Bounds
from editing_service.core.consistency import Consistency
from editing_service.core.stack import Branch, Edit, EditStack
from praxiscope_common.database import Connection
from praxiscope_common.jobs.operations import RequestIdReusedError

_STACK: LiteralString = (
    "project_id, stack_id, base_world, base_count, display_name, branches, current_branch, request_bytes, revision,"
    " creator, create_time, update_time"
)
_EDIT: LiteralString = (
    "edit_id, parent_id, request, summary, selected_count, changed_count, removed_count, added_count, gaussian_count, row_count, bounds, consistency,"
    " elapsed_ms, creator, create_time, request_id, request_sha256"
)


async def add_stack(connection: Connection, stack: EditStack, *, request_id: str, request_sha256: bytes) -> str:
    """Writes a stack and returns its id; a repeated request id gives the id of the stack that it made before.

    Raises:
        RequestIdReusedError: If the request id came with another request before.
    """
    cursor = await connection.execute(
        "INSERT INTO editing.edit_stack (project_id, stack_id, base_world, base_count, display_name, branches, current_branch, creator, request_id,"
        " request_sha256) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (project_id, request_id) WHERE request_id IS NOT NULL DO NOTHING RETURNING stack_id",
        [
            stack.project_id,
            stack.stack_id,
            stack.base_world,
            stack.base_count,
            stack.display_name,
            _branches_json(stack),
            stack.current_branch,
            stack.creator,
            request_id or None,
            request_sha256,
        ],
    )
    row = await cursor.fetchone()
    if row is not None:
        return str(row["stack_id"])
    made = await made_before(connection, stack.project_id, request_id, request_sha256)
    if made is None:
        raise LookupError(request_id)
    return made


async def made_before(connection: Connection, project_id: str, request_id: str, request_sha256: bytes) -> str | None:
    """Returns the id of the stack that a request id made before; None where it made none.

    Raises:
        RequestIdReusedError: If it came with another request.
    """
    if not request_id:
        return None
    cursor = await connection.execute(
        "SELECT stack_id, request_sha256 FROM editing.edit_stack WHERE project_id = %s AND request_id = %s",
        [project_id, request_id],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    if bytes(row["request_sha256"]) != request_sha256:
        raise RequestIdReusedError(metadata={"request_id": request_id})
    return str(row["stack_id"])


async def find_stack(
    connection: Connection, project_id: str, stack_id: str, *, for_update: bool = False
) -> EditStack | None:
    """Returns a stack of a project; None where there is none."""
    query: LiteralString = f"SELECT {_STACK} FROM editing.edit_stack WHERE project_id = %s AND stack_id = %s"
    cursor = await connection.execute(query + " FOR UPDATE" if for_update else query, [project_id, stack_id])
    row = await cursor.fetchone()
    if row is None:
        return None
    cursor = await connection.execute(
        "SELECT edit_id, parent_id FROM editing.edit WHERE project_id = %s AND stack_id = %s ORDER BY number",
        [project_id, stack_id],
    )
    return _stack(row, {edit["edit_id"]: edit["parent_id"] for edit in await cursor.fetchall()})


async def list_stacks(
    connection: Connection, project_id: str, *, limit: int, before: tuple[str, ...] | None
) -> Sequence[tuple[EditStack, int]]:
    """Returns stacks without their edits, newest first, behind the position `before` (create time, id), and how many edits each has."""
    cursor = await connection.execute(
        f"SELECT {_STACK}, (SELECT count(*) FROM editing.edit e WHERE e.project_id = s.project_id AND e.stack_id = s.stack_id) AS edit_count"
        " FROM editing.edit_stack s WHERE project_id = %s"
        " AND (%s::timestamptz IS NULL OR (create_time, stack_id) < (%s::timestamptz, %s))"
        " ORDER BY create_time DESC, stack_id DESC LIMIT %s",
        [project_id, *((before[0], *before) if before else (None, None, None)), limit],
    )
    rows = await cursor.fetchall()
    return [(_stack(row, {}), int(count)) for row in rows for count in [row.pop("edit_count")]]


async def save_stack(connection: Connection, stack: EditStack) -> None:
    """Writes what changed of a stack; its revision grows."""
    await connection.execute(
        "UPDATE editing.edit_stack SET branches = %s, current_branch = %s, request_bytes = %s, revision = revision + 1, update_time = now()"
        " WHERE project_id = %s AND stack_id = %s",
        [_branches_json(stack), stack.current_branch, stack.request_bytes, stack.project_id, stack.stack_id],
    )


async def delete_stack(connection: Connection, project_id: str, stack_id: str) -> None:
    """Removes a stack and its edits."""
    await connection.execute(
        "DELETE FROM editing.edit_stack WHERE project_id = %s AND stack_id = %s", [project_id, stack_id]
    )


async def add_edit(connection: Connection, project_id: str, stack_id: str, number: int, edit: Edit) -> None:
    """Writes an edit."""
    bounds = None if edit.bounds is None else [*edit.bounds.min_m.tolist(), *edit.bounds.max_m.tolist()]
    await connection.execute(
        f"INSERT INTO editing.edit (project_id, stack_id, number, {_EDIT})"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            project_id,
            stack_id,
            number,
            edit.edit_id,
            edit.parent_id,
            edit.request,
            edit.summary,
            edit.selected_count,
            edit.changed_count,
            edit.removed_count,
            edit.added_count,
            edit.gaussian_count,
            edit.row_count,
            bounds,
            Jsonb(asdict(edit.consistency)),
            edit.elapsed_ms,
            edit.creator,
            edit.create_time,
            edit.request_id or None,
            edit.request_sha256,
        ],
    )


async def find_edit(
    connection: Connection, project_id: str, stack_id: str, request_id: str, request_sha256: bytes
) -> Edit | None:
    """Returns the edit that a request id made before; None where it made none.

    Raises:
        RequestIdReusedError: If it came with another request.
    """
    cursor = await connection.execute(
        f"SELECT {_EDIT} FROM editing.edit WHERE project_id = %s AND stack_id = %s AND request_id = %s",
        [project_id, stack_id, request_id],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    edit = _edit(row)
    if edit.request_sha256 != request_sha256:
        raise RequestIdReusedError(metadata={"request_id": request_id})
    return edit


async def list_edits(connection: Connection, project_id: str, stack_id: str) -> Sequence[Edit]:
    """Returns a stack's edits, in the order in which they were applied."""
    cursor = await connection.execute(
        f"SELECT {_EDIT} FROM editing.edit WHERE project_id = %s AND stack_id = %s ORDER BY number",
        [project_id, stack_id],
    )
    return [_edit(row) for row in await cursor.fetchall()]


async def read_requests(
    connection: Connection, project_id: str, stack_id: str, edit_ids: Sequence[str]
) -> Sequence[bytes]:
    """Returns the requests of some edits, in the order asked for."""
    cursor = await connection.execute(
        "SELECT edit_id, request FROM editing.edit WHERE project_id = %s AND stack_id = %s AND edit_id = ANY(%s)",
        [project_id, stack_id, list(edit_ids)],
    )
    found = {row["edit_id"]: bytes(row["request"]) for row in await cursor.fetchall()}
    return [found[edit_id] for edit_id in edit_ids]


def _branches_json(stack: EditStack) -> Jsonb:
    return Jsonb([asdict(branch) for branch in stack.branches.values()])


def _stack(row: dict[str, Any], parents: dict[str, str]) -> EditStack:
    branches = {branch["name"]: Branch(**branch) for branch in row["branches"]}
    return EditStack(**{**row, "branches": branches, "parents": parents})


def _edit(row: dict[str, Any]) -> Edit:
    bounds = row["bounds"]
    return Edit(
        **{
            **row,
            "request": bytes(row["request"]),
            "bounds": bounds and Bounds(min_m=np.array(bounds[:3]), max_m=np.array(bounds[3:])),
            "consistency": Consistency(**row["consistency"]),
            "request_id": str(row["request_id"] or ""),
            # an edit of before there were request ids has neither
            "request_sha256": bytes(row["request_sha256"] or b""),
        }
    )
