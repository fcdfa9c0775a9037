"""Stands between the tool and the API server and lets one fault befall one call: `python -m tests.cluster.between FAULT CALL`.

Listens on a loopback port that its first line names, and hands on to the API server of KUBECONFIG what the tool says, its
token too. Counts every call but watches, beginning with 1; writes a line for each to standard output. Call 0 means none.

What befalls a call:

    killed before, killed after  the line ends in `kill`, and the call has no answer: whoever reads it kills the tool
    dropped before, dropped after  the connection closes without an answer, the call not done or done
    silent                       nothing comes, for as long as the tool waits
    409, 410, 429, 500, 503      this answer comes and the call is not done; a read gets no 409
    outage                       from this call on, every call is refused with 503 for three seconds
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

FAULTS = (
    "killed before", "killed after", "dropped before", "dropped after", "silent", "409", "410", "429", "500", "503", "outage",
)  # fmt: skip
OUTAGE_SECONDS, SILENT_SECONDS = 3.0, 90.0
HOP = {"connection", "transfer-encoding", "keep-alive", "host", "content-length"}
REASONS = {"409": "Conflict", "410": "Expired", "429": "TooManyRequests", "500": "InternalError", "503": "ServiceUnavailable"}  # fmt: skip


@dataclass
class Server:
    """The API server that a kubeconfig names."""

    host: str
    port: int
    context: ssl.SSLContext

    @classmethod
    def of(cls, kubeconfig: Path) -> Server:
        cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
        where = urlsplit(cluster["server"])
        context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        return cls(str(where.hostname), where.port or 443, context)

    def connect(self) -> HTTPSConnection:
        return HTTPSConnection(self.host, self.port, context=self.context, timeout=SILENT_SECONDS)


@dataclass
class Fate:
    """Which call the fault is for, and what has been counted."""

    fault: str
    call: int
    counted: int = 0
    until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, method: str, path: str) -> str:
        """Say what befalls this call, and nothing where it goes through."""
        with self.lock:
            self.counted += 1
            befalls = self.fault if self.counted == self.call else ""
            if befalls == "outage":
                self.until = time.monotonic() + OUTAGE_SECONDS
            befalls = "503" if time.monotonic() < self.until else befalls
            if befalls == "409" and method == "GET":
                befalls, self.call = "", self.call + 1
            kill = " kill" if befalls == "killed before" else ""
            print(f"{self.counted} {method} {path} {befalls}{kill}".rstrip(), flush=True)
        return befalls


class Between(BaseHTTPRequestHandler):
    """One connection of the tool's."""

    protocol_version = "HTTP/1.1"
    upstream, fate = Server("", 0, ssl.create_default_context()), Fate("", 0)

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        watches = parse_qs(split.query).get("watch", ["false"])[0].lower() in {"true", "1"}
        befalls = "" if watches else self.fate.of(self.command, split.path)
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if befalls in REASONS:
            self.refuse(int(befalls))
        elif befalls in {"killed before", "silent"}:
            time.sleep(SILENT_SECONDS)
            self.close_connection = True
        elif befalls == "dropped before":
            self.close_connection = True
        else:
            self.forward(body, befalls)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def forward(self, body: bytes, befalls: str) -> None:
        line = self.upstream.connect()
        heads = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        line.request(self.command, self.path, body or None, heads)
        answer = line.getresponse()
        if not befalls:
            self.passed(answer)
        else:
            answer.read()
            if befalls == "killed after":
                print("done kill", flush=True)
                time.sleep(SILENT_SECONDS)
            self.close_connection = True
        line.close()

    def passed(self, answer: HTTPResponse) -> None:
        """Hand an answer on as it comes, a watch event by event."""
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP:
                self.send_header(name, value)
        length = answer.getheader("content-length")
        self.send_header(*(("Content-Length", length) if length else ("Transfer-Encoding", "chunked")))
        self.end_headers()
        while chunk := answer.read1(65536):
            self.wfile.write(chunk if length else b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if not length:
            self.wfile.write(b"0\r\n\r\n")

    def refuse(self, code: int) -> None:
        status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
        status |= {"reason": REASONS[str(code)], "message": "a fault of the test's"}
        payload = json.dumps(status).encode()
        self.send_response_only(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if code in {429, 503}:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(payload)

    def handle(self) -> None:
        """Take it as it is that the tool goes away, or is killed, in the middle."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True


def main(fault: str, call: int) -> None:
    Between.upstream, Between.fate = Server.of(Path(os.environ["KUBECONFIG"])), Fate(fault, call)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
    server.daemon_threads = True
    print(f"listens on {server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
