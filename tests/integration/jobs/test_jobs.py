"""Jobs on a real database: accepted whole or not at all, tried again, given up, stopped, and saved from workers that die."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import status_pb2

from praxiscope_common import names
from praxiscope_common.database import Connection, Database
from praxiscope_common.errors import DomainError, InvalidInputError, UnavailableError
from praxiscope_common.identity import CallContext, call_context
from praxiscope_common.jobs.operations import (
    NewOperation,
    Operation,
    RequestIdReusedError,
    create_operation,
    list_operations,
)
from praxiscope_common.jobs.worker import JobContext
from praxiscope_common.status import from_status
from tests.support.house import working
from tests.support.operations import (
    METHOD,
    caller_of,
    eventually,
    execute,
    make_worker,
    read,
    start_operation,
    until,
)
from tests.support.postgres import PostgresServer
from tools.devstack.settings import CHECKOUT, inherited_environment

Look = Callable[[], Awaitable[object]]


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


def error_of(operation: Operation) -> DomainError:
    """Returns what an operation ended with."""
    return from_status(status_pb2.Status.FromString(operation.error or b""))


async def echo(context: JobContext, request: StringValue) -> StringValue:
    """Works."""
    return request


async def count_jobs(database: Database) -> int:
    """Returns how many jobs were ever written."""
    async with database.transaction() as connection:
        cursor = await connection.execute("SELECT count(*) AS jobs FROM jobs.procrastinate_jobs")
        row = await cursor.fetchone()
        assert row is not None
        return int(row["jobs"])


# Accepting


async def test_the_row_and_its_job_are_written_together_or_not_at_all(jobs: Database, project: str) -> None:
    class ChangedMindError(Exception):
        pass

    async def accept_and_fail(connection: Connection) -> None:
        await create_operation(connection, NewOperation(service="q", method=METHOD, target="", request=StringValue()))
        raise ChangedMindError

    with call_context(CallContext(caller=caller_of(project))), pytest.raises(ChangedMindError):
        async with jobs.transaction() as connection:
            await accept_and_fail(connection)
    async with jobs.transaction() as connection:
        assert await list_operations(connection, project, limit=10) == []
    assert await count_jobs(jobs) == 0
    operation = await start_operation(jobs, project)
    assert operation.job_id is not None
    assert await count_jobs(jobs) == 1


async def test_a_repeated_request_is_the_same_operation_and_one_job(jobs: Database, project: str) -> None:
    request_id = str(uuid.uuid4())
    made = await asyncio.gather(*(start_operation(jobs, project, text="a", request_id=request_id) for _ in range(4)))
    assert len({operation.operation_id for operation in made}) == 1
    assert await count_jobs(jobs) == 1
    with pytest.raises(RequestIdReusedError):
        await start_operation(jobs, project, text="b", request_id=request_id)
    other = await start_operation(jobs, names.new_id(), text="b", request_id=request_id)
    assert other.operation_id != made[0].operation_id


async def test_a_parent_of_another_project_is_not_taken_over(jobs: Database, project: str) -> None:
    theirs = await start_operation(jobs, names.new_id())
    child = await start_operation(jobs, project, parent_operation=theirs.name)
    assert child.parent_operation_id is None


async def test_no_token_is_ever_kept(jobs: Database, project: str, postgres: PostgresServer, database: str) -> None:
    operation = await start_operation(jobs, project)
    rows = await execute(
        postgres.superuser(database), "SELECT o::text, j::text FROM jobs.operation o, jobs.procrastinate_jobs j"
    )
    assert "eyJ" not in str(rows)
    assert operation.mandate.permissions == ("a", "b")


# Working


async def test_the_more_urgent_is_done_first(jobs: Database, project: str) -> None:
    order: list[str] = []

    async def note(context: JobContext, request: StringValue) -> StringValue:
        order.append(request.value)
        return request

    made = [
        await start_operation(jobs, project, queue="q", text=text, priority=priority)
        for text, priority in (("later", 0), ("first", 10), ("last", -5), ("second", 5), ("after", 0))
    ]
    async with working(make_worker(jobs, "q", note, concurrency=1)):
        for operation in made:
            await until(jobs, operation, "succeeded")
    assert order == ["first", "second", "later", "after", "last"]


async def test_projects_take_turns_however_much_one_of_them_asks_for(jobs: Database, project: str) -> None:
    order: list[str] = []

    async def note(context: JobContext, request: StringValue) -> StringValue:
        order.append(request.value)
        return request

    for i in range(30):
        await start_operation(jobs, project, queue="turns", text=f"flood {i}")
    other = names.new_id()
    for i in range(3):
        last = await start_operation(jobs, other, queue="turns", text=f"other {i}")
    async with working(make_worker(jobs, "turns", note, concurrency=1)):
        await until(jobs, last, "succeeded")
    # Turn by turn: the flood's first, then the other's first; the other's third is not behind the flood's fourth.
    assert order[:6] == ["flood 0", "other 0", "flood 1", "other 1", "flood 2", "other 2"]


async def test_a_worker_takes_its_own_queue_alone(jobs: Database, project: str) -> None:
    mine, theirs = await start_operation(jobs, project, queue="a"), await start_operation(jobs, project, queue="b")
    async with working(make_worker(jobs, "a", echo)):
        await until(jobs, mine, "succeeded")
        await asyncio.sleep(0.2)
    assert (await read(jobs, theirs)).state == "queued"


async def test_as_many_run_at_once_as_were_allowed(jobs: Database, project: str) -> None:
    running, most = 0, 0

    async def count(context: JobContext, request: StringValue) -> StringValue:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1
        return request

    made = [await start_operation(jobs, project, queue="q") for _ in range(6)]
    async with working(make_worker(jobs, "q", count, concurrency=3)):
        for operation in made:
            await until(jobs, operation, "succeeded")
    assert most == 3


async def test_progress_is_the_weighted_sum_of_the_stages_and_never_goes_back(jobs: Database, project: str) -> None:
    seen: list[float] = []

    async def work(context: JobContext, request: StringValue) -> StringValue:
        with context.timed("see"):
            for share in (0.5, 0.3, 1.0):
                await context.report("see", share)
                seen.append(context.progress)
        await context.report("tell", 2.0)
        seen.append(context.progress)
        return request

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", work, weights={"see": 0.8, "tell": 0.2})):
        done = await until(jobs, operation, "succeeded")
    assert seen == pytest.approx([0.4, 0.4, 0.8, 1.0])
    assert [(stage["name"], stage["progress"]) for stage in done.stages] == [("see", 1.0), ("tell", 1.0)]
    assert done.stages[0]["elapsed_s"] > 0


async def test_progress_is_written_at_most_four_times_a_second_and_at_the_end(
    jobs: Database, project: str, postgres: PostgresServer, database: str
) -> None:
    superuser = postgres.superuser(database)
    await execute(superuser, "CREATE TABLE public.written (progress float8)")
    await execute(superuser, "GRANT INSERT ON public.written TO PUBLIC")
    await execute(
        superuser,
        "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO public.written VALUES (NEW.progress); RETURN NULL; END $$",
    )
    await execute(
        superuser,
        "CREATE TRIGGER note AFTER UPDATE ON jobs.operation FOR EACH ROW"
        " WHEN (OLD.progress <> NEW.progress) EXECUTE FUNCTION public.note()",
    )

    async def work(context: JobContext, request: StringValue) -> StringValue:
        for step in range(1, 101):
            await context.report("work", step / 100)
            await asyncio.sleep(0.006)
        return request

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", work)):
        await until(jobs, operation, "succeeded")
    written = [row[0] for row in await execute(superuser, "SELECT progress FROM public.written")]
    assert 3 <= len(written) <= 8
    assert written[-1] == 1.0


# Failing


async def test_what_may_work_later_is_tried_again_and_then_given_up_with_its_last_error(
    jobs: Database, project: str
) -> None:
    attempts: list[int] = []

    async def be_away(context: JobContext, request: StringValue) -> StringValue:
        attempts.append(context.operation.attempt_count)
        raise UnavailableError("away", metadata={"attempt": str(len(attempts))})

    operation = await start_operation(jobs, project, queue="q", max_attempts=3)
    async with working(make_worker(jobs, "q", be_away, first_retry_s=0.0)):
        dead = await until(jobs, operation, "failed")
    assert attempts == [1, 2, 3]
    assert error_of(dead).metadata == {"attempt": "3"}


async def test_a_mistake_of_ours_is_tried_again_and_tells_nothing_private(jobs: Database, project: str) -> None:
    async def break_(context: JobContext, request: StringValue) -> StringValue:
        raise RuntimeError("the password is 1234")

    operation = await start_operation(jobs, project, queue="q", max_attempts=2)
    async with working(make_worker(jobs, "q", break_, first_retry_s=0.0)):
        dead = await until(jobs, operation, "failed")
    assert dead.attempt_count == 2
    assert error_of(dead).reason == "ATTEMPTS_EXHAUSTED"
    assert b"1234" not in (dead.error or b"")
    assert "1234" not in dead.message


async def test_a_mistake_of_the_callers_is_not_tried_again(jobs: Database, project: str) -> None:
    async def refuse(context: JobContext, request: StringValue) -> StringValue:
        raise InvalidInputError("no")

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", refuse)):
        dead = await until(jobs, operation, "failed")
    assert dead.attempt_count == 1


async def test_the_pause_before_each_attempt_grows(jobs: Database, project: str) -> None:
    times_s: list[float] = []

    async def be_away(context: JobContext, request: StringValue) -> StringValue:
        times_s.append(time.monotonic())
        raise UnavailableError

    operation = await start_operation(jobs, project, queue="q", max_attempts=3)
    async with working(make_worker(jobs, "q", be_away)):
        waiting = await until(jobs, operation, "retrying")
        assert "next is in 1 s" in waiting.message
        await until(jobs, operation, "failed")
    first_s, second_s = (later - earlier for earlier, later in itertools.pairwise(times_s))
    assert first_s >= 0.9
    assert second_s >= 1.9
    assert second_s < 5


async def test_work_that_no_worker_knows_ends_and_does_not_hang(jobs: Database, project: str) -> None:
    with call_context(CallContext(caller=caller_of(project))):
        async with jobs.transaction() as connection:
            new = NewOperation(
                service="q", method="tests.Service/New", target="", request=StringValue(), max_attempts=2
            )
            operation = await create_operation(connection, new)
    async with working(make_worker(jobs, "q", echo, first_retry_s=0.0)):
        dead = await until(jobs, operation, "failed")
    assert error_of(dead).reason == "UNKNOWN_WORK"


async def test_a_later_attempt_finds_the_checkpoint_of_the_one_before(jobs: Database, project: str) -> None:
    found: list[dict[str, object]] = []

    async def go_on(context: JobContext, request: StringValue) -> StringValue:
        found.append(dict(context.operation.checkpoint))
        await context.save_checkpoint({"step": len(found), "state": "abc"})
        if len(found) < 3:
            raise UnavailableError
        return request

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", go_on, first_retry_s=0.0)):
        await until(jobs, operation, "succeeded")
    assert found == [{}, {"step": 1, "state": "abc"}, {"step": 2, "state": "abc"}]


# Stopping, dying


async def test_an_old_attempt_can_change_nothing_any_more(jobs: Database, project: str) -> None:
    """A worker that was thought dead and was not."""
    taken_over = asyncio.Event()
    outcomes: list[str] = []

    async def work(context: JobContext, request: StringValue) -> StringValue:
        await taken_over.wait()
        for write in (context.report("work", 1.0), context.save_checkpoint({"step": "old"})):
            try:
                await write
                outcomes.append("written")
            except Exception as error:
                outcomes.append(type(error).__name__)
        return StringValue(value="old")

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", work)):
        await until(jobs, operation, "running")
        async with jobs.transaction() as connection:
            await connection.execute("UPDATE jobs.operation SET attempt_count = attempt_count + 1")
        taken_over.set()
        await eventually(_is(lambda: len(outcomes) == 2), "the old attempt tried to write")
        await asyncio.sleep(0.2)
    kept = await read(jobs, operation)
    assert outcomes == ["_LostOperationError"] * 2
    assert (kept.state, kept.response, dict(kept.checkpoint), kept.progress) == ("running", None, {}, 0.0)


async def test_a_worker_that_is_stopped_hands_its_work_back_uncounted(jobs: Database, project: str) -> None:
    async def wait_for_ever(context: JobContext, request: StringValue) -> StringValue:
        await context.save_checkpoint({"step": 1})
        await asyncio.sleep(3600)
        return request

    operation = await start_operation(jobs, project, queue="q", max_attempts=1)
    async with working(make_worker(jobs, "q", wait_for_ever, grace_s=0.2)):
        await until(jobs, operation, "running")
    handed_back = await read(jobs, operation)
    assert handed_back.state == "retrying"
    assert dict(handed_back.checkpoint) == {"step": 1}
    async with working(make_worker(jobs, "q", echo)):
        await until(jobs, operation, "succeeded", 5)


async def test_a_worker_that_is_stopped_lets_short_work_end(jobs: Database, project: str) -> None:
    async def take_a_moment(context: JobContext, request: StringValue) -> StringValue:
        await asyncio.sleep(0.5)
        return request

    operation = await start_operation(jobs, project, queue="q")
    async with working(make_worker(jobs, "q", take_a_moment, grace_s=5)):
        await until(jobs, operation, "running")
    assert (await read(jobs, operation)).state == "succeeded"


_WORKER = """
import asyncio, sys
from google.protobuf.wrappers_pb2 import StringValue
from praxiscope_common.config import Secret
from praxiscope_common.database import Database, DatabaseConfig
from praxiscope_common.jobs.worker import Handler, Worker
from praxiscope_common.telemetry.metrics import Metrics

