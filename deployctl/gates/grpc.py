"""The grpc gate asks the health service of gRPC (grpc.health.v1) of every pod on trial, or of one address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.credential import FilePath
from deployctl.gates.extra import need
from deployctl.gates.fetch import cut
from deployctl.gates.http import Port, PortName
from deployctl.gates.reach import Address, Socket, check_address, each, parted
from strategies.analysis import Answer, Measurement

METHOD = "/grpc.health.v1.Health/Check"
STATES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")  # of HealthCheckResponse.ServingStatus
ANSWERS = {1: Answer.PASS, 2: Answer.FAIL}


@dataclass(frozen=True)
class Grpc:
    """Ask the gRPC health service of every pod on trial, through the API server, or of one address.

    service: whose health is asked; empty is the server's as a whole
    address: host and port, instead of the pods; its host must be among spec.gates.hosts
    port: number or name of the pods' port; the targetPort of the first listed Service unless it is given
    tls: ask over TLS, and trust the usual certificates or those of `ca`
    ca: a file of certificates to trust
    serverName: the name that the certificate must have, where it is not the address's
    """

    EXTRA: ClassVar = "grpc"
    RIGHTS: ClassVar = ("create and get pods/portforward, unless `address` is given",)
    UNKNOWNS: ClassVar = (
        "no pod, no way to it, no answer in time, a server that is not gRPC's or has no health service",
        "a state of UNKNOWN or SERVICE_UNKNOWN, the extra [grpc] is not installed",
    )

    service: str = ""
    address: Address | None = None
    port: Port | PortName | None = None
    tls: bool = False
    ca: FilePath | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        check_address(self.address)
        if self.ca and not self.tls:
            raise ValueError("ca: certificates without tls; expected tls: true beside them")

    @property
    def pod_wise(self) -> bool:
        return not self.address

    def measure(self, asked: Asked) -> Measurement:
        """Ask one after the other; who is not serving decides."""
        try:
            need("grpc", self.EXTRA)
        except DeployctlError as error:
            return Measurement(Answer.UNKNOWN, str(error))
        return each(
            asked, self.address, self.port, lambda where, at: self._ask(where, at, asked.timeout_seconds)
        )

    def _ask(self, where: str, at: Socket, seconds: float) -> Measurement:
        import grpc

        try:
            with self._channel(at) as channel:
                check = channel.unary_unary(METHOD, request_serializer=None, response_deserializer=None)
                state = status_of(check(self._request(), timeout=seconds))
        except grpc.RpcError as error:
            return Measurement(Answer.UNKNOWN, f"{where}: {_said(error)}")
        except OSError as error:
            return Measurement(Answer.UNKNOWN, f"{where}: {self.ca}: {error.strerror}")
        named = STATES[state] if state < len(STATES) else str(state)
        whose = f"{self.service} is " if self.service else ""
        return Measurement(ANSWERS.get(state, Answer.UNKNOWN), f"{where}: {whose}{named}")

    def _channel(self, at: Socket) -> Any:
        import grpc

        host, port = at
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if not self.tls:
            return grpc.insecure_channel(target, [("grpc.enable_http_proxy", 0)])
        trusted = grpc.ssl_channel_credentials(Path(self.ca).read_bytes() if self.ca else None)
        name = self.server_name or (parted(self.address)[0] if self.address else "")
        options = [
            ("grpc.enable_http_proxy", 0),
            *([("grpc.ssl_target_name_override", name)] if name else []),
        ]
        return grpc.secure_channel(target, trusted, options)

    def _request(self) -> bytes:
        """Write HealthCheckRequest{service = 1}: a tag, a length, the text."""
        text = self.service.encode()
        return b"\x0a" + _varint(len(text)) + text if text else b""


def _varint(number: int) -> bytes:
    head, tail = number & 0x7F, number >> 7
    return bytes([head | 0x80]) + _varint(tail) if tail else bytes([head])


def status_of(message: bytes) -> int:
    """Read HealthCheckResponse{status = 1}; a field with its default is not written."""
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0


def _said(error: Any) -> str:
    code, words = error.code().name, cut(error.details() or "")
    if code == "UNIMPLEMENTED":
        return "it has no health service (grpc.health.v1)"
    return f"{code}: {words}"
