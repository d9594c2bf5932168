"""How fast bytes go through the gateway into the file system store and out again, beside this machine's disk and hash."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from bench import stack
from bench.figure import Figure
from praxiscope.client import AsyncClient

_BYTES = 256 << 20
_ROUNDS = 5
_AT_ONCE = 4  # as the Python client does
_CHUNK = 1 << 20
GOAL_UP, GOAL_DOWN = 200.0, 400.0


def measure() -> Sequence[Figure]:
    """Uploads, downloads, and writes a file by hand, in turns."""
    rates = asyncio.run(_rates())
    found = {name: statistics.median(values) for name, values in rates.items()}
    spread = {name: f"({min(values):.0f} to {max(values):.0f}, {_ROUNDS} rounds)" for name, values in rates.items()}
    goals = {
        "upload: parts into the store": GOAL_UP,
        "upload: with the checksum of the whole": GOAL_UP,
        "download": GOAL_DOWN,
    }
    return [
        Figure(name=name, value=rate, unit="MB/s", goal=goals.get(name), is_at_least=True, note=spread[name])
        for name, rate in found.items()
    ]


async def _rates() -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncClient(stack.profile()) as client:
            file = Path(folder) / "bytes.bin"
            file.write_bytes(os.urandom(_BYTES))
            for _ in range(_ROUNDS):
                for name, rate in (await _round(client, file)).items():
                    rates.setdefault(name, []).append(rate)
    return rates


async def _round(client: AsyncClient, file: Path) -> dict[str, float]:
    content = file.read_bytes()
    by_hand_s = _timed(lambda: _write_by_hand(file.with_name("copy.bin"), content))
    body = {
        "upload": {
            "kind": "KIND_FILE",
            "file_name": file.name,
            "size_bytes": str(len(content)),
            "sha256": hashlib.sha256(content).hexdigest(),
        },
        "request_id": str(uuid.uuid4()),
    }
    transport = client.transport
    upload = await transport.call("POST", f"/v1/{stack.profile().project}/uploads", body)
    name = upload["name"]
    tickets = (await transport.call("POST", f"/v1/{name}:createPartTickets", {}))["tickets"]
    parts_s = _timed(lambda: _put_all(tickets, content))
    start = time.perf_counter()
    asset = await transport.call("POST", f"/v1/{name}:complete", {}, timeout_s=600)
    complete_s = time.perf_counter() - start
    version = asset["latestVersion"]
    listed = (await client.asset_version(version)).files[0].path
    link = await transport.call("POST", f"/v1/{version}:download", {"media": {"path": listed}})
    down_s = _timed(lambda: _get(link["uri"]))
    await client.delete_asset(asset["name"], for_good=True)
    megabytes = len(content) / 1e6
    return {
        "upload: parts into the store": megabytes / parts_s,
        "upload: with the checksum of the whole": megabytes / (parts_s + complete_s),
        "download": megabytes / down_s,
        "by hand: checksum, write, sync": megabytes / by_hand_s,
    }


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _write_by_hand(path: Path, content: bytes) -> None:
    hashlib.sha256(content).hexdigest()
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def _put_all(tickets: Sequence[dict[str, str]], content: bytes) -> None:
    view = memoryview(content)

    def put(ticket: dict[str, str]) -> None:
        start = int(ticket.get("offsetBytes", 0))
        part = view[start : start + int(ticket["sizeBytes"])]
        connection, path = _connection(ticket["uri"])
        connection.request("PUT", path, body=part, headers={"content-length": str(len(part))})
        answer = connection.getresponse()
        problem = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"a part was answered with {answer.status}: {problem[:200]!r}")
        connection.close()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(put, tickets))


def _get(uri: str) -> None:
    connection, path = _connection(uri)
    connection.request("GET", path)
    answer = connection.getresponse()
    into, count = bytearray(_CHUNK), 0
    while got := answer.readinto(into):
        count += got
    connection.close()
    if count != _BYTES:
        raise RuntimeError(f"{count} bytes came of {_BYTES}")


def _connection(uri: str) -> tuple[http.client.HTTPConnection, str]:
    address = urlsplit(uri)
    netloc = address.netloc or urlsplit(stack.profile().url).netloc
    return http.client.HTTPConnection(netloc, timeout=60, blocksize=_CHUNK), f"{address.path}?{address.query}"
