"""What the clients share that hold something open: how long they run, what they count, how they end."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deployctl.sandbox.load.client import (
    LOOK_SECONDS,
    Answers,
    Target,
    has_own_network,
    kind,
    refusal,
    write,
)

Json = dict[str, Any]
PAUSE_SECONDS = 0.2  # after a failure, so that an outage is counted and not hammered


@dataclass(slots=True)
class Span:
    """Until when it runs: so many seconds, or until a file appears, or somebody stops it."""

    seconds: float
    until: Path | None
    is_stopped: bool = False

    async def over(self) -> None:
        """Return when it is."""
        ends = time.monotonic() + self.seconds
        while not self.is_stopped and time.monotonic() < ends and not (self.until and self.until.exists()):  # noqa: ASYNC110 - a file rings no bell
            await asyncio.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        self.is_stopped = True


class Counts:
    """Everything once, with the moment at which it happened."""

    def __init__(self) -> None:
        self.started, self.started_at = time.monotonic(), time.time()
        self.failures: list[Json] = []
        self.revisions: dict[str, Answers] = {}

    def now(self) -> Json:
        seconds = time.monotonic() - self.started
        return {"seconds": round(seconds, 3), "at": round(self.started_at + seconds, 3)}

    def heard(self, revision: str, pod: str) -> None:
        now = time.monotonic() - self.started
        seen = self.revisions.setdefault(revision, Answers(0, now, now, self.started_at + now))
        seen.count += 1
        seen.last_seconds, seen.last_at = now, self.started_at + now
        seen.pods[pod] = seen.pods.get(pod, 0) + 1

    def failed(self, method: str, problem: Exception, what: str = "") -> None:
        told = {"kind": what or kind(problem), "method": method, "detail": str(problem)}
        self.failures.append({**told, **self.now()})

    def ended(self, what: str, revision: str, pod: str, detail: str) -> Json:
        return {"kind": what, "revision": revision, "pod": pod, "detail": detail, **self.now()}

    def document(self) -> Json:
        return {
            "started_at": self.started_at,
            "messages": sum(seen.count for seen in self.revisions.values()),
            "failed": len(self.failures),
            "failures": self.failures,
            "revisions": {name: asdict(seen) for name, seen in self.revisions.items()},
        }


async def together(count: int, one: Callable[[], Awaitable[None]], span: Span) -> None:
    """Let `count` of them go on until the span is over, then end them all."""
    crowd = [asyncio.ensure_future(one()) for _ in range(count)]
    over = asyncio.ensure_future(span.over())
    await asyncio.wait([over, *crowd], return_when=asyncio.FIRST_COMPLETED)
    for each in (over, *crowd):
        each.cancel()
    for ended in await asyncio.gather(over, *crowd, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def parser(program: str, says: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=says)
    parser.add_argument("--url", type=Target.parse, required=True, dest="target")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--until", type=Path, help="stop when this file appears")
    parser.add_argument(
        "--in-namespace", action="store_true", help="allow private addresses, in a network of its own"
    )
    parser.add_argument("--out", type=Path, required=True, help="where the JSON document goes")
    return parser


def main(args: argparse.Namespace, what: str, run: Callable[[Span], Awaitable[Json]]) -> Json | None:
    """Run where that hurts nobody, and write the document; None where it may not go there."""
    target: Target = args.target
    if problem := refusal(target.host, in_namespace=args.in_namespace, has_own_network=has_own_network()):
        print(problem, file=sys.stderr)
        return None
    document = asyncio.run(
        _bounded(Span(args.seconds, args.until), f"sending {what} to {target.host}:{target.port}", run)
    )
    write(document, args.out)
    return document


async def _bounded(span: Span, says: str, run: Callable[[Span], Awaitable[Json]]) -> Json:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, span.stop)
    print(says, file=sys.stderr, flush=True)
    return await run(span)
