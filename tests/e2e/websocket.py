"""As much of a WebSocket client (RFC 6455) as the tests need; no library of the platform's is used, so that the bridge meets a stranger."""

import asyncio
import base64
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10


class RefusedError(Exception):
    """The other side opens no WebSocket; the message is the head of its answer."""


class Socket:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, payload: bytes, opcode: int = _BINARY) -> None:
        mask = os.urandom(4)
        size = len(payload)
        length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
        body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._writer.write(bytes([0x80 | opcode]) + length + mask + body)
        await self._writer.drain()

    async def receive(self) -> bytes:
        opcode, payload = await self._frame()
        assert opcode == _BINARY, f"a frame of kind {opcode}: {payload!r}"
        return payload

    async def closed(self) -> int:
        """Returns the code with which the other side closes."""
        while True:
            opcode, payload = await self._frame()
            if opcode == _CLOSE:
                return int(struct.unpack("!H", payload[:2])[0])

    async def _frame(self) -> tuple[int, bytes]:
        while True:
            head = await asyncio.wait_for(self._reader.readexactly(2), 20)
            size = head[1] & 0x7F
            if size == 126:
                size = struct.unpack("!H", await self._reader.readexactly(2))[0]
            payload = await self._reader.readexactly(size)
            if head[0] & 0x0F == _PING:
                await self.send(payload, _PONG)
                continue
            return head[0] & 0x0F, payload


@asynccontextmanager
async def connect(url: str, path: str, credential: str) -> AsyncIterator[Socket]:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {path} HTTP/1.1", f"Host: {address.netloc}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: praxiscope.v1"]
    if credential:
        lines.append(f"Authorization: Bearer {credential}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    if b" 101 " not in head.splitlines()[0]:
        writer.close()
        raise RefusedError(head.decode(errors="replace"))
    try:
        yield Socket(reader, writer)
    finally:
        writer.close()
