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
from typing import Any, Generic, Self, TypeVar

CLIENT = Path(__file__).with_name("client.py")
LAST_ANSWERS_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Failure:
    """One request, round or stream that came to no good end; `at` is the wall clock, `seconds` since the start of the load."""

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
    took_ms: Mapping[
        float, int
    ]  # answers by their latency to two digits; those of several loads can be added
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
            took_ms={float(took): count for took, count in told["took_ms"].items()},
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
        kinds = ", ".join(sorted({each.kind for each in self.failures}))
        return f"{self.requests} requests, {self.failed} failed{f' ({kinds})' if kinds else ''}; answers: {shares(self.revisions)}"


@dataclass(frozen=True, slots=True)
class Ended:
    """A round or a stream that the other side ended before we did."""

    kind: str
    at: float
    seconds: float
    revision: str
    pod: str
    detail: str


@dataclass(frozen=True, slots=True)
class RoundsReport:
    """What became of each round of a load; `rounds` counts those that were opened, `failed` what was not."""

    rounds: int
    messages: int
    cut: tuple[Ended, ...]
    failures: tuple[Failure, ...]
    revisions: Mapping[str, Answers]  # what each answered, message by message

    @classmethod
    def parse(cls, text: str) -> RoundsReport:
        told: dict[str, Any] = json.loads(text)
        return cls(
            told["rounds"],
            told["messages"],
            tuple(Ended(**each) for each in told["cut"]),
            tuple(Failure(**each) for each in told["failures"]),
            {name: Answers(**seen) for name, seen in told["revisions"].items()},
        )

    @property
    def failed(self) -> int:
        return len(self.failures)

    def __str__(self) -> str:
        return f"{self.rounds} rounds, {len(self.cut)} cut, {self.failed} failed; messages: {shares(self.revisions)}"


@dataclass(frozen=True, slots=True)
class StreamsReport:
    """What became of each stream of a load.

    moved: ended by the other side in good order, and opened anew
    broken: ended by the other side in any other way
    failures: streams that sent nothing
    """

    streams: int
    messages: int
    moved: tuple[Ended, ...]
    broken: tuple[Ended, ...]
    failures: tuple[Failure, ...]
    revisions: Mapping[str, Answers]
    longest_gap_seconds: float

    @classmethod
    def parse(cls, text: str) -> StreamsReport:
        told: dict[str, Any] = json.loads(text)
        return cls(
            told["streams"],
            told["messages"],
            tuple(Ended(**each) for each in told["moved"]),
            tuple(Ended(**each) for each in told["broken"]),
            tuple(Failure(**each) for each in told["failures"]),
            {name: Answers(**seen) for name, seen in told["revisions"].items()},
            told["longest_gap_seconds"],
        )

    @property
    def failed(self) -> int:
        return len(self.failures)

    def __str__(self) -> str:
        ends = f"{len(self.moved)} moved, {len(self.broken)} broken, {self.failed} failed"
        return f"{self.streams} streams, {ends}; prices: {shares(self.revisions)}"


def shares(revisions: Mapping[str, Answers]) -> str:
    """Write how much each revision answered: `r1 120, r2 80`."""
    return ", ".join(f"{name} {seen.count}" for name, seen in revisions.items())


T = TypeVar("T")


class Running(Generic[T]):
    """A load client in another process, for the length of a `with`.

    `popen` starts that process, as `subprocess.Popen` does; one that enters a cluster's network goes with
    `in_namespace=True`. After the `with`, or after `stop()`, `report` says what became of everything.
    """

    def __init__(
        self,
        client: Sequence[str],
        options: Mapping[str, object],
        parse: Callable[[str], T],
        *,
        popen: Callable[..., subprocess.Popen[str]],
        in_namespace: bool,
    ) -> None:
        self._popen, self._parse = popen, parse
        self._folder = tempfile.TemporaryDirectory(prefix="load-")
        self._out, self._until = Path(self._folder.name, "report.json"), Path(self._folder.name, "stop")
        given = {**options, "--until": self._until, "--out": self._out}
        told = [text for name, value in given.items() for text in (name, str(value))]
        self._command = [sys.executable, *client, *told, *(["--in-namespace"] if in_namespace else [])]
        self._report: T | None = None

    def __enter__(self) -> Self:
        """Return once the load is on."""
        self._process = self._popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
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
    def report(self) -> T:
        if self._report is None:
            raise RuntimeError("the load is still on")
        return self._report

    def stop(self) -> T:
        """End the load, wait for the last answers and say what became of everything."""
        if self._report is None:
            self._until.touch()
            errors = self._wait()
            if self._process.returncode:
                raise RuntimeError(f"the load ended with {self._process.returncode}: {errors}")
            self._report = self._parse(self._out.read_text())
            self._folder.cleanup()
        return self._report

    def _wait(self) -> str:
        """Wait for the end and give what was written to stderr."""
        try:
            return self._process.communicate(timeout=LAST_ANSWERS_SECONDS)[1]
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise


class Load(Running[Report]):
    """Requests at a fixed rate; `report` says what became of each. A POST places a bet, or `post="payments"`."""

    def __init__(  # noqa: PLR0913 - one parameter an option of the client
        self,
        url: str,
        *,
        popen: Callable[..., subprocess.Popen[str]] = subprocess.Popen,
        rate: float = 150.0,
        seconds: float = 3600.0,
        keepalive: bool = False,
        post_share: float = 0.1,
        post: str = "bets",
        in_namespace: bool = False,
    ) -> None:
        options = {
            "--url": url,
            "--rate": rate,
            "--seconds": seconds,
            "--post-share": post_share,
            "--post": post,
            "--keepalive": "on" if keepalive else "off",
        }
        super().__init__([str(CLIENT)], options, Report.parse, popen=popen, in_namespace=in_namespace)


class Rounds(Running[RoundsReport]):
    """Players who open one round after the other over WebSocket; `report` says which were cut."""

    def __init__(  # noqa: PLR0913 - one parameter an option of the client
        self,
        url: str,
        *,
        popen: Callable[..., subprocess.Popen[str]] = subprocess.Popen,
        players: int = 10,
        length: float = 5.0,
        every: float = 1.0,
        seconds: float = 3600.0,
        in_namespace: bool = False,
    ) -> None:
        options = {"--url": url, "--players": players, "--length": length, "--every": every}
        super().__init__(
            ["-m", "deployctl.sandbox.load.rounds"],
            {**options, "--seconds": seconds},
            RoundsReport.parse,
            popen=popen,
            in_namespace=in_namespace,
        )


class Streams(Running[StreamsReport]):
    """Readers who each hold a gRPC stream of prices open; `report` says which moved and which broke."""

    def __init__(
        self,
        url: str,
        *,
        popen: Callable[..., subprocess.Popen[str]] = subprocess.Popen,
        readers: int = 10,
        seconds: float = 3600.0,
        in_namespace: bool = False,
    ) -> None:
        super().__init__(
            ["-m", "deployctl.sandbox.load.streams"],
            {"--url": url, "--readers": readers, "--seconds": seconds},
            StreamsReport.parse,
            popen=popen,
            in_namespace=in_namespace,
        )
