"""How tests of gates ask a real server, and what every such gate owes: an answer in time, and no secret in it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from deployctl.document import compose
from deployctl.errors import SpecError
from deployctl.gates import Asked
from deployctl.reading import Reader
from deployctl.shapes import shape
from strategies.analysis import Answer

PASSWORD = "hunter2-and-more"
GRACE_SECONDS = 0.75  # of a busy machine, not of the gate


def measured(gate: Any, timeout_seconds: float = 10.0) -> tuple[Answer, str]:
    """Measure once, and hold what every gate must: in time, and without its password in the evidence."""
    asked = Asked((), {}, lambda *_: (200, b""), timeout_seconds, lambda *_: f"{PASSWORD}\n".encode())
    began = time.monotonic()
    one = gate.measure(asked)
    assert time.monotonic() - began < timeout_seconds + GRACE_SECONDS
    assert PASSWORD not in one.evidence
    return one.answer, one.evidence


def passes(gate: Any, timeout_seconds: float = 10.0) -> str:
    return _answers(Answer.PASS, gate, timeout_seconds)


def fails(gate: Any, timeout_seconds: float = 10.0) -> str:
    return _answers(Answer.FAIL, gate, timeout_seconds)


def unknown(gate: Any, timeout_seconds: float = 10.0) -> str:
    return _answers(Answer.UNKNOWN, gate, timeout_seconds)


def _answers(expected: Answer, gate: Any, timeout_seconds: float) -> str:
    answer, evidence = measured(gate, timeout_seconds)
    assert answer is expected, evidence
    return evidence


def read(cls: type, text: str) -> Any:
    """Read a gate's options as a spec file has them; raise SpecError with all problems."""
    documents, problems = compose(text, "wallet.yaml")
    value = Reader(problems).read(documents[0].root, shape(cls), "")
    if problems:
        raise SpecError(problems)
    return value


@contextmanager
def speaking(first: bytes = b"", answer: bytes = b"", every_seconds: float | None = None) -> Iterator[int]:
    """Give the port of what is no such server: it says what it says, or holds the line and says nothing."""
    over, held = threading.Event(), []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)

    def talk(line: socket.socket) -> None:
        try:
            line.sendall(first)
            while every_seconds is not None and not over.wait(every_seconds):
                line.sendall(answer or b"\0")
            if answer and line.recv(4096):
                line.sendall(answer)
                line.close()
        except OSError:
            pass  # the other side has gone

    def serve() -> None:
        while not over.is_set():
            try:
                line = listener.accept()[0]
            except TimeoutError:
                continue
            held.append(line)
            line.settimeout(30)
            threading.Thread(target=talk, args=(line,), daemon=True).start()

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        serving.join()
        for one in (listener, *held):
            one.close()


def nobody_listens() -> int:
    """Give a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
