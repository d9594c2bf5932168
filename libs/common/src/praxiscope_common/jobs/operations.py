"""The rows of operations: how services write them, the library shows them and workers move them on.

Only the worker whose attempt is the row's newest may write to it (`attempt_count` is the fencing number), so a worker that was thought dead and was not
changes nothing any more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import status_pb2

from praxiscope.type.v1 import operation_pb2
from praxiscope_common import names
from praxiscope_common.credentials import Mandate
from praxiscope_common.database import Connection
from praxiscope_common.errors import AlreadyExistsError
from praxiscope_common.identity import current_caller
from praxiscope_common.telemetry.traces import inject_trace

TASK_NAME = "run_operation"
CHANNEL = "praxiscope_operation"
FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})
# So many operations of a project stand in turns with those of others; those beyond are served as they came.
_TURN_COUNT = 20
DEFAULT_PRIORITY = 0
MAX_ATTEMPTS = (
    8  # with the pauses between them two minutes: a model server that loads its nets, a database that recovers
)

_STATES = {
    "queued": operation_pb2.OperationMetadata.STATE_QUEUED,
    "running": operation_pb2.OperationMetadata.STATE_RUNNING,
    "retrying": operation_pb2.OperationMetadata.STATE_RETRYING,
    "succeeded": operation_pb2.OperationMetadata.STATE_SUCCEEDED,
    "failed": operation_pb2.OperationMetadata.STATE_FAILED,
    "cancelled": operation_pb2.OperationMetadata.STATE_CANCELLED,
}


class RequestIdReusedError(AlreadyExistsError):
    """This request id was used before with another request; use a new one."""

    reason = "REQUEST_ID_REUSED"


@dataclass(frozen=True, kw_only=True)
class NewOperation:
    """What a service accepts.

    Attributes:
        service: The service whose worker does it; also the name of its queue.
        method: `package.Service/Method`.
        target: The resource it works on.
        request: The request, as it came.
        request_id: The caller's UUID, or empty.
        parent_operation: The operation it is a part of, or empty.
        priority: Higher is sooner; what the project has in hand already is taken off.
        max_attempts: How often it is tried.
    """

    service: str
    method: str
    target: str
    request: Message
    request_id: str = ""
    parent_operation: str = ""
    priority: int = DEFAULT_PRIORITY
    max_attempts: int = MAX_ATTEMPTS


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row.

    Attributes:
        operation_id: Its id.
        project_id: Whose it is.
        service: The service whose worker does it.
        method: The method that started it.
        target: The resource it works on.
        creator: Who started it.
        permissions: What they were allowed then.
        parent_operation_id: The operation it is a part of, or None.
        request: The request, an Any's bytes.
        state: One of the states of the table.
        cancel_requested: Whether somebody asked for its end.
        progress: Share that is done, 0 to 1.
        stages: Its parts: name, weight, progress, elapsed_s.
        message: What is being done.
        checkpoint: What a later attempt needs to go on.
        attempt_count: How often a worker took it.
        max_attempts: How often a worker may.
        response: The response, an Any's bytes, once it succeeded.
        error: A google.rpc.Status' bytes, once it failed or was cancelled.
        traceparent: The trace it belongs to.
        create_time: When it was accepted.
        start_time: When a worker first took it.
        end_time: When it ended.
    """

    operation_id: str
    project_id: str
    service: str
    method: str
    target: str
    creator: str
    permissions: Sequence[str]
    parent_operation_id: str | None
    request: bytes
    state: str
    cancel_requested: bool
    progress: float
    stages: Sequence[Mapping[str, Any]]
    message: str
    checkpoint: Mapping[str, Any]
    attempt_count: int
    max_attempts: int
    response: bytes | None
    error: bytes | None
    traceparent: str
    create_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    job_id: int | None = field(default=None)

    @property
    def name(self) -> str:
        """`projects/{project}/operations/{operation}`."""
        return names.OPERATION.format(self.project_id, self.operation_id)

    @property
    def mandate(self) -> Mandate:
        """For whom a worker works on it."""
        return Mandate(
            subject=self.creator, project=self.project_id, permissions=tuple(self.permissions), operation=self.name
        )

    @property
    def is_done(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL_STATES


_COLUMNS = (
    "operation_id, project_id, service, method, target, creator, permissions, parent_operation_id, request, state, cancel_requested, progress, stages,"
    " message, checkpoint, attempt_count, max_attempts, response, error, traceparent, create_time, start_time, end_time, job_id"
)


async def create_operation(connection: Connection, new: NewOperation) -> Operation:
    """Writes an operation and its job, in the caller's transaction; a repeated request id gives the operation it gave before.

    Projects take turns: the more a project has in hand with a service, the later its next operation comes, so that
    one project's thousand do not stand before another's first.

    Raises:
        RequestIdReusedError: If the request id came with another request before.
    """
    caller = current_caller()
    packed = any_pb2.Any()
    packed.Pack(new.request, deterministic=True)
    body = packed.SerializeToString(deterministic=True)
    digest = hashlib.sha256(body).digest()
    operation_id = names.new_id()
    parent_id = names.OPERATION.parse(new.parent_operation)[1] if new.parent_operation else None
    cursor = await connection.execute(
        "INSERT INTO jobs.operation (operation_id, project_id, service, method, target, creator, permissions, parent_operation_id, request, request_id,"
        " request_sha256, priority, state, max_attempts, traceparent)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s,"
        "  (SELECT operation_id FROM jobs.operation WHERE operation_id = %s AND project_id = %s),"
        "  %s, %s, %s,"
        "  %s - (SELECT count(*) FROM (SELECT 1 FROM jobs.operation WHERE service = %s AND project_id = %s"
        "   AND state IN ('queued', 'running', 'retrying') LIMIT %s) AS in_hand),"
        "  'queued', %s, %s)"
        " ON CONFLICT (project_id, method, request_id) WHERE request_id IS NOT NULL DO NOTHING RETURNING priority",
        [
            operation_id,
            caller.project,
            new.service,
            new.method,
            new.target,
            caller.subject,
            sorted(caller.permissions),
            parent_id,
            caller.project,
            body,
            new.request_id or None,
            digest,
            new.priority,
            new.service,
            caller.project,
            _TURN_COUNT,
            new.max_attempts,
            dict(inject_trace()).get("traceparent", ""),
        ],
    )
    row = await cursor.fetchone()
    if row is None:
        cursor = await connection.execute(
            "SELECT operation_id, request_sha256 FROM jobs.operation WHERE project_id = %s AND method = %s AND request_id = %s",
            [caller.project, new.method, new.request_id],
        )
        row = await cursor.fetchone()
        if row is None or row["request_sha256"] != digest:
            raise RequestIdReusedError(metadata={"request_id": new.request_id})
        return await read_operation(connection, caller.project, row["operation_id"], must_exist=True)
    await enqueue(connection, new.service, operation_id, row["priority"])
    return await read_operation(connection, caller.project, operation_id, must_exist=True)


async def enqueue(connection: Connection, queue: str, operation_id: str, priority: int) -> None:
    """Writes a job for an operation and remembers it in the operation's row."""
    await connection.execute(
        "UPDATE jobs.operation SET job_id = (jobs.procrastinate_defer_jobs_v1(ARRAY["
        " ROW(%s, %s, %s, NULL, NULL, %s::jsonb, NULL)::jobs.procrastinate_job_to_defer_v1]))[1] WHERE operation_id = %s",
        [queue, TASK_NAME, priority, json.dumps({"operation_id": operation_id}), operation_id],
    )


async def read_operation(
    connection: Connection, project_id: str, operation_id: str, *, must_exist: bool = False, for_update: bool = False
) -> Any:  # noqa: ANN401  Operation, or None where it need not exist
    """Returns an operation of a project; None where there is none and it need not be."""
    suffix = " FOR UPDATE" if for_update else ""
    cursor = await connection.execute(
        f"SELECT {_COLUMNS} FROM jobs.operation WHERE project_id = %s AND operation_id = %s{suffix}",  # type: ignore[arg-type]
        [project_id, operation_id],
    )
    row = await cursor.fetchone()
    if row is None and must_exist:
        raise LookupError(operation_id)
    return None if row is None else Operation(**row)


async def list_operations(
    connection: Connection,
    project_id: str,
    *,
    limit: int,
    before: tuple[str, str] | None = None,
    only_running: bool = False,
) -> Sequence[Operation]:
    """Returns a project's operations, newest first, at most `limit`, behind the position `before` (create time, id)."""
    running = " AND state NOT IN ('succeeded', 'failed', 'cancelled')" if only_running else ""
    cursor = await connection.execute(
        f"SELECT {_COLUMNS} FROM jobs.operation WHERE project_id = %s"  # type: ignore[arg-type]
        f" AND (%s::timestamptz IS NULL OR (create_time, operation_id) < (%s::timestamptz, %s)){running}"
        " ORDER BY create_time DESC, operation_id DESC LIMIT %s",
        [project_id, *((before[0], *before) if before else (None, None, None)), limit],
    )
    return [Operation(**row) for row in await cursor.fetchall()]


def to_message(operation: Operation) -> operations_pb2.Operation:
    """Returns the wire form of an operation."""
    metadata = operation_pb2.OperationMetadata(
        state=_STATES[operation.state],
        method=operation.method,
        progress=operation.progress,
        stages=[
            operation_pb2.Stage(
                name=stage["name"],
                progress=stage["progress"],
                weight=stage["weight"],
                elapsed_s=stage.get("elapsed_s", 0.0),
            )
            for stage in operation.stages
        ],
        message=operation.message,
        attempt_count=operation.attempt_count,
        creator=operation.creator,
        target=operation.target,
    )
    if operation.cancel_requested and not operation.is_done:
        metadata.state = operation_pb2.OperationMetadata.STATE_CANCELLING
    if operation.parent_operation_id:
        metadata.parent_operation = names.OPERATION.format(operation.project_id, operation.parent_operation_id)
    metadata.create_time.FromDatetime(operation.create_time)
    if operation.start_time:
        metadata.start_time.FromDatetime(operation.start_time)
    if operation.end_time:
        metadata.end_time.FromDatetime(operation.end_time)
    message = operations_pb2.Operation(name=operation.name, done=operation.is_done)
    message.metadata.Pack(metadata)
    if operation.response is not None:
        message.response.ParseFromString(operation.response)
    if operation.error is not None:
        message.error.CopyFrom(status_pb2.Status.FromString(operation.error))
    return message
