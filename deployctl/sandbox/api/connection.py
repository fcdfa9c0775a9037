"""One HTTP connection to the API server: its calls, one after the other, and the streams that it carries."""

from __future__ import annotations

import hmac
import select
import socket
import threading
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import yaml

from deployctl.sandbox.api import protobuf
from deployctl.sandbox.api.accepting import form
from deployctl.sandbox.api.apiserver import ADMIN
from deployctl.sandbox.api.decoding import Unreadable
from deployctl.sandbox.api.twice import found
from deployctl.sandbox.calls import JSON, Answer, Call, Refused
from deployctl.sandbox.faults import NoAnswer, Stream

if TYPE_CHECKING:
    from deployctl.sandbox.api.wire import Listener

Json = dict[str, Any]

OPEN = frozenset({"/healthz", "/livez", "/readyz", "/version"})  # what anybody may ask
LONGEST_WAIT_SECONDS = 0.2  # without a look at whether a client still listens


def shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


class Connection(BaseHTTPRequestHandler):
    """One connection of a client, call after call."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Listener

    def setup(self) -> None:
        super().setup()
        self.server.connections[self.connection] = threading.current_thread()

    def finish(self) -> None:
        self.server.connections.pop(self.connection, None)
        try:
            super().finish()
        except OSError:
            return  # the client is gone

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing: the terminal belongs to others."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True  # the client is gone

    def _call(self) -> None:
        try:
            answer = self._answered()
        except Refused as no:
            answer = no.answer()
        except NoAnswer as silence:
            self.server.closing.wait(silence.seconds)
            self.close_connection = True
            return
        if isinstance(answer, Answer):
            self._send(answer)
        else:
            self._stream(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _call  # noqa: N815 - names of the base class

    def _answered(self) -> Answer | Stream:
        body = self._body()
        place = urlsplit(self.path)
        path, known = self._admitted(unquote(place.path))
        anonymous = "Authorization" not in self.headers and path.rstrip("/") in OPEN
        if not known and not anonymous:
            raise Refused(401, "Unauthorized", "Unauthorized")
        kind = self.headers.get("Content-Type", JSON)
        call = Call(
            method=self.command,
            path=path,
            query=dict(parse_qsl(place.query, keep_blank_values=True)),
            body=_parsed(body, kind),
            content_type=kind,
            accept=self.headers.get("Accept", JSON),
            user=self.headers.get("Impersonate-User", ADMIN),
            agent=self.headers.get("User-Agent", ""),
        )
        answer: Answer | Stream = self.server.around(call, lambda: self.server.api.call(call))
        return answer

    def _admitted(self, path: str) -> tuple[str, bool]:
        """Give the path within the API, and whether its client has shown the token."""
        token = self.server.token
        _, first, rest = (*path.split("/", 2), "", "")[:3]
        if token and hmac.compare_digest(first.encode(), token.encode()):
            return f"/{rest}", True
        said = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return path, not token or hmac.compare_digest(said.encode(), token.encode())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _send(self, answer: Answer) -> None:
        """Send an answer in one piece."""
        body, kind = _written(answer, self.headers.get("Accept", JSON))
        headers = {"Content-Type": kind, **answer.headers, "Content-Length": str(len(body))}
        self.wfile.write(_head(answer.status, headers) + body)
        self.wfile.flush()

    def _stream(self, watch: Stream) -> None:
        """Send what a watch brings, as it comes, until it ends or nobody listens."""
        threading.current_thread().streams = True  # type: ignore[attr-defined] # read when all is closed
        self.wfile.write(_head(200, {"Content-Type": JSON, "Transfer-Encoding": "chunked"}))
        self.wfile.flush()
        try:
            while not watch.ended and not self.server.closing.is_set() and self._listened():
                events = self._awaited(watch)
                if events and watch.torn:
                    self._tear(events[0])
                    return
                self._chunk(b"".join(msgspec.json.encode(one) + b"\n" for one in events))
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
        finally:
            watch.close()
            self.close_connection = self.close_connection or self.server.closing.is_set()

    def _awaited(self, watch: Stream) -> list[Json]:
        """Give what there is, or wait a little for what comes."""
        cluster = self.server.api.cluster
        with cluster.changed:
            events = watch.take()
            if not events and not watch.ended and not self.server.closing.is_set():
                wait = min(watch.due - cluster.clock(), LONGEST_WAIT_SECONDS)
                cluster.changed.wait(max(wait, 0.001))
                events = watch.take()
            return events

    def _listened(self) -> bool:
        """Say whether the client has not hung up."""
        poll = select.poll()  # for `select` knows no descriptor over 1023
        poll.register(self.connection, select.POLLIN)
        return not poll.poll(0) or bool(self.connection.recv(1, socket.MSG_PEEK))

    def _chunk(self, told: bytes) -> None:
        if told:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(told), told))
            self.wfile.flush()

    def _tear(self, event: Json) -> None:
        told = msgspec.json.encode(event)
        self._chunk(told[: len(told) // 2])
        self.close_connection = True
        shut(self.connection)


def _parsed(body: bytes, kind: str) -> Any:
    """Read a body as JSON, YAML or protobuf; None where it is empty."""
    media = kind.partition(";")[0].strip()
    if not body:
        return None
    try:
        if media.endswith("protobuf"):
            return protobuf.read(body)
        if media.endswith("yaml"):
            return yaml.safe_load(body)
        return found(body, msgspec.json.decode(body))
    except (ValueError, LookupError, yaml.YAMLError) as wrong:
        cut = "truncated" in str(wrong)
        return Unreadable(body, "unexpected end of JSON input" if cut else str(wrong))


def _written(answer: Answer, accept: str) -> tuple[bytes, str]:
    match answer.body:
        case str(text):
            return text.encode(), "text/plain"
        case bytes(raw):
            return raw, "application/octet-stream"
        case body if _wants_yaml(accept):
            return yaml.safe_dump(body, sort_keys=True).encode(), "application/yaml"
        case body:
            return msgspec.json.encode(body) + b"\n", JSON


@lru_cache(maxsize=64)
def _wants_yaml(accept: str) -> bool:
    try:
        return form(accept) == "yaml"
    except Refused:
        return False


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", "Cache-Control: no-cache, private"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    lines.append(f"Date: {formatdate(usegmt=True)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@lru_cache(maxsize=64)
def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
