"""Procrastinate's queue with two changes that faults ask for: only the worker that holds a job may end it, and pauses are counted by the database's clock."""

from __future__ import annotations

import asyncio
import datetime
import logging
import time
from typing import Any

from procrastinate import utils
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

logger = logging.getLogger(__name__)

# How long the end of a job is tried to be written; then its worker counts as dead and another takes the job up.
_PATIENCE_S = 10.0
_PAUSE_S = 0.5
# A job that was thought stalled may be another worker's by now; whoever held it before then writes nothing.
_HELD = (
    "WITH held AS MATERIALIZED (SELECT id FROM procrastinate_jobs"
    " WHERE id = %(job_id)s AND status = 'doing' AND worker_id IS NOT DISTINCT FROM %(worker_id)s FOR UPDATE) "
)
_FINISH = _HELD + (
    "SELECT procrastinate_finish_job_v1(id, %(status)s::procrastinate_job_status, %(delete_job)s) FROM held"
)
_RETRY = _HELD + (
    "SELECT procrastinate_retry_job_v2(id, now() + make_interval(secs => %(pause_s)s), %(priority)s, %(queue)s, %(lock)s)"
    " FROM held"
)


class FencedQueue(JobManager):
    """The queue as workers of operations use it."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Ends a job, where the worker still holds it."""
        await self._persist(_FINISH, job_id=job.id, worker_id=job.worker_id, status=status.value, delete_job=delete_job)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime.datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Puts a job back, where the worker still holds it; `retry_at` is this machine's time, the pause until then is what counts."""
        pause_s = 0.0 if retry_at is None else max(0.0, (retry_at - utils.utcnow()).total_seconds())
        await self._persist(
            _RETRY, job_id=job.id, worker_id=job.worker_id, pause_s=pause_s, priority=priority, queue=queue, lock=lock
        )

    async def _persist(self, query: Any, **values: object) -> None:  # noqa: ANN401  psycopg wants a literal
        """Writes as soon as the database takes it."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while True:
            try:
                await self.connector.execute_query_async(query, **values)
                return
            except ConnectorException as error:
                if time.monotonic() >= deadline_s:
                    raise
                logger.warning(
                    "the end of a job cannot be written yet", extra={"job_id": values["job_id"], "error": str(error)}
                )
            await asyncio.sleep(_PAUSE_S)
