"""The tls gate looks at the certificates that a server shows, that a Secret holds, or that cert-manager answers for."""

from __future__ import annotations

import datetime as dt
import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.credential import FilePath
from deployctl.gates.extra import need
from deployctl.gates.fetch import cut
from deployctl.gates.http import Port, PortName
from deployctl.gates.reach import Address, Socket, check_address, each, parted
from deployctl.object_names import object_name
from strategies.analysis import Answer, Measurement

Json = dict[str, Any]
CERT_MANAGER = "/apis/cert-manager.io/v1"
DAY_SECONDS = 86400.0
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
BELOW = {"1.2": ssl.TLSVersion.TLSv1_1, "1.3": ssl.TLSVersion.TLSv1_2}

HostName = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9*_.-]+$", max_length=253, extra={"expected": "a name such as wallet.example"}),
]
ObjectName = Annotated[str, object_name("a name")]
Version = Literal["1.2", "1.3"]


@dataclass(frozen=True)
class Tls:
    """Look at the certificate of every pod on trial, of an address, of a Secret or of a Certificate.

    names: that the certificate must be good for; the first is asked for (SNI)
    address: host and port, such as the live front door, instead of the pods; its host must be among spec.gates.hosts
    port: number or name of the pods' port; the targetPort of the first listed Service unless it is given
    ca: a file of certificates that the chain must end in, instead of those of this machine
    validFor: how long it must still be good
    minimum: the oldest version of TLS that may be spoken; one older must be refused
    hsts: the least max-age that a Strict-Transport-Security header must have, in a page of the server
    secret: a Secret of type kubernetes.io/tls in the app's namespace; the key is compared and never shown
    certificate: a Certificate of cert-manager in the app's namespace, which must be ready
    """

    EXTRA: ClassVar = "tls, for `secret` alone"
    RIGHTS: ClassVar = (
        "pods: create and get pods/portforward; address: none in the cluster",
        "secret: get that Secret; certificate: get certificates of cert-manager.io",
    )
    UNKNOWNS: ClassVar = (
        "no pod, no way to it, no answer in time, a server that does not speak TLS",
        "a certificate that is not good yet: it, or this machine's clock, is wrong",
        "no such Secret or Certificate, no right to read it, the extra [tls] is not installed",
    )

    names: Annotated[tuple[HostName, ...], Meta(extra={"unique": ""})] = ()
    address: Address | None = None
    port: Port | PortName | None = None
    ca: FilePath | None = None
    valid_for_seconds: float = 14 * DAY_SECONDS
    minimum: Version = "1.2"
    hsts_seconds: float | None = None
    secret: ObjectName | None = None
    certificate: ObjectName | None = None

    def __post_init__(self) -> None:
        check_address(self.address)
        if sum(map(bool, (self.address, self.secret, self.certificate))) > 1:
            raise ValueError("expected at most one of address, secret and certificate")
        if not self.names and not self.address and not self.certificate:
            raise ValueError("names: none; expected those that the certificate must be good for")

    @property
    def pod_wise(self) -> bool:
        return not (self.address or self.secret or self.certificate)

    def measure(self, asked: Asked) -> Measurement:
        """Look once."""
        try:
            if self.secret:
                return self._of_secret(asked, self.secret)
            if self.certificate:
                return self._of_manager(asked, self.certificate)
        except DeployctlError as error:
            return Measurement(Answer.UNKNOWN, str(error))
        return each(
            asked, self.address, self.port, lambda where, at: self._ask(where, at, asked.timeout_seconds)
        )

    @property
    def _named(self) -> tuple[str, ...]:
        return self.names or ((parted(self.address)[0],) if self.address else ())

    def _ask(self, where: str, at: Socket, seconds: float) -> Measurement:
        """Shake hands once a name, then with an older version, which must be refused."""
        end = time.monotonic() + seconds
        try:
            shown = [self._shaken(at, name, end) for name in self._named]
            found = [self._until(where, name, one) for name, one in zip(self._named, shown, strict=True)]
            found += [*self._oldest(where, at, end), *self._hsts(where, at, end)]
        except ssl.SSLCertVerificationError as error:
            return _unverified(where, error)
        except TimeoutError:
            return Measurement(Answer.UNKNOWN, f"{where}: no answer within {seconds:g}s")
        except (OSError, http.client.HTTPException) as error:
            return Measurement(Answer.UNKNOWN, f"{where}: {cut(str(error)) or type(error).__name__}")
        bad = next((one for one in found if one.answer is not Answer.PASS), None)
        return bad or found[0]

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise DeployctlError(f"{self.ca}: {error.strerror or 'it holds no certificate'}") from error

    def _shaken(self, at: Socket, name: str, end: float) -> Json:
        """Give the certificate that is shown for a name, with its version of TLS."""
        context = self._context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with _connected(at, end) as plain, context.wrap_socket(plain, server_hostname=name) as shaken:
            return {**(shaken.getpeercert() or {}), "version": shaken.version()}

    def _until(self, where: str, name: str, shown: Json) -> Measurement:
        left = ssl.cert_time_to_seconds(shown["notAfter"]) - time.time()
        return self._lasting(f"{where} as {name}", left, f", {shown['version']}")

    def _lasting(self, whose: str, left: float, more: str = "") -> Measurement:
        days, wanted = left / DAY_SECONDS, self.valid_for_seconds / DAY_SECONDS
        told = f"{whose}: the certificate is good for {days:.1f} days{more}"
        answer = Answer.PASS if left >= self.valid_for_seconds else Answer.FAIL
        return Measurement(answer, told + f", expected {wanted:g}" * (answer is Answer.FAIL), round(days, 3))

    def _oldest(self, where: str, at: Socket, end: float) -> Iterator[Measurement]:
        """Ask for a version that must be refused; where this machine cannot speak it there is nothing to find out."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        _allow(context, BELOW[self.minimum])
        name = self._named[0] if self._named else None
        try:
            with _connected(at, end) as plain, context.wrap_socket(plain, server_hostname=name) as shaken:
                told = f"{where}: it speaks {shaken.version()}, expected TLS {self.minimum} or later"
                yield Measurement(Answer.FAIL, told)
        except TimeoutError:
            raise
        except OSError:  # refused, as it must be
            return

    def _hsts(self, where: str, at: Socket, end: float) -> Iterator[Measurement]:
        if self.hsts_seconds is None:
            return
        name = self._named[0]
        with _connected(at, end) as plain, self._context().wrap_socket(plain, server_hostname=name) as shaken:
            shaken.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(_Readable(shaken))  # type: ignore[arg-type]
            answer.begin()
            age = max_age(answer.headers.get("Strict-Transport-Security", ""))
        if age is None or age < self.hsts_seconds:
            told = "none" if age is None else f"{age:g}s"
            yield Measurement(
                Answer.FAIL, f"{where}: HSTS has a max-age of {told}, expected {self.hsts_seconds:g}s"
            )

    def _of_secret(self, asked: Asked, name: str) -> Measurement:
        """Judge what a Secret holds; nothing of it is in any word."""
        need("cryptography", "tls")
        from deployctl.gates.pem import Held

        held = Held.of(asked.secret(name, "tls.crt"), asked.secret(name, "tls.key"), f"the Secret {name}")
        wrong = held.wrong(self.names, self.ca)
        if wrong:
            return Measurement(Answer.FAIL, f"the Secret {name}: {wrong}")
        now = dt.datetime.now(dt.UTC)
        if held.begins > now:
            return Measurement(Answer.UNKNOWN, f"the Secret {name}: {_early(held.begins.isoformat())}")
        return self._lasting(f"the Secret {name}", (held.ends - now).total_seconds())

    def _of_manager(self, asked: Asked, name: str) -> Measurement:
        found = asked.cluster.get(f"{CERT_MANAGER}/namespaces/{asked.about.namespace}/certificates/{name}")
        return self._managed(name, found)

    def _managed(self, name: str, found: Json) -> Measurement:
        status, whose = found.get("status") or {}, f"the Certificate {name}"
        conditions = {one["type"]: one for one in status.get("conditions") or []}
        ready = conditions.get("Ready") or {}
        if ready.get("status") != "True":
            why = cut(f"{ready.get('reason', 'no status')}: {ready.get('message', '')}").rstrip(": ")
            unsaid = ready.get("status") != "False"
            return Measurement(Answer.UNKNOWN if unsaid else Answer.FAIL, f"{whose} is not ready: {why}")
        lacking = set(self.names) - set(found.get("spec", {}).get("dnsNames") or [])
        if lacking:
            return Measurement(Answer.FAIL, f"{whose} is not for {min(lacking)}")
        try:
            ends = dt.datetime.fromisoformat(str(status.get("notAfter")))
        except ValueError:
            return Measurement(Answer.UNKNOWN, f"{whose} does not say until when it is good")
        return self._lasting(whose, (ends - dt.datetime.now(dt.UTC)).total_seconds())


class _Readable:
    """What http.client reads an answer from."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection

    def makefile(self, *_: object) -> io.BufferedReader:
        return self._connection.makefile("rb")


def _connected(at: Socket, end: float) -> socket.socket:
    left = max(0.001, end - time.monotonic())
    return socket.create_connection(at, timeout=left)


def _allow(context: ssl.SSLContext, newest: ssl.TLSVersion) -> None:
    """Allow this version and older ones, which Python warns of: that they are refused is what is asked."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest


def _unverified(where: str, error: ssl.SSLCertVerificationError) -> Measurement:
    """Tell what is wrong with a chain; one that is not good yet may be right, and the clock wrong."""
    if error.verify_code == 9:  # X509_V_ERR_CERT_NOT_YET_VALID
        return Measurement(Answer.UNKNOWN, f"{where}: {_early('')}")
    return Measurement(Answer.FAIL, f"{where}: {error.verify_message}")


def _early(begins: str) -> str:
    return (
        f"the certificate is not good yet{f' (from {begins})' * bool(begins)}; is this machine's clock right?"
    )


def max_age(header: str) -> float | None:
    """Read the max-age of a Strict-Transport-Security header in seconds."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name.lower() == "max-age" and value.strip('"').isdecimal():
            return float(value.strip('"'))
    return None
