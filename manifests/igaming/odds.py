"""Streams prices over gRPC and answers for its health there, beside the HTTP pages of app.py.

    GRPC_PORT=9090      where it speaks gRPC; port 0 takes a free one and names it in the second line
    PRICE_EVERY=200ms   between two prices of a stream
    ON_SIGTERM=exit     or `drain`: is NOT_SERVING, ends each stream in good order (status OK) and says GOAWAY

`grpc.health.v1.Health` has Check and Watch; a pod serves where /readyz says so. `Odds/Stream` sends one JSON object
a message, each with the revision and the pod; what it is asked does not matter. No code is generated: the messages
of health are two bytes, and those of odds are text. Without grpcio only the HTTP pages are served.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator

import app

try:
    import grpc
    import grpc.aio
except ImportError:
    grpc = None

SERVICE, HEALTH = "Odds", "grpc.health.v1.Health"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = b"\x08\x01", b"\x08\x02", b"\x08\x03"  # HealthCheckResponse.status
LOOK_SECONDS = 0.1


def asked_service(request: bytes) -> str:
    """Read the one field of a HealthCheckRequest: a string under 128 bytes, or nothing."""
    return request[2 : 2 + request[1]].decode() if request[:1] == b"\x0a" else ""


class Odds:
    """What is asked over gRPC and what is answered."""

    def __init__(self, platform: app.Platform, price_seconds: float) -> None:
        self.platform, self.price_seconds = platform, price_seconds
        self.settings = platform.settings
        self.ending = asyncio.Event()

    def health(self) -> bytes:
        return SERVING if self.platform.readiness() == 200 and not self.ending.is_set() else NOT_SERVING

    async def check(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        if asked_service(request) not in {"", SERVICE}:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return self.health()

    async def watch(self, request: bytes, _: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        """Tell the health now and whenever it changes."""
        known = asked_service(request) in {"", SERVICE}
        told, is_last = b"", False
        while not is_last:
            is_last = self.ending.is_set()
            if (now := self.health() if known else SERVICE_UNKNOWN) != told:
                told = now
                yield now
            await self.pause(LOOK_SECONDS)

    async def stream(self, _: bytes, __: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        """Send prices until the client goes, or the pod does."""
        number = 0
        while not self.ending.is_set():
            number += 1
            yield json.dumps(self.price(number)).encode()
            await self.pause(self.price_seconds)

    def price(self, number: int) -> dict[str, object]:
        price = round(1.5 + number % 10 / 10, 2)
        who = {"revision": self.settings.revision, "pod": self.settings.pod}
        return {"event": "final", "number": number, "price": price, **who}

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until the end."""
        try:
            await asyncio.wait_for(self.ending.wait(), seconds)
        except TimeoutError:
            return

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        many = grpc.unary_stream_rpc_method_handler
        health = {"Check": grpc.unary_unary_rpc_method_handler(self.check), "Watch": many(self.watch)}
        return [
            grpc.method_handlers_generic_handler(HEALTH, health),
            grpc.method_handlers_generic_handler(SERVICE, {"Stream": many(self.stream)}),
        ]


async def serve(web: app.Server) -> None:
    """Speak gRPC until the process ends, or SIGTERM asks it to drain."""
    host, settings = web.settings.address[0], web.settings
    odds = Odds(web.platform, app.seconds(os.environ.get("PRICE_EVERY", "200ms")))
    server = grpc.aio.server(handlers=odds.handlers())
    port = server.add_insecure_port(f"{host}:{os.environ.get('GRPC_PORT', '9090')}")
    await server.start()
    if settings.drains:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, odds.ending.set)
    print(f"{settings.service} {settings.revision} speaks gRPC on {host}:{port}", flush=True)
    await odds.ending.wait()
    web.rope.send(app.TERM)
    await server.stop(app.DRAIN_SECONDS)


def main() -> None:
    web = app.begin()
    if grpc is None:
        print("no grpcio here: nothing speaks gRPC", file=sys.stderr, flush=True)
        web.serve()
        return
    pages = threading.Thread(target=web.serve, daemon=True)
    pages.start()
    asyncio.run(serve(web))
    pages.join()


if __name__ == "__main__":
    main()
