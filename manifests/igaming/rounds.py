"""Speaks WebSocket (RFC 6455) on the server's side: bytes in, messages and frames out, and no socket.

No extensions and no subprotocols. app.py imports it when the first round is opened.
"""

from __future__ import annotations

import binascii
import hashlib
import json

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, MASKED = 0x80, 0x80
FRAME_LIMIT_BYTES = 64 * 1024
GOING_AWAY, PROTOCOL_ERROR = 1001, 1002


def accepted(headers: dict[str, str]) -> str:
    """Give the Sec-WebSocket-Accept of a handshake; ValueError where it is none."""
    key = headers.get("sec-websocket-key", "")
    if headers.get("sec-websocket-version") != "13" or not key:
        raise ValueError("a WebSocket needs Sec-WebSocket-Version: 13 and a Sec-WebSocket-Key")
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


class Round:
    """A player's round over one WebSocket: `is_over` once one side has said close."""

    def __init__(self, name: str, who: dict[str, str]) -> None:
        self.name, self.who = name, who
        self.messages = 0
        self.parts = b""
        self.is_over = False

    def opening(self, key: str) -> bytes:
        """Give what a handshake is answered, with a first message: the round."""
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {key}\r\n"
            f"X-Revision: {self.who['revision']}\r\nX-Pod: {self.who['pod']}\r\n\r\n"
        )
        return head.encode() + self.state()

    def state(self) -> bytes:
        """Say what each of the player's messages is answered."""
        told = {"round": self.name, "state": "open", "messages": self.messages, **self.who}
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
