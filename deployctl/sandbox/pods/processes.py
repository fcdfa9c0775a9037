"""Runs each pod as a process on the loopback: the example app, whatever image is named."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployctl.sandbox.pods import asking, containers
from deployctl.sandbox.pods.probing import Probes
from deployctl.sandbox.pods.running import Process
from deployctl.sandbox.practice.platform import example

Json = dict[str, Any]
NURSERY = Path(__file__).with_name("nursery.py")
LEAST_GRACE_SECONDS = 2.0  # minimumGracePeriodInSeconds of the kubelet
KILLED = 128 + signal.SIGKILL


def nobody(uid: str) -> None:
    """Stand for one who wants to hear of changes."""
    del uid


class Processes:
    """A Runtime of local processes. They end when this one does, however it ends."""

    def __init__(self) -> None:
        self.changed: Callable[[str], None] = nobody
        self._lock = threading.Lock()
        self._by_uid: dict[str, Process] = {}
        self._by_number: dict[int, tuple[str, Process]] = {}
        self._probes = Probes(self.address, self._tell)
        self._count = 0
        self._closing = False
        self._nursery = self._open()

    def start(self, pod: Json) -> None:
        """Start the pod's first container, or start it again."""
        uid, env = pod["metadata"]["uid"], containers.environment(pod)
        with self._lock:
            self._count += 1
            last = self._by_uid.get(uid)
            now = Process(self._count, containers.listened(env), before=last.said if last else "")
            self._by_uid[uid], self._by_number[now.number] = now, (uid, now)
        self._order(now.number, env={**env, "PORT": "0", "HOST": "127.0.0.1"})

    def stop(self, pod: Json, grace_seconds: float) -> None:
        """End the pod as a kubelet does, in a thread of its own."""
        process = self._by_uid.get(pod["metadata"]["uid"])
        if process and not process.ended.is_set():
            _apart(self._end, process, pod, grace_seconds)

    def crash(self, pod: Json) -> None:
        """Kill the pod's container, as the kernel does that has no memory left."""
        if process := self._by_uid.get(pod["metadata"]["uid"]):
            self._order(process.number, signal=signal.SIGKILL)

    def running(self, pod: Json) -> bool:
        process = self._by_uid.get(pod["metadata"]["uid"])
        return process is not None and not process.ended.is_set()

    def exit_code(self, pod: Json) -> int | None:
        process = self._by_uid.get(pod["metadata"]["uid"])
        return process.code if process else None

    def due(self, pod: Json) -> float | None:
        """Say nothing: what a process does, it tells."""
        del pod
        return None

    def probe(self, pod: Json, container: Json, probe: Json) -> str | None:
        """Begin to ask, or tell once what was wrong ("" is a pass); None until it is answered."""
        return self._probes.probe(pod, container, probe)

    def ask(
        self, pod: Json, port: int, path: str, scheme: str, timeout_seconds: float
    ) -> tuple[int, bytes, str] | None:
        """Ask the pod over HTTP: status, body and content type; None where nothing answers."""
        local = self.address(pod["metadata"]["uid"], port)
        if local is None or scheme.lower() != "http":
            return None
        try:
            reply = asking.get(local, path, timeout_seconds)
        except (OSError, EOFError):
            return None
        return reply.status, reply.body, reply.content_type

    def tell(
        self, pod: Json, port: int, path: str, body: Json, timeout_seconds: float
    ) -> tuple[int, bytes, str] | None:
        """Post JSON to the pod: status, body and content type; None where nothing answers."""
        local = self.address(pod["metadata"]["uid"], port)
        if local is None:
            return None
        try:
            reply = asking.post(local, path, body, timeout_seconds)
        except (OSError, EOFError):
            return None
        return reply.status, reply.body, reply.content_type

    def address(self, uid: str, port: int) -> int | None:
        """Give the loopback port of a pod's port; None where nothing listens on that."""
        process = self._by_uid.get(uid)
        if process is None or process.ended.is_set() or process.listened != port:
            return None
        return process.port

    def log(self, pod: Json, *, previous: bool = False) -> str:
        process = self._by_uid.get(pod["metadata"]["uid"])
        if process is None:
            return ""
        return process.before if previous else process.said

    def forget(self, pod: Json) -> None:
        """Drop what is kept of a pod that is gone."""
        self._by_uid.pop(pod["metadata"]["uid"], None)
        self._probes.forget(pod["metadata"]["uid"])

    def close(self) -> None:
        """End every pod, now."""
        self._closing = True
        if self._nursery.stdin:
            self._nursery.stdin.close()
        self._ear.join()

    def _end(self, process: Process, pod: Json, grace_seconds: float) -> None:
        began = time.monotonic()
        if grace_seconds > 0:
            self._before_end(process, pod, grace_seconds)
        self._order(process.number, signal=signal.SIGTERM)
        left = grace_seconds - (time.monotonic() - began)
        if not process.ended.wait(max(left, LEAST_GRACE_SECONDS)):
            self._order(process.number, signal=signal.SIGKILL)

    def _before_end(self, process: Process, pod: Json, grace_seconds: float) -> None:
        hook = containers.before_end(pod)
        if "sleep" in hook:
            process.ended.wait(min(hook["sleep"]["seconds"], grace_seconds))
        elif "httpGet" in hook:
            asked = hook["httpGet"]
            port = containers.named_port(containers.first(pod), asked["port"]) or 0
            self.ask(pod, port, asked.get("path", "/"), "http", grace_seconds)
        elif "exec" in hook:
            process.hear("sandbox: preStop exec is not run here\n")

    def _open(self) -> subprocess.Popen[bytes]:
        """Start the nursery outside the terminal's group, so that Ctrl-C there does not reach the pods."""
        command = [sys.executable, "-I", "-S", "-B", str(NURSERY), str(example("app.py"))]
        pipe = subprocess.PIPE
        nursery = subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True)
        self._ear = _apart(self._hear, nursery)
        return nursery

    def _order(self, number: int, **what: Any) -> None:
        line = json.dumps({"pod": number, **what}) + "\n"
        with self._lock:
            if self._nursery.stdin and not self._nursery.stdin.closed:
                self._nursery.stdin.write(line.encode())
                self._nursery.stdin.flush()

    def _hear(self, nursery: subprocess.Popen[bytes]) -> None:
        with nursery:
            for line in nursery.stdout or ():
                self._take(json.loads(line))
        if nursery is self._nursery and not self._closing:
            self._nursery = self._open()
        for uid, process in list(self._by_number.values()):
            self._bury(uid, process, KILLED)

    def _take(self, told: Json) -> None:
        uid, process = self._by_number[told["pod"]]
        if "said" in told:
            process.hear(told["said"])
        else:
            self._bury(uid, process, told["code"])

    def _bury(self, uid: str, process: Process, code: int) -> None:
        self._by_number.pop(process.number, None)
        process.end(code)
        self._tell(uid)

    def _tell(self, uid: str) -> None:
        self.changed(uid)


def _apart(work: Callable[..., None], *given: Any) -> threading.Thread:
    thread = threading.Thread(target=work, args=given, daemon=True)
    thread.start()
    return thread
