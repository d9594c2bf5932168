"""What takes jobs and moves their operations on: progress, cancel, retries with backoff, stalled jobs of workers that died."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from google.protobuf import any_pb2
from google.protobuf.message import Message
from opentelemetry.trace import SpanKind
from procrastinate import App, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy
from psycopg.types.json import Jsonb

from praxiscope_common import errors
from praxiscope_common.database import Database, DatabaseUnavailableError, QuietConnection
from praxiscope_common.identity import CallContext, call_context
from praxiscope_common.jobs.operations import CHANNEL, TASK_NAME, Operation, enqueue
from praxiscope_common.jobs.queue import FencedQueue
from praxiscope_common.status import to_status
from praxiscope_common.telemetry.metrics import Metrics
from praxiscope_common.telemetry.traces import extract_trace, tracer

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

_HEARTBEAT_S = 2.0
_STALLED_AFTER_S = 6.0
_POLL_S = 1.0  # for what no notice comes of: a job whose pause is over, a notice that was lost
_NO_POLL_S = 3600.0
_REPORT_PERIOD_S = 0.25
_MAX_RETRY_S = 60.0
_DATABASE_PAUSE_S = 1.0
_POOL_TIMEOUT_S = 5.0
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_RETRYABLE = (errors.UnavailableError, errors.ExhaustedError, errors.AbortedError, errors.DeadlineError)


class CancelledOperationError(errors.CancelledError):
    """The operation was cancelled."""

    reason = "OPERATION_CANCELLED"


class AttemptsExhaustedError(errors.InternalError):
    """The operation failed unexpectedly every time it was tried."""

    reason = "ATTEMPTS_EXHAUSTED"


class DiskFullError(errors.UnavailableError):
    """The machine that did the work has no room left on its disk; free some, then try again."""

    reason = "DISK_FULL"


class UnknownWorkError(errors.UnavailableError):
    """This worker does not know how to do this work; a newer one may."""

    reason = "UNKNOWN_WORK"


class _RetryLaterError(Exception):
    def __init__(self, delay_s: float) -> None:
        super().__init__(f"again in {delay_s:g} s")
        self.delay_s = delay_s


class _LostOperationError(Exception):
    """Another attempt has taken the operation over, or it ended."""


class _RetryStrategy(BaseRetryStrategy):
    """A job is over when its operation is: whatever else ends an attempt, a worker that stops or a row that cannot be written, puts it back."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        delay_s = exception.delay_s if isinstance(exception, _RetryLaterError) else 0.0
        return RetryDecision(retry_in={"milliseconds": int(delay_s * 1000)})


