"""Thousands of small jobs while workers are killed every few seconds: every effect is there once, none is lost, none waits for long."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from google.protobuf.wrappers_pb2 import StringValue

from praxiscope_common import names
from praxiscope_common.config import Secret
from praxiscope_common.database import Database, DatabaseConfig
from praxiscope_common.identity import CallContext, Caller, call_context
from praxiscope_common.jobs.operations import NewOperation, create_operation
from praxiscope_common.jobs.worker import Handler, JobContext, Worker
from praxiscope_common.telemetry.metrics import Metrics
from tools.devstack.settings import CHECKOUT, inherited_environment

METHOD = "chaos.Service/Work"
_QUEUE = "chaos"
_WORK_S = 0.02
_CONCURRENCY = 4
_BATCH = 200
_MAX_PICKUP_S = 10.0
# An effect has the operation's name for its key, as assets that a service hands over have: doing it again changes nothing.
_TABLES = """
CREATE TABLE public.effect (operation_id text PRIMARY KEY, attempt integer NOT NULL);
CREATE TABLE public.start (operation_id text NOT NULL, pid integer NOT NULL, start_s float8 NOT NULL);
GRANT SELECT, INSERT ON public.effect, public.start TO PUBLIC;
"""


@dataclass(kw_only=True)
class JobsReport:
    """What became of the jobs.

    Attributes:
        jobs: How many there were.
        kills: How many workers were killed.
        effects: How many effects were recorded.
        states: How many operations are in each state.
        repeats: How many attempts there were beyond one a job.
        longest_pickup_s: From the death of a worker to the next attempt of what it was at, at most.
        elapsed_s: How long it took.
        problems: What should not have been.
    """

    jobs: int
    kills: int = 0
    effects: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    repeats: int = 0
    longest_pickup_s: float = 0.0
    elapsed_s: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Returns one line."""
        outcome = "; ".join(self.problems) or "each effect once, none lost, none stuck"
        return (
            f"{self.jobs} jobs, {self.kills} workers killed, {self.effects} effects, {self.repeats} attempts repeated, longest pick-up"
            f" {self.longest_pickup_s:.1f} s, {self.elapsed_s:.0f} s in all: {outcome}"
        )


async def run_jobs(
    config: DatabaseConfig,
    superuser: str,
    *,
    jobs: int,
    workers: int,
    kill_every_s: float,
    seed: int,
    timeout_s: float,
    tell: Callable[[str], None],
) -> JobsReport:
    """Has jobs done by worker processes of which one after another is killed.

    Args:
        config: A migrated database and a role of a service.
        superuser: How the superuser connects to it.
        jobs: How many.
        workers: How many worker processes there are at any time.
        kill_every_s: Pause between two kills, on average.
        seed: Decides who is killed and when.
        timeout_s: How long all of it may take.
        tell: Told of progress.
    """
    report = JobsReport(jobs=jobs)
    async with await psycopg.AsyncConnection[Any].connect(superuser, autocommit=True) as connection:
        await connection.execute(_TABLES)
        started_s = time.monotonic()
        await _enqueue(config, jobs)
        tell(f"{jobs} jobs written in {time.monotonic() - started_s:.1f} s")
        with tempfile.TemporaryDirectory(prefix="praxiscope-jobs-") as folder:
            crowd = _Crowd(config, Path(folder), workers)
            try:
                await crowd.kill_until_done(connection, jobs, kill_every_s, seed, timeout_s)
            finally:
                crowd.end()
        report.elapsed_s = time.monotonic() - started_s
        report.kills = len(crowd.death_times_s)
        await _judge(connection, report, crowd.death_times_s)
    return report


class _Crowd:
    """Worker processes; one that is killed is replaced at once."""

    def __init__(self, config: DatabaseConfig, folder: Path, count: int) -> None:
        self._config, self._folder = config, folder
        self.death_times_s: dict[int, float] = {}
        (folder / "password").write_text(config.password.reveal(), encoding="utf-8")
        self._processes = [self._start() for _ in range(count)]

    async def kill_until_done(
        self, connection: psycopg.AsyncConnection[Any], jobs: int, kill_every_s: float, seed: int, timeout_s: float
    ) -> None:
        draw = random.Random(seed)
        deadline_s = time.monotonic() + timeout_s
        next_kill_s = time.monotonic() + kill_every_s
        while time.monotonic() < deadline_s and await _count_done(connection) < jobs:
            await asyncio.sleep(0.2)
            if time.monotonic() >= next_kill_s:
                self._kill(draw.randrange(len(self._processes)))
                next_kill_s = time.monotonic() + kill_every_s * draw.uniform(0.5, 1.5)

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _kill(self, index: int) -> None:
        process = self._processes[index]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        self.death_times_s[process.pid] = time.time()
        self._processes[index] = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        config = self._config
        command = [sys.executable, "-m", "chaos.jobs", config.host, str(config.port), config.name, config.role]
        with (self._folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [*command, str(self._folder / "password")],
                cwd=CHECKOUT,
                env=inherited_environment(),
                stdout=log,
                stderr=log,
            )


