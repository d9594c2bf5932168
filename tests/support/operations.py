"""Operations and workers for tests: a queue of the test's own, and handlers that do what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import psycopg
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from praxiscope_common import names
from praxiscope_common.database import Database
from praxiscope_common.identity import CallContext, Caller, call_context
from praxiscope_common.jobs.operations import NewOperation, Operation, create_operation, read_operation
from praxiscope_common.jobs.worker import Handler, JobContext, Worker
from praxiscope_common.telemetry.metrics import Metrics
from tests.support.house import Tenant

METHOD = "tests.Service/Work"
Run = Callable[[JobContext, StringValue], Awaitable[Message]]
_PATIENCE_S = 20.0


def caller_of(project_id: str) -> Caller:
    """Returns somebody who may do things in a project."""
    return Caller(subject=names.USER.format(names.new_id()), project=project_id, permissions=frozenset({"a", "b"}))


async def start_operation(
    database: Database, project_id: str, *, queue: str = "idle", text: str = "", **options: Any
) -> Operation:
    """Writes an operation and its job."""
    new = NewOperation(service=queue, method=METHOD, target="the target", request=StringValue(value=text), **options)
    with call_context(CallContext(caller=caller_of(project_id))):
        async with database.transaction() as connection:
            return await create_operation(connection, new)


async def idle_operation(tenant: Tenant, *, queue: str = "idle", **options: Any) -> Operation:
    """Writes an operation on whose queue nobody works."""
    return await start_operation(tenant.house.served("library").app.database, tenant.project_id, queue=queue, **options)


def make_worker(
    database: Database, queue: str, run: Run, *, weights: Mapping[str, float] | None = None, **options: Any
) -> Worker:
    """Returns a worker that does `run`."""
    handler = Handler(request_type=StringValue, run=run, weights=weights or {"work": 1.0})
    return Worker(service=queue, database=database, handlers={METHOD: handler}, metrics=Metrics(), **options)


async def read(database: Database, operation: Operation) -> Operation:
    """Returns an operation as it is now."""
    async with database.transaction() as connection:
        found = await read_operation(connection, operation.project_id, operation.operation_id, must_exist=True)
    assert isinstance(found, Operation)
    return found


async def until(database: Database, operation: Operation, state: str, patience_s: float = _PATIENCE_S) -> Operation:
    """Returns an operation once it is in a state."""

    async def is_there() -> Operation | None:
        found = await read(database, operation)
        return found if found.state == state else None

    return await eventually(is_there, f"state {state}", patience_s)


async def eventually(look: Callable[[], Awaitable[Any]], what: str, patience_s: float = _PATIENCE_S) -> Any:
    """Returns what `look` gives as soon as it gives something."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + patience_s
    while not (found := await look()):
        assert loop.time() < deadline_s, f"not seen in {patience_s} s: {what}"
        await asyncio.sleep(0.02)
    return found


async def execute(conninfo: str, statement: str, values: list[object] | None = None) -> list[Any]:
    """Runs a statement as somebody who may do anything; returns its rows."""
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        cursor = await connection.execute(statement, values)  # type: ignore[arg-type]
        return await cursor.fetchall() if cursor.description else []
