"""Plays rounds over WebSocket (RFC 6455), each for as long as its connection is open.

No extensions and no subprotocols. app.py imports it when the first round is opened.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from app import Connection, Server

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, MASKED = 0x80, 0x80
FRAME_LIMIT_BYTES = 64 * 1024
SILENCE_SECONDS = 5.0  # of a client, where the app keeps no connection alive
GOING_AWAY, PROTOCOL_ERROR = 1001, 1002


def accepted(key: str) -> str:
    """Give the Sec-WebSocket-Accept for a Sec-WebSocket-Key."""
    return binascii.b2a_base64(hashlib.sha1((key + MAGIC).encode()).digest(), newline=False).decode()


def frame(kind: int, payload: bytes) -> bytes:
    """Make one whole frame as a server sends it, without a mask."""
    size = len(payload)
    if size < 126:
        return bytes((FIN | kind, size)) + payload
    if size < 1 << 16:
        return bytes((FIN | kind, 126)) + size.to_bytes(2) + payload
    return bytes((FIN | kind, 127)) + size.to_bytes(8) + payload


def closing(code: int) -> bytes:
    return frame(CLOSE, code.to_bytes(2))


def take_frame(inbox: bytearray) -> tuple[int, bytes, bool] | None:
    """Take a client's frame out of `inbox`: its kind, its payload and whether it is a message's last.

    None until it is whole; ValueError where a client may not send such a frame.
    """
    if len(inbox) < 2:
        return None
    first, second = inbox[0], inbox[1]
    if first & 0x70 or not second & MASKED:
        raise ValueError("an extension that was not agreed on, or no mask")
    wide = {126: 2, 127: 8}.get(second & 0x7F, 0)
    size = int.from_bytes(inbox[2 : 2 + wide]) if wide else second & 0x7F
    body = 2 + wide + 4
    if len(inbox) >= 2 + wide and size > FRAME_LIMIT_BYTES:
        raise ValueError("the frame is too long")
    if len(inbox) < body + size:
        return None
    mask = inbox[body - 4 : body]
    payload = bytes(byte ^ mask[place & 3] for place, byte in enumerate(inbox[body : body + size]))
    del inbox[: body + size]
    return first & 0x0F, payload, bool(first & FIN)


def begin(server: Server, connection: Connection, headers: dict[str, str]) -> None:
    """Open a round for one who shook hands; its first message says which."""
    connection.round = Round(server, connection)
    server.platform.count(101, 0.0)
    connection.round.say(connection.round.handshake(headers["sec-websocket-key"]))
    connection.round.play()


class Round:
    """A player's round over one WebSocket: open for as long as the connection is."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self.server, self.connection = server, connection
        self.name = str(server.platform.open_round()["round"])
        self.messages = 0
        self.parts = b""
        self.is_over = False

    def handshake(self, key: str) -> bytes:
        settings = self.server.settings
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accepted(key)}\r\n"
            f"X-Revision: {settings.revision}\r\nX-Pod: {settings.pod}\r\n\r\n"
        )
        return head.encode() + self.state()

    def play(self) -> None:
        """Answer what is whole in the inbox."""
        self.say(self.hear(self.connection.inbox))
        if self.is_over:
            self.server.close(self.connection)

    def say(self, frames: bytes) -> None:
        """Give up a player who reads nothing."""
        patience_seconds = self.server.settings.keepalive_seconds or SILENCE_SECONDS
        self.connection.due = time.monotonic() + patience_seconds
        try:
            self.is_over |= self.connection.sock.send(frames) < len(frames)
        except OSError:
            self.is_over = True

    def end(self, *, is_idle: bool) -> None:
        """Close it, and tell a player who was silent for too long."""
        if is_idle:
            self.say(closing(GOING_AWAY))
        self.server.platform.close_round(self.name)

    def state(self) -> bytes:
        """Say what each of the player's messages is answered."""
        settings = self.server.settings
        told = {"round": self.name, "state": "open", "messages": self.messages}
        told |= {"revision": settings.revision, "pod": settings.pod}
        return frame(TEXT, json.dumps(told).encode())

    def hear(self, inbox: bytearray) -> bytes:
        """Take what is whole in the inbox, and give the frames that it is answered."""
        frames = b""
        try:
            while not self.is_over and (taken := take_frame(inbox)):
                frames += self.answer(*taken)
        except ValueError:
            self.is_over = True
            frames += closing(PROTOCOL_ERROR)
        return frames

    def answer(self, kind: int, payload: bytes, is_last: bool) -> bytes:  # noqa: FBT001
        if kind == PING:
            return frame(PONG, payload)
        if kind == CLOSE:
            self.is_over = True
            return frame(CLOSE, payload[:2])
        if kind not in {CONTINUATION, TEXT, BINARY}:
            return b""
        self.parts += payload
        if len(self.parts) > FRAME_LIMIT_BYTES:
            raise ValueError("the message is too long")
        return self.message() if is_last else b""

    def message(self) -> bytes:
        self.parts = b""
        self.messages += 1
        return self.state()
