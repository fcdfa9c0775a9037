"""Puts load on an address for the length of a `with` and reports what became of each request."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CLIENT = Path(__file__).with_name("client.py")
LAST_ANSWERS_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Failure:
    """One request that got no good answer; `at` is the wall clock, `seconds` since the start of the load."""

    kind: str
    at: float
    seconds: float
    method: str
    detail: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What one revision answered: first and last since the start of the load, and on the wall clock."""

    count: int
    first_seconds: float
    last_seconds: float
    first_at: float
    last_at: float
    pods: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of each request of a load."""

    requests: int
    failed: int
    failures: tuple[Failure, ...]
    revisions: Mapping[str, Answers]
    by_tenth: Mapping[str, Sequence[int]]  # answers of a revision in each tenth of a second since the start
    stale_retries: int
    latency_ms: Mapping[str, float]
    late_ms: float
    started_at: float

    @classmethod
    def parse(cls, text: str) -> Report:
        """Read the document that the client writes."""
        told: dict[str, Any] = json.loads(text)
        return cls(
            requests=told["requests"],
            failed=told["failed"],
            failures=tuple(Failure(**each) for each in told["failures"]),
            revisions={name: Answers(**seen) for name, seen in told["revisions"].items()},
            by_tenth=told["by_tenth"],
            stale_retries=told["stale_retries"],
            latency_ms=told["latency_ms"],
            late_ms=told["late_ms"],
            started_at=told["started_at"],
        )

    def answers(self, revision: str) -> int:
        """Count the answers of a revision; 0 where it gave none."""
        seen = self.revisions.get(revision)
        return seen.count if seen else 0

    def first_answer(self, revision: str) -> float:
        """Say when it first answered, as `time.time()` does; KeyError where it never did."""
        return self.revisions[revision].first_at

    def last_answer(self, revision: str) -> float:
        """Say when it last answered, as `time.time()` does; KeyError where it never did."""
        return self.revisions[revision].last_at

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {seen.count}" for name, seen in self.revisions.items())
        kinds = ", ".join(sorted({each.kind for each in self.failures}))
        return f"{self.requests} requests, {self.failed} failed{f' ({kinds})' if kinds else ''}; answers: {shares}"


class Load:
    """Requests at a fixed rate from another process, for the length of a `with`.

    `popen` starts that process, as `subprocess.Popen` does; one that enters a cluster's network goes with
    `in_namespace=True`. After the `with`, or after `stop()`, `report` says what became of each request.
    """

    def __init__(  # noqa: PLR0913 - one parameter an option of the client
        self,
        url: str,
        *,
        popen: Callable[..., subprocess.Popen[str]] = subprocess.Popen,
        rate: float = 150.0,
        seconds: float = 3600.0,
        keepalive: bool = False,
        post_share: float = 0.1,
        in_namespace: bool = False,
    ) -> None:
        self._popen = popen
        self._folder = tempfile.TemporaryDirectory(prefix="load-")
        self._out, self._until = Path(self._folder.name, "report.json"), Path(self._folder.name, "stop")
        self._options = [
            *("--url", url, "--rate", str(rate), "--seconds", str(seconds), "--post-share", str(post_share)),
            *("--keepalive", "on" if keepalive else "off", *(["--in-namespace"] if in_namespace else [])),
            *("--until", str(self._until), "--out", str(self._out)),
        ]
        self._report: Report | None = None

    def __enter__(self) -> Self:
        """Return once the load is on."""
        command = [sys.executable, str(CLIENT), *self._options]
        self._process = self._popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = self._process.stderr.readline() if self._process.stderr else ""
        if not first.startswith("sending"):
            self._folder.cleanup()
            raise RuntimeError(f"the load did not start: {first}{self._process.communicate()[1]}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def report(self) -> Report:
        if self._report is None:
            raise RuntimeError("the load is still on")
        return self._report

    def stop(self) -> Report:
        """End the load, wait for the last answers and say what became of each request."""
        if self._report is None:
            self._until.touch()
            errors = self._wait()
            if self._process.returncode:
                raise RuntimeError(f"the load ended with {self._process.returncode}: {errors}")
            self._report = Report.parse(self._out.read_text())
            self._folder.cleanup()
        return self._report

    def _wait(self) -> str:
        """Wait for the end and give what was written to stderr."""
        try:
            return self._process.communicate(timeout=LAST_ANSWERS_SECONDS)[1]
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
