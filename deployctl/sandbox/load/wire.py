"""A player's end of a WebSocket (RFC 6455): whole text messages over a connection of its own."""

from __future__ import annotations

import asyncio
import base64
import secrets

from deployctl.sandbox.load.client import Answer, ClosedEarlyError, StatusError, Target, parse_head

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
FIN, MASKED = 0x80, 0x80
NORMAL = 1000
SWITCHING = 101


class Wire:
    """One connection; `answer` is the head with which the other side agreed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
        self._reader, self._writer, self.answer = reader, writer, answer

    @classmethod
    async def open(cls, target: Target) -> Wire:
        """Shake hands; StatusError where the other side answers otherwise than with 101."""
        reader, writer = await asyncio.open_connection(target.host, target.port)
        agreed = False
        try:
            writer.write(_handshake(target))
            answer = parse_head((await reader.readuntil(b"\r\n\r\n")).rstrip())
            agreed = answer.status == SWITCHING
        except asyncio.IncompleteReadError as problem:
            raise ClosedEarlyError("closed early") from problem
        finally:
            if not agreed:
                writer.close()
        if not agreed:
            raise StatusError(f"{answer.status} from {answer.revision or 'no revision'}")
        return cls(reader, writer, answer)

    def say(self, text: str) -> None:
        self._write(TEXT, text.encode())

    async def hear(self) -> str:
        """Give the next message; ClosedEarlyError where the other side closes, in whatever way."""
        try:
            while True:
                kind, payload = await self._frame()
                if kind == TEXT:
                    return payload.decode()
                if kind == CLOSE:
                    raise ClosedEarlyError(f"close frame {int.from_bytes(payload[:2]) or ''}".strip())
                if kind == PING:
                    self._write(PONG, payload)
        except asyncio.IncompleteReadError as problem:
            raise ClosedEarlyError("closed without a close frame") from problem

    async def _frame(self) -> tuple[int, bytes]:
        first, size = await self._reader.readexactly(2)
        if size in {126, 127}:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8))
        return first & 0x0F, await self._reader.readexactly(size)

    def _write(self, kind: int, payload: bytes) -> None:
        mask = secrets.token_bytes(4)
        size = len(payload)
        length = bytes((MASKED | size,)) if size < 126 else bytes((MASKED | 126,)) + size.to_bytes(2)
        masked = bytes(byte ^ mask[place & 3] for place, byte in enumerate(payload))
        self._writer.write(bytes((FIN | kind,)) + length + mask + masked)

    def close(self) -> None:
        """Say close and go."""
        if not self._writer.is_closing():
            self._write(CLOSE, NORMAL.to_bytes(2))
        self._writer.close()


def _handshake(target: Target) -> bytes:
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    lines = (
        f"GET {target.path} HTTP/1.1",
        f"Host: {target.host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    )
    return "\r\n".join((*lines, "", "")).encode()
