"""A way to a server on which everything takes longer, as over a bad line or behind an overloaded disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(kw_only=True)
class SlowWay:
    """A TCP proxy on loopback.

    Attributes:
        host: Where it leads.
        port: And to which port.
        latency_s: How long every piece waits, either way.
    """

    host: str
    port: int
    latency_s: float

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        """Gives the port it listens on."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(1 << 20):
                await asyncio.sleep(self.latency_s)
                target.write(piece)
                await target.drain()
        target.close()
