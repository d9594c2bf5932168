"""Jobs while things break: killed workers, a database that is away, full or on another clock, work that kills whoever does it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import status_pb2

from chaos.jobs import run_jobs
from praxiscope_common import names
from praxiscope_common.database import Database, DatabaseUnavailableError
from praxiscope_common.errors import UnavailableError
from praxiscope_common.jobs.operations import Operation
from praxiscope_common.jobs.worker import JobContext
from praxiscope_common.status import from_status
from tests.support.clock import shift_clock
from tests.support.house import working
from tests.support.operations import eventually, execute, make_worker, start_operation, until
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.fault


@pytest.fixture
async def jobs(postgres: PostgresServer, database: str) -> AsyncIterator[Database]:
    """The database as a service's worker sees it."""
    opened = Database(postgres.config("tracking", database))
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
def project() -> str:
    """A project's id."""
    return names.new_id()


@pytest.fixture
def superuser(postgres: PostgresServer, database: str) -> str:
    """How the superuser connects to the test's database."""
    return postgres.superuser(database)


async def echo(context: JobContext, request: StringValue) -> StringValue:
    """Works."""
    return request


async def job_status(superuser: str, operation: Operation) -> str:
    """Returns the state of an operation's job."""
    rows = await execute(
        superuser, "SELECT status::text FROM jobs.procrastinate_jobs WHERE id = %s", [operation.job_id]
    )
    return str(rows[0][0])


