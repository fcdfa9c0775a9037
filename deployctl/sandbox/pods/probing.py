"""Asks the questions of probes in threads of their own, and keeps each answer until it is fetched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deployctl.sandbox.pods import asking, containers, rpc

Json = dict[str, Any]
Address = Callable[[str, int], int | None]  # a pod's uid and port to a port on the loopback
PASSED = ""
NOWHERE = -1  # a port that no pod has


@dataclass(frozen=True, slots=True)
class Question:
    """What a probe asks of one pod."""

    uid: str
    host: str
    port: int
    answered_at: int  # the port of the pod that answers here: `port`, but for grpc
    path: str | None  # None for a connection alone
    timeout_seconds: float
    health: str | None = None  # the service whose health is asked by grpc

    @classmethod
    def of(cls, pod: Json, container: Json, probe: Json) -> Question | None:
        """Read a probe; None for exec, for there is nothing to run."""
        if "grpc" in probe:
            return cls._health(pod, probe)
        asked: Json = probe.get("httpGet") or probe.get("tcpSocket") or {}
        if not asked:
            return None
        port = containers.named_port(container, asked["port"]) or 0
        path = asked.get("path", "/") if "httpGet" in probe else None
        host = str(pod.get("status", {}).get("podIP", ""))
        return cls(pod["metadata"]["uid"], host, port, port, path, float(probe.get("timeoutSeconds", 1)))

    @classmethod
    def _health(cls, pod: Json, probe: Json) -> Question:
        env, port = containers.environment(pod), int(probe["grpc"]["port"])
        answered_at = containers.listened(env) if rpc.listened(env) == port else NOWHERE
        host = str(pod.get("status", {}).get("podIP", ""))
        timeout_seconds, service = float(probe.get("timeoutSeconds", 1)), probe["grpc"].get("service") or ""
        return cls(pod["metadata"]["uid"], host, port, answered_at, rpc.PAGE, timeout_seconds, service)

    def answer(self, local: int | None) -> str:
        """Ask at a port of the loopback; say what was wrong as a kubelet does."""
        dial = f"dial tcp {self.host}:{self.port}: "
        if self.health is not None:
            return _checked(local, self)
        if self.path is None:
            return _touched(local, dial, self.timeout_seconds)
        return _asked(local, dial, self)


def _touched(local: int | None, dial: str, timeout_seconds: float) -> str:
    try:
        asking.touch(_there(local), timeout_seconds)
    except TimeoutError:
        return f"{dial}i/o timeout"
    except OSError:
        return f"{dial}connect: connection refused"
    return PASSED


def _asked(local: int | None, dial: str, question: Question) -> str:
    get = f'Get "http://{question.host}:{question.port}{question.path}": '
    try:
        status = asking.get(_there(local), question.path or "/", question.timeout_seconds).status
    except TimeoutError:
        return f"{get}context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    except ConnectionRefusedError:
        return f"{get}{dial}connect: connection refused"
    except (OSError, EOFError):
        return f"{get}EOF"
    return PASSED if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"


def _checked(local: int | None, question: Question) -> str:
    try:
        status = asking.get(_there(local), rpc.PAGE, question.timeout_seconds).status
    except (OSError, EOFError):
        return rpc.unreached(f"{question.host}:{question.port}", question.timeout_seconds)
    return rpc.wrong(question.health or "", status)


def _there(local: int | None) -> int:
    if local is None:
        raise ConnectionRefusedError
    return local


class Probes:
    """The questions that are open, and the answers that nobody has fetched."""

    def __init__(self, address: Address, answered: Callable[[str], None]) -> None:
        self._address, self._answered = address, answered
        self._lock = threading.Lock()
        self._answers: dict[Question, str | None] = {}

    def probe(self, pod: Json, container: Json, probe: Json) -> str | None:
        """Begin to ask, or give the answer once; None until it is there."""
        question = Question.of(pod, container, probe)
        if question is None:
            return PASSED
        with self._lock:
            if self._answers.get(question) is not None:
                return self._answers.pop(question)
            is_asked = question in self._answers
            self._answers[question] = None
        if not is_asked:
            threading.Thread(target=self._ask, args=(question,), daemon=True).start()
        return None

    def forget(self, uid: str) -> None:
        """Drop the answers of a pod that is gone."""
        with self._lock:
            for question in [one for one in self._answers if one.uid == uid]:
                del self._answers[question]

    def _ask(self, question: Question) -> None:
        answer = question.answer(self._address(question.uid, question.answered_at))
        with self._lock:
            self._answers[question] = answer
        self._answered(question.uid)
