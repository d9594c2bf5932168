"""What a thousand open Watch streams hold in memory, and how soon the last of them hears of a change."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import psycopg

from bench import stack
from bench.figure import Figure
from praxiscope.client import Profile
from praxiscope_common.names import new_id
from tools.devstack.postgres import DATABASE
from tools.devstack.secrets import StackSecrets

_STREAMS = 1_000
_CHANGES = 5
# A caller opens twenty streams a second after the first hundred.
_OPEN_PERIOD_S = 1 / 19
_SETTLE_S = 3.0
_PATIENCE_S = 60.0
GOAL_MB = 300.0
# An operation of a queue that nobody works on stays as it is.
_INSERT = (
    "INSERT INTO jobs.operation (operation_id, project_id, service, method, target, creator, permissions, request,"
    " request_sha256, priority, state, max_attempts) VALUES (%s, %s, 'bench', 'bench', '', '', '{}', '', '', 0, 'queued', 1)"
)


def measure() -> Sequence[Figure]:
    """Opens the streams, changes their operation, ends it."""
    return asyncio.run(_measure())


async def _measure() -> Sequence[Figure]:
    settings, profile = stack.settings(), stack.profile()
    password = StackSecrets(settings.state / "secrets").password("praxiscope_library").read_text()
    operation_id = new_id()
    async with await psycopg.AsyncConnection.connect(
        host="127.0.0.1",
        port=settings.port("postgres"),
        dbname=DATABASE,
        user="praxiscope_library",
        password=password,
        autocommit=True,
    ) as connection:
        await connection.execute(_INSERT, [operation_id, profile.project.partition("/")[2]])
        try:
            return await _watch(connection, profile, operation_id)
        finally:
            await connection.execute("DELETE FROM jobs.operation WHERE operation_id = %s", [operation_id])


async def _watch(
    connection: psycopg.AsyncConnection[tuple[object, ...]], profile: Profile, operation_id: str
) -> Sequence[Figure]:
    path = f"/v1/{profile.project}/operations/{operation_id}:watch"
    before = await asyncio.to_thread(stack.resident_bytes)
    streams: list[_Stream] = []
    for _ in range(_STREAMS):
        streams.append(await _Stream.open(profile, path))
        await asyncio.sleep(_OPEN_PERIOD_S)
    await asyncio.sleep(_SETTLE_S)
    held = await asyncio.to_thread(stack.resident_bytes)
    busy_from_s = stack.processor_s()
    await asyncio.sleep(_SETTLE_S)
    idle_share = (stack.processor_s() - busy_from_s) / _SETTLE_S
    delays_ms = []
    for i_change in range(_CHANGES):
        start = time.perf_counter()
        await connection.execute(
            "UPDATE jobs.operation SET progress = %s, update_time = now() WHERE operation_id = %s",
            [(i_change + 1) / 10, operation_id],
        )
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.gather(*(stream.next_line() for stream in streams))
        delays_ms.append(1e3 * (time.perf_counter() - start))
    heard = await asyncio.to_thread(stack.resident_bytes)
    for stream in streams:
        stream.close()
    grown = {name: max(held[name], heard[name]) - before[name] for name in before}
    most = sorted(grown.items(), key=lambda item: -item[1])[:3]
    return [
        Figure(
            name=f"{_STREAMS} open Watch streams hold",
            value=sum(grown.values()) / 1e6,
            unit="MB",
            goal=GOAL_MB,
            note=f"({', '.join(f'{name} {value / 1e6:.0f}' for name, value in most)})",
        ),
        Figure(name="they cost while nothing changes", value=idle_share, unit="cores"),
        Figure(name="the last of them hears after", value=statistics.median(delays_ms), unit="ms p50"),
    ]


class _Stream:
    """One stream over a connection of its own, with no more of a client than it needs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, profile: Profile, path: str) -> _Stream:
        """Opens a stream and reads its first document; waits where the gateway says so."""
        host, port = urlsplit(profile.url).netloc.split(":")
        for _ in range(100):
            made = cls(*await asyncio.open_connection(host, int(port), limit=1 << 16))
            request = (
                f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\naccept: application/x-ndjson\r\n"
                f"authorization: Bearer {profile.api_key}\r\n\r\n"
            )
            made._writer.write(request.encode())
            status = await made._reader.readline()
            if b" 200 " in status:
                await made._reader.readuntil(b"\r\n\r\n")
                await made.next_line()
                return made
            made.close()
            if b" 429 " not in status:
                raise RuntimeError(f"the stream was answered with {status!r}")
            await asyncio.sleep(0.2)
        raise RuntimeError("no stream was let in for twenty seconds")

    async def next_line(self) -> bytes:
        """Returns the next document: a line of JSON; the lines between are the chunks' sizes and ends."""
        while True:
            line = await self._reader.readline()
            if line.startswith(b"{"):
                return line
            if not line:
                raise RuntimeError("a stream ended")

    def close(self) -> None:
        """Closes the connection."""
        self._writer.close()
