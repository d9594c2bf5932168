"""A gRPC server that answers every method, counts, and misbehaves when it is told to. Run as a program: name, address, port of its control on loopback.

A call says by its metadata `x-do` what it wants: `unavailable`, `internal`, `sleep=SECONDS` or `stream=SECONDS`.
Control: `GET /counts`, `POST /down`, `POST /up`.
"""

from __future__ import annotations

import asyncio
import collections
import json
import sys
import time
from collections.abc import AsyncIterator

import grpc

_STREAM_PERIOD_S = 0.5


class StandIn(grpc.GenericRpcHandler):
    """Answers any method, as a stream of one empty message or more."""

    def __init__(self, name: str) -> None:
        """Names it; every answer carries the name."""
        self.name = name
        self.is_down = False
        self.counts: collections.Counter[str] = collections.Counter()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Returns what answers a method."""
        method = str(handler_call_details.method)  # type: ignore[attr-defined]  the stubs lack it

        async def answer(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
            self.counts[method] += 1
            wish, _, number = dict(context.invocation_metadata() or ()).get("x-do", "").partition("=")
            who = (("x-stand-in", self.name),)
            # As our services fail: before anything was answered, so that proxies see the status where they look for it.
            if self.is_down or wish == "unavailable":
                await context.abort(grpc.StatusCode.UNAVAILABLE, "told to", who)
            if wish == "internal":
                await context.abort(grpc.StatusCode.INTERNAL, "told to", who)
            ends_s = time.monotonic() + float(number or 0)
            if wish == "sleep":
                await asyncio.sleep(float(number))
            await context.send_initial_metadata(who)
            yield b""
            while wish == "stream" and time.monotonic() < ends_s:
                await asyncio.sleep(_STREAM_PERIOD_S)
                yield b""

        return grpc.stream_stream_rpc_method_handler(answer)

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request over HTTP."""
        verb, path, _ = (await reader.readline()).decode().split()
        while (await reader.readline()).strip():
            pass
        if verb == "POST":
            self.is_down = path == "/down"
        body = json.dumps(self.counts)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()


async def main(name: str, address: str, control_port: str) -> None:
    """Serves until it is ended."""
    stand_in = StandIn(name)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((stand_in,))
    server.add_insecure_port(address)
    await server.start()
    await asyncio.start_server(stand_in.control, "127.0.0.1", int(control_port))
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
