"""List and watch one collection, for as long as the release lives.

Our own loop, because the client's resumes once after a 410 with the same version, keeps no bookmark and can
hang on a half-open connection: list, watch with bookmarks, on a lost stream go on from the last version seen,
on 410 list again, back off with jitter, and treat a long silence as a lost stream.
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from deployctl.cluster.api import Api, ApiError, Denied, Json, NotFound, Request, Unreachable
from deployctl.errors import DeployctlError

WATCH_SECONDS = 300
SILENCE_SECONDS = 100.0  # the server sends a bookmark about once a minute
SHORT_SECONDS = 1.0  # a watch that ends sooner than this counts as lost
MOST_LOST = 5  # from then on every watch begins with a list
MOST_BACKOFF_SECONDS = 5.0
GONE = 410


class Signal:
    """Wakes the loop when something changed, and carries a failure that no retry will mend."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.failure: DeployctlError | None = None

    def ring(self) -> None:
        self._event.set()

    def fail(self, error: DeployctlError) -> None:
        self.failure = error
        self._event.set()

    def wait(self, seconds: float | None) -> None:
        """Return when something has changed since the last call, or after `seconds`."""
        self._event.wait(seconds)
        self._event.clear()
        if self.failure:
            raise self.failure


@dataclass
class Store:
    """What the API last said of one collection, by name. The newest version of an object wins."""

    objects: dict[str, Json] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)  # the watch and the loop both write

    def replace(self, items: list[Json]) -> None:
        with self.lock:
            held = self.objects
            self.objects = {_name(one): _newest(held.get(_name(one)), one) for one in items}

    def put(self, one: Json) -> None:
        with self.lock:
            if version(one) > self.gone.get(_name(one), 0):
                self.objects = {**self.objects, _name(one): _newest(self.objects.get(_name(one)), one)}

    def drop(self, one: Json) -> None:
        with self.lock:
            self.gone[_name(one)] = version(one)
            self.objects = {name: held for name, held in self.objects.items() if name != _name(one)}


def _name(one: Json) -> str:
    return str(one["metadata"]["name"])


def _newest(held: Json | None, one: Json) -> Json:
    return one if held is None or version(one) >= version(held) else held


def version(one: Json) -> int:
    """Read a resourceVersion as the number it is (comparable since KEP-5504; before that by etcd's design)."""
    return int(one["metadata"].get("resourceVersion") or 0)


class Collection:
    """A collection kept up to date by a thread of its own; one that is not `needed` may be denied."""

    def __init__(
        self, api: Api, path: str, query: Mapping[str, str], signal: Signal, *, needed: bool = True
    ) -> None:
        self.store = Store()
        self.synced = threading.Event()
        self.since = ""
        self._api, self._path, self._query, self._signal = api, path, dict(query), signal
        self._needed, self._stop = needed, threading.Event()
        self._lost = 0  # streams in a row that brought nothing

    def start(self) -> Collection:
        threading.Thread(target=self._run, name=f"watch {self._path}", daemon=True).start()
        return self

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        """Follow until stopped or refused for good; a thread that dies without a word would freeze every look."""
        error: DeployctlError | None = DeployctlError(f"the watch of {self._path} failed")
        try:
            error = self._refused()
        finally:
            if error and self._needed:
                self._signal.fail(error)
            else:
                self.synced.set()

    def _refused(self) -> DeployctlError | None:
        """List and watch for as long as that is allowed; give what ended it, or None once stopped."""
        while not self._stop.is_set():
            try:
                self._list()
                self._follow()
            except (Denied, NotFound) as error:
                return error
            except (Unreachable, ApiError):
                self._lost += 1
            except DeployctlError as error:
                return error
            self._pause()
        return None

    def _pause(self) -> None:
        if self._lost:
            self._stop.wait(_backoff(self._lost))

    def _list(self) -> None:
        answer = self._api.get(self._path, **self._query)
        kind = answer.get("kind", "").removesuffix("List")
        version = (answer.get("metadata") or {}).get("resourceVersion")
        if version is None:
            raise DeployctlError(f"what answered {self._path} is no list of Kubernetes")
        self.store.replace([{"kind": kind, **one} for one in answer.get("items") or []])
        self.since = version
        self.synced.set()
        self._signal.ring()

    def _follow(self) -> None:
        """Watch from the last version until the server has forgotten it; a lost stream goes on from there."""
        while not self._stop.is_set():
            began, before = time.monotonic(), self.since
            known = self._stream()
            fruitful = self.since != before or time.monotonic() - began >= SHORT_SECONDS
            self._lost = 0 if fruitful else self._lost + 1
            if not known or self._lost >= MOST_LOST:
                return
            self._pause()

    def _stream(self) -> bool:
        """Read one watch until it is lost; False when the version is too old to go on from."""
        query = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.since,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        try:
            for event in self._api.lines(Request("GET", self._path, query=query), SILENCE_SECONDS):
                if not self._take(event):
                    return False
        except Unreachable:
            return True
        except ApiError as error:
            if error.status == GONE:
                return False
            raise
        return True

    def _take(self, event: Json) -> bool:
        """Take in one event; False when the version is too old to go on from."""
        one = event["object"]
        if event["type"] == "ERROR":
            return one.get("code") != GONE and _raise(one)
        self.since = one["metadata"]["resourceVersion"]
        if event["type"] == "BOOKMARK":
            return True
        (self.store.drop if event["type"] == "DELETED" else self.store.put)(one)
        self._signal.ring()
        return True


def _backoff(lost: int) -> float:
    """Give the seconds to wait after so many lost streams: 0.2, 0.4, 0.8, ... at most 5, give or take half."""
    seconds = min(MOST_BACKOFF_SECONDS, 0.1 * 2.0 ** min(lost, 10))
    return seconds * (0.5 + random.random())  # noqa: S311 - jitter, not a secret


def _raise(status: Json) -> bool:
    raise Unreachable(f"the watch ended: {status.get('message')}")
