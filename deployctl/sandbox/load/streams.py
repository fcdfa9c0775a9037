"""Reads prices from gRPC streams, opens each anew when it ends, and counts how it ended.

    python -m deployctl.sandbox.load.streams --url http://127.0.0.1:9090 --readers 10 --out FILE

Prices never end by themselves, so every end is the other side's. One with status OK, or that was announced by
GOAWAY, *moved*: the next stream goes where new connections go. Any other end after a first price *broke* it, and
one before it *failed*. Each reader has a connection of its own. It needs grpcio.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from deployctl.sandbox.load import crowd
from deployctl.sandbox.load.client import TIMEOUT_SECONDS, Target

try:
    import grpc
    import grpc.aio
except ImportError:
    sys.exit("the streams of this load need grpcio: pip install grpcio")

Json = crowd.Json
METHOD = "/Odds/Stream"
OWN_CONNECTION = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),  # also the time that one attempt to connect is given
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)


class Readers:
    """One run: so many readers of one address."""

    def __init__(self, target: Target, count: int) -> None:
        self.address, self.count = f"{target.host}:{target.port}", count
        self.counts = crowd.Counts()
        self.streams = 0
        self.moved: list[Json] = []
        self.broken: list[Json] = []
        self.longest_gap_seconds = 0.0

    async def run(self, span: crowd.Span) -> Json:
        await crowd.together(self.count, self.read, span)
        return {
            **self.counts.document(),
            "streams": self.streams,
            "moved": self.moved,
            "broken": self.broken,
            "longest_gap_seconds": round(self.longest_gap_seconds, 3),
        }

    async def read(self) -> None:
        """Read stream after stream, for ever."""
        async with grpc.aio.insecure_channel(self.address, options=OWN_CONNECTION) as channel:
            reader = Reader(self)
            while True:
                self.streams += 1
                await reader.follow(channel.unary_stream(METHOD)(b""))


class Reader:
    """One who reads, and knows who sent the last price and when."""

    def __init__(self, all_of_them: Readers) -> None:
        self.all = all_of_them
        self.last = 0.0
        self.who: tuple[str, str] | None = None

    async def follow(self, call: grpc.aio.UnaryStreamCall[bytes, bytes]) -> None:
        """Read one stream to its end, and note which end that was."""
        self.who = None
        try:
            while await self.price(call):
                pass
            self.ended(grpc.StatusCode.OK, "")
        except grpc.aio.AioRpcError as problem:
            self.ended(problem.code(), problem.details() or "")
        except TimeoutError as problem:
            self.ended(grpc.StatusCode.DEADLINE_EXCEEDED, str(problem) or "no price came")
        finally:
            call.cancel()
        if self.who is None:
            await asyncio.sleep(crowd.PAUSE_SECONDS)

    async def price(self, call: grpc.aio.UnaryStreamCall[bytes, bytes]) -> bool:
        """Wait for one; False at the end of a stream."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            told = await call.read()
        if told is grpc.aio.EOF:
            return False
        price, now = json.loads(told), time.monotonic()
        if self.last:
            self.all.longest_gap_seconds = max(self.all.longest_gap_seconds, now - self.last)
        self.last, self.who = now, (price["revision"], price["pod"])
        self.all.counts.heard(*self.who)
        return True

    def ended(self, code: grpc.StatusCode, detail: str) -> None:
        counts = self.all.counts
        if self.who is None:
            counts.failed("STREAM", RuntimeError(detail), code.name)
        elif code is grpc.StatusCode.OK or "GOAWAY" in detail.upper():
            self.all.moved.append(counts.ended(code.name, *self.who, detail))
        else:
            self.all.broken.append(counts.ended(code.name, *self.who, detail))


def main() -> int:
    parser = crowd.parser("deployctl.sandbox.load.streams", __doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=10, help="so many streams at once (10)")
    args = parser.parse_args()
    document = crowd.main(args, f"{args.readers} readers", Readers(args.target, args.readers).run)
    if document is None:
        return 2
    ends = f"{len(document['moved'])} moved, {len(document['broken'])} broken, {document['failed']} failed"
    print(f"{document['streams']} streams, {ends}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