@dataclass(kw_only=True)
class JobContext:
    """What a handler knows and may do while it works on one attempt of an operation.

    Attributes:
        operation: The operation as it was when this attempt began.
        database: Where its row is.
        weights: Each stage's share of the whole.
    """

    operation: Operation
    database: Database
    weights: Mapping[str, float]
    _progress: dict[str, float] = field(default_factory=dict)
    _elapsed_s: dict[str, float] = field(default_factory=dict)
    _written_s: float = field(default=float("-inf"))
    _message: str = ""

    async def report(self, stage: str, progress: float, message: str = "") -> None:
        """Says how far a stage is; written at most four times a second, and always when the stage is done.

        Raises:
            asyncio.CancelledError: If another attempt has taken the operation over.
        """
        self._progress[stage] = min(1.0, max(self._progress.get(stage, 0.0), progress))
        self._message = message or self._message
        now_s = time.monotonic()
        if now_s - self._written_s < _REPORT_PERIOD_S and progress < 1.0:
            return
        self._written_s = now_s
        await self._write(
            "progress = %s, stages = %s, message = %s", [self.progress, self._stages_json(), self._message]
        )

    async def in_thread(
        self,
        stage: str,
        work: Callable[[], Result],
        *,
        told: Callable[[], tuple[float, str]],
        should_stop: threading.Event,
    ) -> Result:
        """Runs a stage's work in a thread and says how far it is; the thread has ended when this returns, also when the attempt ends early.

        Args:
            stage: The stage.
            work: Ends soon once `should_stop` is set.
            told: Returns how far it is, 0 to 1, and what a person reads of that.
            should_stop: Set when nobody waits for the work any more.
        """
        running = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            while not running.done():
                await asyncio.wait({running}, timeout=_REPORT_PERIOD_S)
                share, message = told()
                await self.report(stage, min(0.99, share), message)
            return running.result()
        finally:
            should_stop.set()
            await asyncio.shield(asyncio.gather(running, return_exceptions=True))

    @contextlib.contextmanager
    def timed(self, stage: str) -> Any:  # noqa: ANN401  a context manager
        """Adds the time spent in the block to a stage and traces it."""
        started_s = time.perf_counter()
        with tracer.start_as_current_span(stage):
            try:
                yield
            finally:
                self.add_elapsed(stage, time.perf_counter() - started_s)

    def add_elapsed(self, stage: str, elapsed_s: float) -> None:
        """Adds time to a stage."""
        self._elapsed_s[stage] = self._elapsed_s.get(stage, 0.0) + elapsed_s

    @property
    def elapsed_s(self) -> Mapping[str, float]:
        """Seconds by stage so far, in this attempt."""
        return dict(self._elapsed_s)

    @property
    def progress(self) -> float:
        """Share of the whole that is done, 0 to 1."""
        return min(1.0, sum(weight * self._progress.get(stage, 0.0) for stage, weight in self.weights.items()))

    async def save_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Remembers what a later attempt needs to go on."""
        await self._write("checkpoint = %s", [Jsonb(dict(checkpoint))])

    def _stages_json(self) -> Jsonb:
        return Jsonb(
            [
                {
                    "name": stage,
                    "weight": weight,
                    "progress": self._progress.get(stage, 0.0),
                    "elapsed_s": round(self._elapsed_s.get(stage, 0.0), 3),
                }
                for stage, weight in self.weights.items()
            ]
        )

    async def _write(self, assignments: str, values: Sequence[object]) -> None:
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                f"UPDATE jobs.operation SET {assignments}, update_time = now()"  # type: ignore[arg-type]
                " WHERE operation_id = %s AND attempt_count = %s AND state = 'running'",
                [*values, self.operation.operation_id, self.operation.attempt_count],
            )
        if cursor.rowcount == 0:
            raise _LostOperationError


@dataclass(frozen=True, kw_only=True)
class Handler:
    """What does one method's work.

    Attributes:
        request_type: The method's request message.
        run: Does the work and returns the response.
        weights: Each stage's share of the whole; they sum to 1.
    """

    request_type: type[Message]
    run: Callable[[JobContext, Any], Awaitable[Message]]
    weights: Mapping[str, float]


class Worker:
    """Works on a service's operations until SIGTERM.

    Args:
        service: The service; also the name of its queue.
        database: A pool whose role may use the schema `jobs`.
        handlers: What does each method's work.
        metrics: Where job times and queue lengths go.
        concurrency: How many operations are worked on at once.
        grace_s: How long running operations may go on after SIGTERM before they are handed back to the queue.
        first_retry_s: Pause before the second attempt; it doubles with every further one.
    """

    def __init__(
        self,
        *,
        service: str,
        database: Database,
        handlers: Mapping[str, Handler],
        metrics: Metrics,
        concurrency: int = 2,
        grace_s: float = 5.0,
        first_retry_s: float = 1.0,
    ) -> None:
        """Prepares the worker; nothing is opened yet."""
        self._service, self._database, self._handlers = service, database, handlers
        self._metrics, self._concurrency, self._grace_s = metrics, concurrency, grace_s
        self._first_retry_s = first_retry_s
        self._running: dict[str, asyncio.Task[Message]] = {}
        self._cancelled: set[str] = set()
        connector = PsycopgConnector(
            conninfo=database.config.conninfo().replace(
                f"search_path={database.config.search_path}", "search_path=jobs"
            ),
            min_size=2,  # one listens; held from the start, so that a database without connections to spare does not stop the heartbeat
            max_size=max(3, concurrency + 1),
            timeout=_POOL_TIMEOUT_S,
            connection_class=QuietConnection,
        )
        self._app = App(connector=connector)
        self._app.job_manager = FencedQueue(connector)
        self._app.task(name=TASK_NAME, queue=service, retry=_RetryStrategy())(self._run_job)

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Takes jobs until it is to stop; then takes no more and hands back what does not end within the grace.

        Args:
            stop: Set when it is to stop; None means SIGTERM or SIGINT.
        """
        if stop is None:
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
        stopped, beating = asyncio.create_task(stop.wait()), asyncio.create_task(self._metrics.pulse.keep_beating())
        try:
            while not stop.is_set():
                try:
                    # Opening would wait half a minute for a database that is away, with growing pauses.
                    await self._database.probe()
                    async with self._app.open_async():
                        await self._serve(stopped)
                except (
                    DatabaseUnavailableError,
                    ConnectorException,
                    psycopg.OperationalError,
                    ExceptionGroup,
                ) as error:
                    logger.warning("the worker lost its database and starts over", extra={"error": str(error)})
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), 1.0)
        finally:
            stopped.cancel()
            beating.cancel()
        logger.info("stopped")

    async def _serve(self, stopped: asyncio.Task[bool]) -> None:
        async with asyncio.TaskGroup() as tasks:
            side = [tasks.create_task(self._follow_cancellations()), tasks.create_task(self._rescue())]
            worker = asyncio.create_task(
                self._app.run_worker_async(
                    queues=[self._service],
                    concurrency=self._concurrency,
                    fetch_job_polling_interval=_POLL_S,
                    abort_job_polling_interval=_NO_POLL_S,  # nobody asks it to; operations are cancelled by their row
                    update_heartbeat_interval=_HEARTBEAT_S,
                    stalled_worker_timeout=_STALLED_AFTER_S,
                    shutdown_graceful_timeout=self._grace_s,
                    install_signal_handlers=False,
                )
            )
            logger.info("working", extra={"queue": self._service})
            try:
                await asyncio.wait({worker, stopped, *side}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in side:
                    task.cancel()
                worker.cancel()  # procrastinate stops taking jobs and lets running ones end within the grace
                with contextlib.suppress(asyncio.CancelledError):
                    await worker

    async def _run_job(self, operation_id: str) -> None:
        """Makes an attempt; where its outcome cannot be written, the job is put back and the next attempt finds out."""
        try:
            await self._run_operation(operation_id)
        except DatabaseUnavailableError:
            raise _RetryLaterError(_DATABASE_PAUSE_S) from None

    async def _run_operation(self, operation_id: str) -> None:
        operation = await self._begin(operation_id)
        if operation is None:
            return
        started_s = time.perf_counter()
        handler = self._handlers.get(operation.method)
        context = JobContext(
            operation=operation, database=self._database, weights={} if handler is None else handler.weights
        )
        outcome = "failed"
        try:
            if handler is None:
                raise UnknownWorkError(metadata={"method": operation.method})
            request = handler.request_type()
            any_pb2.Any.FromString(operation.request).Unpack(request)
            with (
                tracer.start_as_current_span(
                    operation.method,
                    context=extract_trace({"traceparent": operation.traceparent}),
                    kind=SpanKind.CONSUMER,
                ),
                call_context(CallContext(request_id=operation_id)),
            ):
                task = asyncio.ensure_future(handler.run(context, request))
                self._running[operation_id] = task
                response = await task
            packed = any_pb2.Any()
            packed.Pack(response)
            await self._end(operation, "succeeded", context, response=packed.SerializeToString())
            outcome = "succeeded"
        except asyncio.CancelledError:
            outcome = await self._after_cancellation(operation, context)
        except _LostOperationError:
            logger.warning("another attempt has taken the operation over", extra={"operation": operation.name})
        except Exception as error:  # noqa: BLE001  a worker's loop: every failure is recorded and logged
            outcome = await self._after_failure(operation, context, error)
        finally:
            self._running.pop(operation_id, None)
            self._cancelled.discard(operation_id)
            self._metrics.job_duration_s.labels(operation.method, outcome).observe(time.perf_counter() - started_s)

    async def _after_cancellation(self, operation: Operation, context: JobContext) -> str:
        if operation.operation_id in self._cancelled:
            await self._end(operation, "cancelled", context, error=CancelledOperationError())
            return "cancelled"
        # The worker itself is stopping: what was done stays in the checkpoint, and this attempt does not count.
        with contextlib.suppress(DatabaseUnavailableError):  # then it counts, and the job goes back all the same
            async with self._database.transaction() as connection:
                await connection.execute(
                    "UPDATE jobs.operation SET state = 'retrying', max_attempts = max_attempts + 1, update_time = now()"
                    " WHERE operation_id = %s AND attempt_count = %s AND state = 'running'",
                    [operation.operation_id, operation.attempt_count],
                )
        raise _RetryLaterError(0)

    async def _after_failure(self, operation: Operation, context: JobContext, error: Exception) -> str:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            error = DiskFullError(retry_after_s=10.0)
        is_expected = isinstance(error, errors.DomainError) and not isinstance(error, errors.InternalError)
        if is_expected and not isinstance(error, _RETRYABLE):
            await self._end(operation, "failed", context, error=error)
            return "failed"
        logger.log(
            logging.WARNING if is_expected else logging.ERROR,
            "an attempt failed",
            extra={
                "operation": operation.name,
                "attempt": operation.attempt_count,
                "error": str(error) if is_expected else "",
            },
            exc_info=None if is_expected else error,
        )
        if operation.attempt_count >= operation.max_attempts:
            await self._end(operation, "failed", context, error=error if is_expected else AttemptsExhaustedError())
            return "dead"
        delay_s = min(_MAX_RETRY_S, self._first_retry_s * 2 ** (operation.attempt_count - 1))
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE jobs.operation SET state = 'retrying', message = %s, update_time = now()"
                " WHERE operation_id = %s AND attempt_count = %s AND state = 'running'",
                [
                    f"Attempt {operation.attempt_count} failed; the next is in {delay_s:g} s.",
                    operation.operation_id,
                    operation.attempt_count,
                ],
            )
        raise _RetryLaterError(delay_s)

    async def _begin(self, operation_id: str) -> Operation | None:
        async with self._database.transaction() as connection:
            # Attempts that ended with the death of their worker were never judged; work that kills whoever does it ends here.
            cursor = await connection.execute(
                "UPDATE jobs.operation SET state = 'failed', error = %s, message = '', end_time = now(), update_time = now()"
                " WHERE operation_id = %s AND attempt_count >= max_attempts AND NOT cancel_requested"
                " AND state NOT IN ('succeeded', 'failed', 'cancelled')",
                [to_status(AttemptsExhaustedError()).SerializeToString(), operation_id],
            )
            if cursor.rowcount:
                logger.error("an operation's last attempt ended with its worker", extra={"operation_id": operation_id})
                return None
            cursor = await connection.execute(
                "UPDATE jobs.operation SET state = 'running', attempt_count = attempt_count + 1, start_time = coalesce(start_time, now()),"
                " update_time = now() WHERE operation_id = %s AND state NOT IN ('succeeded', 'failed', 'cancelled') AND NOT cancel_requested"
                " RETURNING *",
                [operation_id],
            )
            row = await cursor.fetchone()
            if row is None:  # ended or cancelled before anybody took it
                await connection.execute(
                    "UPDATE jobs.operation SET state = 'cancelled', error = %s, end_time = now(), update_time = now()"
                    " WHERE operation_id = %s AND cancel_requested AND state NOT IN ('succeeded', 'failed', 'cancelled')",
                    [to_status(CancelledOperationError()).SerializeToString(), operation_id],
                )
                return None
        known = Operation.__dataclass_fields__
        return Operation(**{key: value for key, value in row.items() if key in known})

    async def _end(
        self,
        operation: Operation,
        state: str,
        context: JobContext,
        *,
        response: bytes | None = None,
        error: Exception | None = None,
    ) -> None:
        if isinstance(error, errors.DomainError):
            logger.info("operation ended with an error", extra={"operation": operation.name, "reason": error.reason})
        status = to_status(error).SerializeToString() if isinstance(error, errors.DomainError) else None
        progress = 1.0 if state == "succeeded" else context.progress
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE jobs.operation SET state = %s, response = %s, error = %s, progress = %s, stages = %s, message = '', end_time = now(),"
                " update_time = now() WHERE operation_id = %s AND attempt_count = %s AND state = 'running'",
                [
                    state,
                    response,
                    status,
                    progress,
                    context._stages_json(),
                    operation.operation_id,
                    operation.attempt_count,
                ],
            )

    async def _follow_cancellations(self) -> None:
        """Cancels what is running here as soon as its row says so; hears of changes, and looks every second in case it did not."""
        async for _ in listen(self._database, _POLL_S):
            if not self._running:
                continue
            try:
                asked = await self._asked_to_cancel()
            except DatabaseUnavailableError as error:  # what runs goes on; the next look may succeed
                logger.warning("cancellations cannot be looked for", extra={"reason": error.reason})
                continue
            for operation_id in asked:
                task = self._running.get(operation_id)
                if task is not None and operation_id not in self._cancelled:
                    self._cancelled.add(operation_id)
                    task.cancel()

    async def _asked_to_cancel(self) -> Sequence[str]:
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT operation_id FROM jobs.operation WHERE operation_id = ANY(%s) AND cancel_requested",
                [list(self._running)],
            )
            return [row["operation_id"] for row in await cursor.fetchall()]

    async def _rescue(self) -> None:
        """Puts jobs of workers that died, and operations that lost their job, back into the queue, and tells how long the queue is."""
        while True:
            try:
                await self._rescue_stalled()
                await self._rescue_orphans()
                await self._tell_lengths()
            except (DatabaseUnavailableError, ConnectorException) as error:
                logger.warning("the queue cannot be looked through", extra={"error": str(error)})
            await asyncio.sleep(_HEARTBEAT_S)

    async def _rescue_stalled(self) -> None:
        stalled = await self._app.job_manager.get_stalled_jobs(
            queue=self._service, seconds_since_heartbeat=_STALLED_AFTER_S
        )
        for job in stalled:
            if job.task_kwargs.get("operation_id") in self._running:  # it is we who were silent for a while
                continue
            await self._app.job_manager.retry_job(job)  # does nothing where another worker was first
            logger.warning("a stalled job is tried again", extra={"job_id": job.id, "queue": self._service})

    async def _rescue_orphans(self) -> None:
        """An operation that is not done has a job that waits or runs; one without was lost by a fault, whatever it was, and gets a new one."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT operation_id, priority FROM jobs.operation o"
                " WHERE service = %s AND state IN ('queued', 'running', 'retrying') AND operation_id <> ALL(%s) AND NOT EXISTS"
                "  (SELECT FROM jobs.procrastinate_jobs j WHERE j.id = o.job_id AND j.status IN ('todo', 'doing'))"
                " FOR UPDATE SKIP LOCKED",
                [self._service, list(self._running)],
            )
            for row in await cursor.fetchall():
                await enqueue(connection, self._service, row["operation_id"], row["priority"])
                logger.error("an operation had lost its job", extra={"operation_id": row["operation_id"]})

    async def _tell_lengths(self) -> None:
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT job.priority, count(*) AS length,"
                " COALESCE(EXTRACT(EPOCH FROM now() - min(operation.create_time)), 0)::float8 AS oldest_s"
                " FROM jobs.procrastinate_jobs AS job LEFT JOIN jobs.operation ON operation.job_id = job.id"
                # What is over is many times what is not, and has an index of its own.
                " AND operation.service = job.queue_name AND operation.state IN ('queued', 'running', 'retrying')"
                " WHERE job.queue_name = %s AND job.status = 'todo' GROUP BY job.priority",
                [self._service],
            )
            rows = await cursor.fetchall()
        lengths = {row["priority"]: row["length"] for row in rows}
        self._metrics.queue_oldest_s.labels(self._service).set(max((row["oldest_s"] for row in rows), default=0.0))
        for priority in {0, *lengths}:
            self._metrics.queue_length.labels(self._service, str(priority)).set(lengths.get(priority, 0))


async def listen(database: Database, period_s: float) -> AsyncIterator[str]:
    """Yields the id of every operation that changes, and an empty id at least every `period_s` seconds.

    The connection is its own, since a pool's would be given back; where it breaks the period alone goes on until a new one holds.
    """
    while True:
        try:
            async with await QuietConnection.connect(database.config.conninfo(), autocommit=True) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                yield ""  # whatever changed before is to be looked at
                while True:
                    heard = False
                    async for notice in connection.notifies(timeout=period_s, stop_after=1):
                        heard = True
                        yield notice.payload
                    if not heard:
                        yield ""
        except psycopg.OperationalError:
            yield ""
            await asyncio.sleep(period_s)
