"""Runs pods in the imagination: each behaves as the example application says, by its environment."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deployctl.sandbox.pods import rpc

Json = dict[str, Any]

NEVER = math.inf
CONSUME = "/internal/consume"
SHUTDOWN_SECONDS = 0.01  # from SIGTERM to the end of a process that goes at once
SIGKILL, SIGTERM = 137, 143


def seconds(text: str) -> float:
    """`500ms`, `3s`, `1m` or a bare number of seconds."""
    for suffix, scale in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * scale
    return float(text)


@dataclass
class Process:
    """One run of one pod's application; `ends` and `code` say when and how it ends if nothing else happens."""

    env: dict[str, str]
    started: float
    ends: float
    code: int
    asked: int = 0
    consumes: bool = False
    seal: str = ""

    @property
    def ready_at(self) -> float:
        if self.env.get("NEVER_READY"):
            return NEVER
        return self.started + seconds(self.env.get("READY_AFTER", "0s"))


class Imagined:
    """A runtime without processes: time alone tells what each pod would be doing."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.changed: Callable[[str], None] = _nobody
        self._clock = clock
        self._processes: dict[str, Process] = {}
        self._last: dict[str, Process] = {}  # the runs before
        self._broken: dict[str, int] = {}  # what /readyz answers, whatever the environment says

    def start(self, pod: Json) -> None:
        env, now, uid = environment(pod), self._clock(), _uid(pod)
        crash = seconds(env.get("CRASH_AFTER") or "inf")
        if uid in self._processes:
            self._last[uid] = self._processes[uid]
        self._processes[uid] = Process(env, now, now + crash, 1, consumes=env.get("CONSUMES") == "consuming")

    def stop(self, pod: Json, grace_seconds: float) -> None:
        """Run preStop, then SIGTERM; the grace counts from the start of preStop."""
        process, now = self._processes[_uid(pod)], self._clock()
        hook = min(_pre_stop_seconds(pod), grace_seconds)
        ends = now + hook + SHUTDOWN_SECONDS
        if ends < process.ends:
            process.ends, process.code = ends, 0

    def running(self, pod: Json) -> bool:
        process = self._processes.get(_uid(pod))
        return process is not None and self._clock() < process.ends

    def exit_code(self, pod: Json) -> int | None:
        process = self._processes.get(_uid(pod))
        return None if process is None or self._clock() < process.ends else process.code

    def due(self, pod: Json) -> float | None:
        """Give the seconds until it becomes ready or ends."""
        now, process = self._clock(), self._processes.get(_uid(pod))
        if process is None:
            return NEVER
        return min((each - now for each in (process.ready_at, process.ends) if each > now), default=NEVER)

    def crash(self, pod: Json, code: int = 1) -> None:
        """Let a pod's application die now."""
        process = self._processes[_uid(pod)]
        process.ends, process.code = self._clock(), code
        self.changed(_uid(pod))

    def answer_readyz(self, pod: Json, status: int | None) -> None:
        """Let /readyz of a pod answer so from now on; None lets the environment say."""
        self._broken.pop(_uid(pod), None)
        if status is not None:
            self._broken[_uid(pod)] = status
        self.changed(_uid(pod))

    def probe(self, pod: Json, container: Json, probe: Json) -> str | None:
        """Answer a probe at once; one by exec passes while the application runs."""
        if "grpc" in probe:
            return self._health(pod, probe)
        if (get := probe.get("httpGet")) is None:
            return "" if self.running(pod) else "command failed"
        port, path = _port(container, get["port"]), get.get("path") or "/"
        answer = self.ask(pod, port, path, "HTTP", 1.0)
        if answer is None:
            address = f"{pod.get('status', {}).get('podIP', '')}:{port}"
            return f'Get "http://{address}{path}": dial tcp {address}: connect: connection refused'
        if 200 <= answer[0] < 400:
            return ""
        return f"HTTP probe failed with statuscode: {answer[0]}"

    def _health(self, pod: Json, probe: Json) -> str:
        """Answer for odds what its /readyz says; nobody else speaks gRPC."""
        process, port = self._processes.get(_uid(pod)), probe["grpc"]["port"]
        if process is None or not self.running(pod) or rpc.listened(process.env) != port:
            address = f"{pod.get('status', {}).get('podIP', '')}:{port}"
            return rpc.unreached(address, float(probe.get("timeoutSeconds", 1)))
        return rpc.wrong(probe["grpc"].get("service") or "", self._route(_uid(pod), process, rpc.PAGE)[0])

    def ask(
        self, pod: Json, port: int, path: str, scheme: str, timeout_seconds: float
    ) -> tuple[int, bytes, str] | None:
        """Answer what the example application would; nothing answers where it does not run or listen."""
        del timeout_seconds
        process = self._processes.get(_uid(pod))
        if process is None or not self.running(pod) or scheme.upper() != "HTTP" or port != _listens(process):
            return None
        status, fields = self._route(_uid(pod), process, path.partition("?")[0])
        body = {**fields, "revision": process.env.get("REVISION", "r1"), "pod": pod["metadata"]["name"]}
        return status, (json.dumps(body) + "\n").encode(), "application/json"

    def tell(
        self, pod: Json, port: int, path: str, body: Json, timeout_seconds: float
    ) -> tuple[int, bytes, str] | None:
        """Do what the example application would do of what it is told: consume, or stop."""
        process = self._processes.get(_uid(pod))
        if process and self.running(pod) and path == CONSUME and process.env.get("EVENTS"):
            if body["seal"] < process.seal:
                return 409, b"{}", "application/json"
            process.consumes, process.seal = bool(body["consume"]), body["seal"]
        return self.ask(pod, port, path, "http", timeout_seconds)

    def consumes(self, pod: Json) -> bool:
        """Say whether a pod's application runs and consumes."""
        process = self._processes.get(_uid(pod))
        return process is not None and self.running(pod) and process.consumes

    def _route(self, uid: str, process: Process, path: str) -> tuple[int, Json]:
        match [part for part in path.split("/") if part]:
            case ["healthz"]:
                return int(process.env.get("HEALTHZ_STATUS", "200")), {}
            case ["readyz"]:
                ready = 200 if self._clock() >= process.ready_at else 503
                return self._broken.get(uid, ready), {}
            case ["internal", "consume"] if process.env.get("EVENTS"):
                return 200, {"consuming": process.consumes}
            case ["internal", "rounds"]:
                return 200, {"open": 0, "oldestSeconds": 0.0, "oldest_seconds": 0.0}
            case [] | ["balances", _] if _fails_now(process):
                return 500, {"error": "failing as FAIL_RATE asks"}
            case []:
                return 200, {"service": process.env.get("SERVICE", "igaming")}
            case ["balances", player]:
                return 200, {"player": player, "balance": int.from_bytes(player.encode()) % 1_000_003}
        return 404, {"error": "no such path or method"}

    def log(self, pod: Json, *, previous: bool = False) -> str:
        """Give what the application writes: that it listens, and that it crashes."""
        process = (self._last if previous else self._processes).get(_uid(pod))
        if process is None:
            return ""
        env = process.env
        who = f"{env.get('SERVICE', 'igaming')} {env.get('REVISION', 'r1')}"
        listens = f"{who} listens on 0.0.0.0:{_listens(process)}\n"
        crashed = process.code == 1 and process.ends <= self._clock()
        at_once = process.ends == process.started
        return listens * (not at_once) + "crashing as CRASH_AFTER asks\n" * crashed


