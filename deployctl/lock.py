"""Who may act: a Lease of ten seconds, renewed by a thread. Its fence lives in the release's own annotation.

A Lease alone does not stop a writer that was suspended and wakes up; the fence does, for every JSON patch tests
the annotation that carries it (`deployctl.cluster.patches`).
https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import Any

from deployctl.cluster.api import Api, NotFound, Request, Stale
from deployctl.cluster.paths import path
from deployctl.errors import DeployctlError, LockHeld, LockLost

Json = dict[str, Any]
LEASE_SECONDS = 10
RENEW_SECONDS = 3.0
TRIES = 5


class Lock:
    """The Lease of one app, held by this process between `take` and `release`. Times in seconds."""

    def __init__(  # noqa: PLR0913 - time comes in from outside
        self,
        api: Api,
        namespace: str,
        app: str,
        holder: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._api, self.holder = api, holder
        self._clock, self._sleep, self._renew_seconds = clock, sleep, renew_seconds
        self._namespace, self._name = namespace, f"deployctl-{app}"
        self._stop = threading.Event()
        self._confirmed = float("-inf")
        self.lost: LockLost | None = None

    @property
    def _path(self) -> str:
        return path(self._namespace, "leases", self._name)

    def look(self) -> Json | None:
        try:
            return self._api.get(self._path)
        except NotFound:
            return None

    def take(self, wait: Callable[[str, float], None] | None = None, *, force: bool = False) -> None:
        """Take the Lease; raise LockHeld while somebody else's lives.

        With `wait`, a holder that does not renew is outlived: it is called with who holds and the seconds left.
        With `force` the Lease is taken at once: only for who raises the fence, too.
        """
        lease = self.look()
        if lease and not force and (holder := holder_of(lease)):
            self._outlive(lease, holder, wait)
            lease = self.look()
        self._take(lease, force=force)
        threading.Thread(target=self._renew, name="lease", daemon=True).start()

    def _take(self, lease: Json | None, *, force: bool) -> None:
        """Write ourselves in; who did so in the same moment was first, unless we take it by force."""
        for left in reversed(range(TRIES)):
            try:
                return self._write(lease)
            except Stale as error:
                lease = self.look()
                if not (force and left):
                    raise self._held(lease or {}) from error
        return None

    def release(self) -> None:
        """Give the Lease back; whoever took it meanwhile keeps it, and without an answer it ends by itself."""
        self._stop.set()
        for _ in range(TRIES):
            try:
                lease = self.look()
                if lease and holder_of(lease) == self.holder:
                    self._put(lease, "")
            except Stale:  # our own last renewal came between
                continue
            except DeployctlError:
                return
            return

    def confirm(self, trusted_seconds: float = 0.0) -> None:
        """Ask whether the Lease is still ours, unless it was so long ago at most; raise LockLost where it is not.

        For writes that no fence guards: a process that was suspended may wake with a look that is long past.
        """
        if self.lost or self._clock() - self._confirmed >= trusted_seconds:
            self._confirm()

    def _confirm(self) -> None:
        asked, holder = self._clock(), holder_of(self.look() or {"spec": {}})
        if holder != self.holder:
            self.lost = LockLost(f"{holder or 'somebody'} took the lock")
        if self.lost:
            raise self.lost
        self._confirmed = asked

    def _outlive(self, lease: Json, holder: str, wait: Callable[[str, float], None] | None) -> None:
        """Watch the holder for one lease time on our own clock, which no skew between clocks can shorten."""
        started, renewed = self._clock(), _spec(lease).get("renewTime")
        while (left := LEASE_SECONDS - (self._clock() - started)) > 0:
            if wait is None and fresh(lease):
                raise self._held(lease)
            if wait:
                wait(holder, left)
            self._sleep(min(0.5, left))
            lease = self.look() or {}
            if not holder_of(lease):
                return
            if _spec(lease).get("renewTime") != renewed:
                raise self._held(lease)

    def _held(self, lease: Json) -> LockHeld:
        app = self._name.removeprefix("deployctl-")
        since = str(_spec(lease).get("acquireTime") or "just now")
        return LockHeld(
            f"{holder_of(lease) or 'somebody'} holds the lock of {app} since {since}",
            advice=f"watch it with `deployctl status {app} -w`; turn it round with `deployctl abort {app}`",
        )

    def _write(self, lease: Json | None) -> None:
        if lease is None:
            self._api.post(
                path(self._namespace, "leases"), self._lease({"metadata": {"name": self._name}}, self.holder)
            )
        else:
            self._put(lease, self.holder)

    def _put(self, lease: Json, holder: str) -> None:
        self._api.send(Request("PUT", self._path, self._lease(lease, holder)))

    def _lease(self, lease: Json, holder: str) -> Json:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec = _spec(lease)
        acquired = spec.get("acquireTime") if spec.get("holderIdentity") == holder else now
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": lease["metadata"],
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": LEASE_SECONDS,
                "acquireTime": acquired,
                "renewTime": now,
            },
        }

    def _renew(self) -> None:
        """Renew until told to stop; a renewal that fails is tried again, for the fence guards every write."""
        while not self._stop.wait(self._renew_seconds):
            try:
                lease = self.look() or {}
                if holder_of(lease) != self.holder:
                    self.lost = LockLost(f"{holder_of(lease) or 'somebody'} took the lock")
                    return
                self._put(lease, self.holder)
            except DeployctlError:
                continue


def _spec(lease: Json) -> Json:
    return lease.get("spec") or {}


def holder_of(lease: Json) -> str:
    return str(_spec(lease).get("holderIdentity") or "")


def fresh(lease: Json) -> bool:
    """Say whether the holder renewed within the lease time, by both clocks; a doubt counts as fresh."""
    renewed = _spec(lease).get("renewTime")
    if not renewed:
        return False
    age = (dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(renewed)).total_seconds()
    return age < LEASE_SECONDS
