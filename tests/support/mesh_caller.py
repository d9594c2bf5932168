"""Calls from inside a pod: reads lists of calls as lines of JSON, makes them, and writes what came of each. Run as a program of the pod."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import grpc

_KEPT_HEADERS = ("x-stand-in", "server", "x-envoy-upstream-service-time")


async def main() -> None:
    """Answers each line with a line, until there are no more."""
    channels: dict[str, grpc.aio.Channel] = {}
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        wanted = json.loads(line)
        limit = asyncio.Semaphore(wanted["at_once"])
        outcomes = await asyncio.gather(*(_call(channels, limit, *call) for call in wanted["calls"]))
        sys.stdout.write(json.dumps(outcomes) + "\n")
        sys.stdout.flush()


async def _call(
    channels: dict[str, grpc.aio.Channel],
    limit: asyncio.Semaphore,
    address: str,
    method: str,
    metadata: list[list[str]],
    timeout_s: float,
) -> dict[str, Any]:
    """Sends one empty message and takes all that is answered: over the wire methods of every kind look like this."""
    async with limit:
        if address not in channels:
            channels[address] = grpc.aio.insecure_channel(address)
        started_s, messages = time.monotonic(), 0
        call = channels[address].unary_stream(method)(
            b"", timeout=timeout_s, metadata=[(key, value) for key, value in metadata]
        )
        try:
            async for _ in call:
                messages += 1
        except grpc.aio.AioRpcError:
            pass
        code, message = await call.code(), await call.details()
        headers = dict(await call.initial_metadata() or ())
        trailers = dict(await call.trailing_metadata() or ())
    return {
        "code": code.name,
        "message": message or "",
        "has_details": "grpc-status-details-bin" in trailers,
        "headers": {name: str((headers | trailers).get(name, "")) for name in _KEPT_HEADERS},
        "messages": messages,
        "elapsed_s": time.monotonic() - started_s,
    }


if __name__ == "__main__":
    asyncio.run(main())