def environment(pod: Json) -> dict[str, str]:
    """Give the first container's environment as far as it is written in the pod."""
    return {one["name"]: one.get("value", "") for one in pod["spec"]["containers"][0].get("env") or ()}


def _nobody(_uid: str) -> None:
    """Tell nobody, until a kubelet listens."""


def _uid(pod: Json) -> str:
    return str(pod["metadata"]["uid"])


def _listens(process: Process) -> int:
    return int(process.env.get("PORT", "8080"))


def _fails_now(process: Process) -> bool:
    """Say whether this request is of the failing share: at 0.4, of five requests the third and the fifth."""
    process.asked += 1
    rate = float(process.env.get("FAIL_RATE", "0"))
    return int(process.asked * rate + 1e-9) > int((process.asked - 1) * rate + 1e-9)


def _port(container: Json, port: int | str) -> int:
    if isinstance(port, int):
        return port
    named = (one["containerPort"] for one in container.get("ports") or () if one.get("name") == port)
    return int(next(named, port))


def _pre_stop_seconds(pod: Json) -> float:
    """Give how long the preStop of the first container takes; what it asks over HTTP takes nothing."""
    lifecycle = pod["spec"]["containers"][0].get("lifecycle") or {}
    return float(((lifecycle.get("preStop") or {}).get("sleep") or {}).get("seconds", 0))
