"""Operations of every service, as the library shows and ends them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from library_service.core.errors import OperationNotDoneError, OperationNotFailedError
from praxiscope_common import names
from praxiscope_common.database import Connection, Database
from praxiscope_common.jobs import operations
from praxiscope_common.jobs.operations import Operation
from praxiscope_common.jobs.worker import CancelledOperationError, listen
from praxiscope_common.server.stages import resource_not_found
from praxiscope_common.status import to_status
from praxiscope_common.storage.port import ObjectStore

_FALLBACK_PERIOD_S = 2.0
# A repeated attempt to hand a result over still finds it for a while.
_KEPT_AFTER_SUCCESS = timedelta(hours=1)
_KEPT_AFTER_FAILURE = timedelta(days=7)


@dataclass(kw_only=True)
class Operations:
    """Operations over the database; run `follow_changes` beside it.

    Attributes:
        database: Where their rows are.
        store: Where what they write on the way is.
    """

    database: Database
    store: ObjectStore
    _watchers: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    _reads: dict[str, asyncio.Task[Operation]] = field(default_factory=dict)

    async def find(self, name: str) -> Operation:
        """Returns an operation."""
        async with self.database.transaction() as connection:
            return await self._find(connection, name)

    async def list(
        self, project_id: str, *, limit: int, before: tuple[str, str] | None, only_running: bool
    ) -> Sequence[Operation]:
        """Returns a project's operations, newest first."""
        async with self.database.transaction() as connection:
            return await operations.list_operations(
                connection, project_id, limit=limit, before=before, only_running=only_running
            )

    async def watch(self, name: str) -> AsyncIterator[Operation]:
        """Yields the operation at once and after every change, until it is done."""
        operation_id = names.OPERATION.parse(name)[1]
        changed = asyncio.Event()
        self._watchers.setdefault(operation_id, set()).add(changed)
        try:
            shown: Operation | None = None
            while True:
                changed.clear()
                operation = await self._find_together(name)
                if operation != shown:
                    yield operation
                    shown = operation
                if operation.is_done:
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _until_next_look_s())
        finally:
            waiting = self._watchers[operation_id]
            waiting.discard(changed)
            if not waiting:
                del self._watchers[operation_id]

    async def wait(self, name: str, timeout_s: float) -> Operation:
        """Returns the operation when it is done or the time is over."""
        latest = await self.find(name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                async for operation in self.watch(name):
                    latest = operation
        return latest

    async def cancel(self, name: str) -> Operation:
        """Asks for the end of an operation and of those it started; one that nobody works on ends at once."""
        async with self.database.transaction() as connection:
            operation = await self._find(connection, name, for_update=True)
            if not operation.is_done:
                await connection.execute(
                    "WITH RECURSIVE family AS ("
                    "  SELECT operation_id FROM jobs.operation WHERE operation_id = %(id)s"
                    "  UNION SELECT child.operation_id FROM jobs.operation child JOIN family ON child.parent_operation_id = family.operation_id)"
                    " UPDATE jobs.operation SET cancel_requested = true, update_time = now(),"
                    "  state = CASE WHEN state IN ('queued', 'retrying') THEN 'cancelled' ELSE state END,"
                    "  error = CASE WHEN state IN ('queued', 'retrying') THEN %(error)s ELSE error END,"
                    "  end_time = CASE WHEN state IN ('queued', 'retrying') THEN now() ELSE end_time END"
                    " WHERE operation_id IN (SELECT operation_id FROM family) AND state NOT IN ('succeeded', 'failed', 'cancelled')",
                    {
                        "id": operation.operation_id,
                        "error": to_status(CancelledOperationError()).SerializeToString(),
                    },
                )
            return await self._find(connection, name)

    async def retry(self, name: str) -> Operation:
        """Puts a failed operation back into its queue, with its attempts counted anew."""
        async with self.database.transaction() as connection:
            operation = await self._find(connection, name, for_update=True)
            if operation.state != "failed":
                raise OperationNotFailedError(metadata={"name": name, "state": operation.state})
            await connection.execute(
                "UPDATE jobs.operation SET state = 'queued', cancel_requested = false, error = NULL, end_time = NULL,"
                " checkpoint = CASE WHEN are_leftovers_gone THEN '{}' ELSE checkpoint END, are_leftovers_gone = false,"
                " max_attempts = attempt_count + %s, update_time = now()"
                " WHERE operation_id = %s",
                [operations.MAX_ATTEMPTS, operation.operation_id],
            )
            await operations.enqueue(connection, operation.service, operation.operation_id, operations.DEFAULT_PRIORITY)
            return await self._find(connection, name)

    async def delete(self, name: str) -> None:
        """Forgets an operation that is done, and what it left on the way."""
        async with self.database.transaction() as connection:
            operation = await self._find(connection, name, for_update=True)
            if not operation.is_done:
                raise OperationNotDoneError(metadata={"name": name, "state": operation.state})
            await self.store.delete_prefix(_leftovers_of(name))
            await connection.execute("DELETE FROM jobs.operation WHERE operation_id = %s", [operation.operation_id])

    async def forget_older_than(self, days: int) -> None:
        """Forgets operations that ended long ago; what they left on the way is gone before that."""
        async with self.database.transaction() as connection:
            await connection.execute(
                "DELETE FROM jobs.operation WHERE are_leftovers_gone AND end_time < now() - make_interval(days => %s)",
                [days],
            )

    async def clear_leftovers(self, limit: int) -> int:
        """Removes what operations wrote on the way and need no more, of at most `limit` operations; returns of how many.

        An operation that succeeded needs it no more. One that did not may be tried again, and then goes on from there;
        after some days it starts anew instead.
        """
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT project_id, operation_id FROM jobs.operation WHERE NOT are_leftovers_gone"
                " AND end_time < now() - CASE WHEN state = 'succeeded' THEN %s ELSE %s END ORDER BY end_time LIMIT %s"
                " FOR UPDATE SKIP LOCKED",
                [_KEPT_AFTER_SUCCESS, _KEPT_AFTER_FAILURE, limit],
            )
            ended = await cursor.fetchall()
            for row in ended:
                name = names.OPERATION.format(row["project_id"], row["operation_id"])
                await self.store.delete_prefix(_leftovers_of(name))
            await connection.execute(
                "UPDATE jobs.operation SET are_leftovers_gone = true WHERE operation_id = ANY(%s)",
                [[row["operation_id"] for row in ended]],
            )
        return len(ended)

    async def follow_changes(self) -> None:
        """Wakes watchers when their operations change, until cancelled; one connection serves all of them."""
        async for operation_id in listen(self.database, _FALLBACK_PERIOD_S):
            for event in tuple(self._watchers.get(operation_id, ())):
                event.set()

    async def _find_together(self, name: str) -> Operation:
        """Returns an operation as `find` does; watchers that want it at the same moment share one reading, which begins after all of them asked."""
        reading = self._reads.get(name)
        if reading is None:
            reading = self._reads[name] = asyncio.create_task(self._find_soon(name))
        return await asyncio.shield(reading)

    async def _find_soon(self, name: str) -> Operation:
        await asyncio.sleep(0)  # whom the same change woke asks in this turn of the loop
        del self._reads[name]  # whoever asks from now on may have heard of something newer
        return await self.find(name)

    async def _find(self, connection: Connection, name: str, *, for_update: bool = False) -> Any:  # noqa: ANN401  always an Operation
        project_id, operation_id = names.OPERATION.parse(name)
        found = await operations.read_operation(connection, project_id, operation_id, for_update=for_update)
        if found is None:
            raise resource_not_found(name)
        return found


def _leftovers_of(name: str) -> str:
    """Returns where an operation writes on the way."""
    return f"{name}/partial/"


def _until_next_look_s() -> float:
    """Returns how long to wait for a change that was not heard of: to a moment that is the same for all, so that they look together."""
    return _FALLBACK_PERIOD_S - asyncio.get_running_loop().time() % _FALLBACK_PERIOD_S
