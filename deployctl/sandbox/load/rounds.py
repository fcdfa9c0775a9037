"""Plays rounds over WebSocket, one after the other, and counts each that the other side cuts.

    python -m deployctl.sandbox.load.rounds --url http://127.0.0.1:8080/rounds/ws --players 10 --length 5 --out FILE

A round is opened on a connection of its own, has a message every second, each answered before the next, and is
closed by the player when its length is over, or the whole run is. One that ends before that was cut.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

from deployctl.sandbox.load import crowd
from deployctl.sandbox.load.client import (
    TIMEOUT_SECONDS,
    StatusError,
    Target,
    allow_many_connections,
    kind,
)
from deployctl.sandbox.load.wire import Wire

Json = crowd.Json


@dataclass(frozen=True, slots=True)
class Plan:
    """Who plays what, and how long."""

    target: Target
    players: int
    length_seconds: float
    every_seconds: float


class Players:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.counts = crowd.Counts()
        self.rounds = 0
        self.cut: list[Json] = []

    async def run(self, span: crowd.Span) -> Json:
        await crowd.together(self.plan.players, self.play, span)
        return {**self.counts.document(), "rounds": self.rounds, "cut": self.cut}

    async def play(self) -> None:
        """Play round after round, for ever."""
        while True:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    wire = await Wire.open(self.plan.target)
            except (OSError, ValueError, LookupError, StatusError) as problem:
                self.counts.failed("OPEN", problem)
                await asyncio.sleep(crowd.PAUSE_SECONDS)
            else:
                await self.round(wire)

    async def round(self, wire: Wire) -> None:
        self.rounds += 1
        revision, pod = wire.answer.revision, wire.answer.headers.get("x-pod", "")
        try:
            await self.talk(wire, revision, pod)
        except OSError as problem:
            self.cut.append(self.counts.ended(kind(problem), revision, pod, str(problem)))
        finally:
            wire.close()

    async def talk(self, wire: Wire, revision: str, pod: str) -> None:
        """Hear that the round is open, then say something and hear the answer, until the round is over."""
        ends = time.monotonic() + self.plan.length_seconds
        while True:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await wire.hear()
            self.counts.heard(revision, pod)
            left = ends - time.monotonic()
            await silence(wire, min(left, self.plan.every_seconds))
            if left <= self.plan.every_seconds:
                return
            wire.say("play")


async def silence(wire: Wire, seconds: float) -> None:
    """Wait so long; the other side has nothing to say meanwhile but that it ends."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wire.hear()


def main() -> int:
    parser = crowd.parser("deployctl.sandbox.load.rounds", __doc__.partition("\n")[0])
    parser.add_argument("--players", type=int, default=10, help="so many rounds at once (10)")
    parser.add_argument("--length", type=float, default=5.0, help="seconds of a round (5)")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two messages (1)")
    args = parser.parse_args()
    allow_many_connections()
    players = Players(Plan(args.target, args.players, args.length, args.every))
    document = crowd.main(args, f"rounds of {args.players} players", players.run)
    if document is None:
        return 2
    print(f"{document['rounds']} rounds, {len(document['cut'])} cut, {document['failed']} failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