host, port, name, role, password = sys.argv[1:]

async def run(context, request):
    await context.save_checkpoint({"step": 7})
    await asyncio.sleep(3600)

async def main():
    database = Database(DatabaseConfig(host=host, port=int(port), name=name, role=role, password=Secret(password), search_path="jobs"))
    await database.open()
    handler = Handler(request_type=StringValue, run=run, weights={"work": 1.0})
    await Worker(service="q", database=database, handlers={"tests.Service/Work": handler}, metrics=Metrics(), grace_s=0.2).run()
    await database.close()

asyncio.run(main())
"""


def start_process(postgres: PostgresServer, database: str, log: Path) -> subprocess.Popen[bytes]:
    """Starts a worker as a process of its own, whose work never ends."""
    config = postgres.config("tracking", database)
    command = [sys.executable, "-c", _WORKER, config.host, str(config.port), database, config.role]
    with log.open("wb") as output:
        return subprocess.Popen(
            [*command, config.password.reveal()],
            env=inherited_environment(),
            cwd=CHECKOUT,
            stdout=output,
            stderr=output,
        )


async def test_what_a_killed_worker_did_is_taken_up_by_another(
    jobs: Database, project: str, postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    operation = await start_operation(jobs, project, queue="q")
    process = start_process(postgres, database, tmp_path / "worker.log")
    found: list[dict[str, object]] = []

    async def go_on(context: JobContext, request: StringValue) -> StringValue:
        found.append(dict(context.operation.checkpoint))
        return request

    try:
        await eventually(_has_checkpoint(jobs, operation), "the worker's checkpoint")
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    killed_s = time.monotonic()
    async with working(make_worker(jobs, "q", go_on, first_retry_s=0.0)):
        done = await until(jobs, operation, "succeeded", 25)
    assert time.monotonic() - killed_s < 15
    assert (found, done.attempt_count) == ([{"step": 7}], 2)


async def test_a_worker_process_hands_its_work_back_on_sigterm(
    jobs: Database, project: str, postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    operation = await start_operation(jobs, project, queue="q")
    process = start_process(postgres, database, tmp_path / "worker.log")
    try:
        await eventually(_has_checkpoint(jobs, operation), "the worker's checkpoint")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0, (tmp_path / "worker.log").read_text()
    finally:
        process.kill()
        process.wait()
    assert (await read(jobs, operation)).state == "retrying"


async def test_a_worker_goes_on_after_its_database_was_away(
    jobs: Database, project: str, postgres: PostgresServer, database: str
) -> None:
    async with working(make_worker(jobs, "q", echo)):
        first = await start_operation(jobs, project, queue="q")
        await until(jobs, first, "succeeded")
        await execute(
            postgres.superuser("postgres"),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [database],
        )
        second = await eventually(_started(jobs, project), "the database is back")
        await until(jobs, second, "succeeded")


def _is(condition: Callable[[], bool]) -> Look:
    async def look() -> bool:
        return condition()

    return look


def _has_checkpoint(jobs: Database, operation: Operation) -> Look:
    async def look() -> bool:
        return bool((await read(jobs, operation)).checkpoint)

    return look


def _started(jobs: Database, project: str) -> Look:
    async def look() -> Operation | None:
        try:
            return await start_operation(jobs, project, queue="q")
        except UnavailableError:
            return None

    return look


# What is told


async def test_a_worker_tells_how_long_the_oldest_job_has_waited(
    jobs: Database, postgres: PostgresServer, database: str
) -> None:
    """The clock of a job starts when its operation is made."""
    worker = make_worker(jobs, "q", echo)
    registry = worker._metrics.registry
    for age_s, queue in ((400, "q"), (10, "q"), (9000, "another")):
        operation = await start_operation(jobs, names.new_id(), queue=queue)
        await execute(
            postgres.superuser(database),
            "UPDATE jobs.operation SET create_time = now() - make_interval(secs => %s) WHERE operation_id = %s",
            [age_s, operation.operation_id],
        )
    await worker._tell_lengths()
    assert registry.get_sample_value("queue_length", {"queue": "q", "priority": "0"}) == 2
    oldest_s = registry.get_sample_value("queue_oldest_seconds", {"queue": "q"})
    assert oldest_s is not None
    assert 400 <= oldest_s < 430
    async with working(worker):
        await eventually(_asks(lambda: registry.get_sample_value("queue_oldest_seconds", {"queue": "q"}) == 0), "done")


def _asks(question: Callable[[], bool]) -> Look:
    async def look() -> bool:
        return question()

    return look