async def _enqueue(config: DatabaseConfig, jobs: int) -> None:
    database = Database(replace(config, max_connections=4))
    await database.open()
    caller = Caller(subject=names.USER.format(names.new_id()), project=names.new_id(), permissions=frozenset())
    try:
        with call_context(CallContext(caller=caller)):
            for start in range(0, jobs, _BATCH):
                async with database.transaction() as connection:
                    for number in range(start, min(jobs, start + _BATCH)):
                        new = NewOperation(
                            service=_QUEUE, method=METHOD, target="", request=StringValue(value=str(number))
                        )
                        await create_operation(connection, new)
    finally:
        await database.close()


async def _count_done(connection: psycopg.AsyncConnection[Any]) -> int:
    cursor = await connection.execute(
        "SELECT count(*) FROM jobs.operation WHERE state IN ('succeeded', 'failed', 'cancelled')"
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def _judge(
    connection: psycopg.AsyncConnection[Any], report: JobsReport, death_times_s: Mapping[int, float]
) -> None:
    cursor = await connection.execute("SELECT state, count(*) FROM jobs.operation GROUP BY state")
    report.states = dict(await cursor.fetchall())
    cursor = await connection.execute(
        "SELECT (SELECT count(*) FROM public.effect JOIN jobs.operation USING (operation_id)), (SELECT count(*) FROM public.start)"
    )
    row = await cursor.fetchone()
    starts = 0
    if row:
        report.effects, starts = row
    report.repeats = starts - report.jobs
    cursor = await connection.execute(
        "SELECT pid, start_s, lead(start_s) OVER (PARTITION BY operation_id ORDER BY start_s) FROM public.start"
    )
    for pid, _, next_s in await cursor.fetchall():
        if pid in death_times_s and next_s is not None:
            report.longest_pickup_s = max(report.longest_pickup_s, next_s - death_times_s[pid])
    if report.states != {"succeeded": report.jobs}:
        report.problems.append(f"operations by state: {report.states}")
    if report.effects != report.jobs:
        report.problems.append(f"{report.jobs - report.effects} effects are missing")
    if report.longest_pickup_s > _MAX_PICKUP_S:
        report.problems.append(f"a job of a dead worker waited {report.longest_pickup_s:.1f} s")
    if not report.kills:
        report.problems.append("nothing was killed")


async def _work(host: str, port: str, name: str, role: str, password_file: str) -> None:
    """A worker of such jobs; runs until it is killed."""
    password = Secret(Path(password_file).read_text(encoding="utf-8"))
    config = DatabaseConfig(host=host, port=int(port), name=name, role=role, password=password, search_path="jobs")
    database = Database(config)
    await database.open()

    async def run(context: JobContext, request: StringValue) -> StringValue:
        operation = context.operation
        async with database.transaction() as connection:
            await connection.execute(
                "INSERT INTO public.start VALUES (%s, %s, %s)", [operation.operation_id, os.getpid(), time.time()]
            )
        await asyncio.sleep(_WORK_S)
        async with database.transaction() as connection:
            await connection.execute(
                "INSERT INTO public.effect VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [operation.operation_id, operation.attempt_count],
            )
        await asyncio.sleep(_WORK_S)
        return request

    handler = Handler(request_type=StringValue, run=run, weights={"work": 1.0})
    worker = Worker(
        service=_QUEUE, database=database, handlers={METHOD: handler}, metrics=Metrics(), concurrency=_CONCURRENCY
    )
    await worker.run()
    await database.close()


def main(arguments: Sequence[str]) -> None:
    """Runs one worker."""
    asyncio.run(_work(*arguments))


if __name__ == "__main__":
    main(sys.argv[1:])
