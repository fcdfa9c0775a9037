"""Answers a probe by grpc as the app would in its image: nothing speaks gRPC here.

Of the example platform only odds speaks it, and its health there is what its /readyz says over HTTP. So that is
asked in its place; to any other app and port nobody listens, as in a real cluster.
"""

from __future__ import annotations

USUAL_PORT = 9090  # where odds speaks gRPC unless GRPC_PORT says otherwise
KNOWN = {"", "Odds"}  # the services whose health it knows
PAGE = "/readyz"


def listened(env: dict[str, str]) -> int | None:
    """Give the port on which the app of this environment speaks gRPC in its pod; None where it speaks none."""
    if env.get("SERVICE") != "odds":
        return None
    given = env.get("GRPC_PORT", "")
    return int(given) if given.isdecimal() else USUAL_PORT


def wrong(service: str, status: int) -> str:
    """Say as a kubelet does what a health check is answered where /readyz answers so; "" is a pass."""
    if service not in KNOWN:
        return "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
    return "" if status == 200 else 'service unhealthy (responded with "NOT_SERVING")'


def unreached(address: str, timeout_seconds: float) -> str:
    """Say as a kubelet does that nobody spoke gRPC in time."""
    return f'timeout: failed to connect service "{address}" within {timeout_seconds:g}s: context deadline exceeded'