@contextlib.asynccontextmanager
async def without_connections(postgres: PostgresServer, database: str) -> AsyncIterator[None]:
    """Ends every connection to a database and refuses new ones: too many, as PostgreSQL says it when it has no more."""
    server = postgres.superuser("postgres")
    await execute(server, f"ALTER DATABASE {database} CONNECTION LIMIT 0")
    await execute(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
    try:
        yield
    finally:
        await execute(server, f"ALTER DATABASE {database} CONNECTION LIMIT -1")


# Workers that die


@pytest.mark.timeout(180)
async def test_of_hundreds_of_jobs_none_is_lost_or_done_twice_while_workers_are_killed(
    postgres: PostgresServer, database: str, superuser: str
) -> None:
    seed = secrets.randbits(32)
    report = await run_jobs(
        postgres.config("tracking", database),
        superuser,
        jobs=300,
        workers=2,
        kill_every_s=2.0,
        seed=seed,
        timeout_s=120,
        tell=print,
    )
    assert not report.problems, f"seed {seed}: {report}"
    assert report.kills >= 1


async def test_work_that_kills_its_worker_every_time_is_given_up(jobs: Database, project: str, superuser: str) -> None:
    operation = await start_operation(jobs, project, queue="q", max_attempts=3)
    await execute(superuser, "UPDATE jobs.operation SET attempt_count = 3, state = 'running'")
    async with working(make_worker(jobs, "q", echo)):
        dead = await until(jobs, operation, "failed")
    assert from_status(status_pb2.Status.FromString(dead.error or b"")).reason == "ATTEMPTS_EXHAUSTED"
    assert dead.attempt_count == 3


async def test_a_worker_ends_no_job_that_is_another_workers_by_now(
    jobs: Database, project: str, superuser: str
) -> None:
    """A worker that was thought dead and was not: its job was put back and taken by another, which then died."""
    taken_over = asyncio.Event()

    async def wait(context: JobContext, request: StringValue) -> StringValue:
        await taken_over.wait()
        return request

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", wait)):
        await until(jobs, operation, "running")
        other = await execute(
            superuser, "INSERT INTO jobs.procrastinate_workers (last_heartbeat) VALUES (now()) RETURNING id"
        )
        await execute(superuser, "UPDATE jobs.procrastinate_jobs SET worker_id = %s", [other[0][0]])
        await execute(superuser, "UPDATE jobs.operation SET attempt_count = attempt_count + 1")
        taken_over.set()
        await asyncio.sleep(1.0)
        assert await job_status(superuser, operation) == "doing"
        await execute(
            superuser,
            "UPDATE jobs.procrastinate_workers SET last_heartbeat = now() - interval '1 minute' WHERE id = %s",
            [other[0][0]],
        )
        done = await until(jobs, operation, "succeeded")
    assert done.attempt_count == 3


async def test_a_worker_that_was_silent_for_a_while_does_not_rescue_its_own_work_from_itself(
    jobs: Database, project: str, superuser: str
) -> None:
    go_on = asyncio.Event()

    async def wait(context: JobContext, request: StringValue) -> StringValue:
        await go_on.wait()
        return request

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", wait)):
        await until(jobs, operation, "running")
        for _ in range(60):  # its heartbeat is never to be seen
            await execute(
                superuser, "UPDATE jobs.procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
            )
            await asyncio.sleep(0.1)
        go_on.set()
        done = await until(jobs, operation, "succeeded")
    assert done.attempt_count == 1


@pytest.mark.parametrize(
    "fault", ["UPDATE jobs.procrastinate_jobs SET status = 'failed'", "DELETE FROM jobs.procrastinate_jobs"]
)
async def test_an_operation_that_lost_its_job_gets_a_new_one(
    jobs: Database, project: str, superuser: str, fault: str
) -> None:
    operation = await start_operation(jobs, project, queue="q")
    await execute(superuser, "UPDATE jobs.operation SET state = 'running', attempt_count = 1")
    await execute(superuser, f"SET search_path TO jobs; {fault}")
    async with working(make_worker(jobs, "q", echo)):
        done = await until(jobs, operation, "succeeded")
    assert done.attempt_count == 2


async def test_a_worker_that_is_stopped_before_it_began_puts_the_job_back(
    jobs: Database, project: str, superuser: str
) -> None:
    operation = await start_operation(jobs, project, queue="q")
    async with await psycopg.AsyncConnection.connect(superuser) as holder:
        await holder.execute("SELECT FROM jobs.operation FOR UPDATE")
        async with working(make_worker(jobs, "q", echo, grace_s=0.2)):
            await eventually(_has_status(superuser, operation, "doing"), "the job is taken")
            await asyncio.sleep(0.3)
    assert await job_status(superuser, operation) == "todo"
    async with working(make_worker(jobs, "q", echo)):
        await until(jobs, operation, "succeeded")


# A database in trouble


async def test_an_attempt_whose_end_cannot_be_written_is_made_again(
    jobs: Database, project: str, postgres: PostgresServer, database: str
) -> None:
    attempts: list[int] = []
    away = asyncio.Event()

    async def work(context: JobContext, request: StringValue) -> StringValue:
        attempts.append(context.operation.attempt_count)
        if len(attempts) == 1:
            away.set()
            await asyncio.sleep(0.5)
        return request

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", work)):
        await away.wait()
        async with without_connections(postgres, database):
            await asyncio.sleep(7.0)
        await until(jobs, operation, "succeeded", 40)
    assert attempts == [1, 2]


async def test_a_database_without_connections_is_said_with_a_hint_and_recovers_by_itself(
    jobs: Database, project: str, postgres: PostgresServer, database: str
) -> None:
    """However long it was away: pools pause longer after every vain attempt, and must not make callers wait for that."""
    operation = await start_operation(jobs, project, queue="q")
    async with without_connections(postgres, database), working(make_worker(jobs, "q", echo)):
        until_s = time.monotonic() + 10.0
        while time.monotonic() < until_s:
            started_s = time.monotonic()
            with pytest.raises(DatabaseUnavailableError) as caught:
                await jobs.probe()
            assert time.monotonic() - started_s < 8
            assert caught.value.retry_after_s
        await execute(postgres.superuser("postgres"), f"ALTER DATABASE {database} CONNECTION LIMIT -1")
        await eventually(_answers(jobs), "the database answers again", 6)
        await until(jobs, operation, "succeeded", 10)


async def test_a_worker_goes_on_while_no_further_connection_is_to_be_had(
    jobs: Database, project: str, postgres: PostgresServer, database: str
) -> None:
    """What it holds is enough to work with; a side task that gets none does not end what runs."""
    reached = asyncio.Event()
    go_on = asyncio.Event()

    async def work(context: JobContext, request: StringValue) -> StringValue:
        reached.set()
        await go_on.wait()
        return request

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", work)):
        await reached.wait()
        await execute(postgres.superuser("postgres"), f"ALTER DATABASE {database} CONNECTION LIMIT 0")
        await asyncio.sleep(8.0)
        await execute(postgres.superuser("postgres"), f"ALTER DATABASE {database} CONNECTION LIMIT -1")
        go_on.set()
        done = await until(jobs, operation, "succeeded")
    assert done.attempt_count == 1


# Clocks


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_database_an_hour_off_changes_no_pause(
    jobs: Database, project: str, superuser: str, hours: int
) -> None:
    await shift_clock(superuser, hours)
    times_s: list[float] = []

    async def fail_once(context: JobContext, request: StringValue) -> StringValue:
        times_s.append(time.monotonic())
        if len(times_s) == 1:
            raise UnavailableError
        return request

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", fail_once)):
        await until(jobs, operation, "succeeded")
    assert 0.9 <= times_s[1] - times_s[0] < 6


async def test_a_stalled_job_is_taken_up_though_the_database_is_an_hour_behind(
    jobs: Database, project: str, superuser: str
) -> None:
    await shift_clock(superuser, -1)
    operation = await start_operation(jobs, project, queue="q")
    await execute(superuser, "SET search_path TO jobs; UPDATE procrastinate_jobs SET status = 'doing'")
    started_s = time.monotonic()
    async with working(make_worker(jobs, "q", echo)):
        await until(jobs, operation, "succeeded")
    assert time.monotonic() - started_s < 10


# Disks


async def test_a_full_disk_is_said_and_the_work_is_done_once_there_is_room(jobs: Database, project: str) -> None:
    attempts: list[int] = []

    async def write(context: JobContext, request: StringValue) -> StringValue:
        attempts.append(context.operation.attempt_count)
        if len(attempts) == 1:
            with Path("/dev/full").open("wb", buffering=0) as disk:  # the kernel's own ENOSPC
                disk.write(b"frame")
        return request

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", write, first_retry_s=0.1)):
        await until(jobs, operation, "succeeded")
    assert attempts == [1, 2]


async def test_a_disk_that_stays_full_ends_the_operation_with_a_typed_error(jobs: Database, project: str) -> None:
    async def write(context: JobContext, request: StringValue) -> StringValue:
        with Path("/dev/full").open("wb", buffering=0) as disk:
            disk.write(b"frame")
        return request

    operation = await start_operation(jobs, project, queue="q", max_attempts=2)
    async with working(make_worker(jobs, "q", write, first_retry_s=0.1)):
        dead = await until(jobs, operation, "failed")
    error = from_status(status_pb2.Status.FromString(dead.error or b""))
    assert (type(error), error.reason) == (UnavailableError, "DISK_FULL")
    assert error.retry_after_s


def _has_status(superuser: str, operation: Operation, status: str):
    async def look() -> bool:
        return await job_status(superuser, operation) == status

    return look


def _answers(jobs: Database):
    async def look() -> bool:
        try:
            await jobs.probe()
        except DatabaseUnavailableError:
            return False
        return True

    return look
