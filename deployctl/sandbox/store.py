"""What the sandbox's cluster remembers: every object at its newest version, and what changed of late."""

from __future__ import annotations

import datetime as dt
import itertools
import random
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from deployctl.sandbox.resources import BY_NAME

Json = dict[str, Any]
Change = Literal["ADDED", "MODIFIED", "DELETED"]

REMEMBERED = 2000  # changes that a watch may go on from; older ones are 410 Gone
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # of generated names, as in k8s.io/apimachinery/pkg/util/rand


@dataclass(frozen=True, slots=True)
class Event:
    """One change: the object after it (of a deletion the last one), and before it."""

    version: int
    change: Change
    resource: str
    object: Json
    before: Json | None = None
    at: float = 0.0

    @property
    def namespace(self) -> str:
        return str(self.object["metadata"].get("namespace", ""))

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])


class Gone(Exception):
    """So old a version is not remembered: list again."""


def stamp(seconds: float) -> str:
    """Write a moment (seconds since 1970) as the API does, to the second."""
    return _stamp(int(seconds))


@lru_cache(maxsize=1024)
def _stamp(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fine_stamp(seconds: float) -> str:
    """Write a moment to the microsecond, as Leases have it."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> float:
    """Read a moment that the API wrote; seconds since 1970."""
    return dt.datetime.fromisoformat(text).timestamp()


@dataclass
class Store:
    """Every object by resource, namespace ("" where there is none) and name.

    What it gives out is never changed in place, by anybody: a change is a new object that shares the rest.
    """

    clock: Callable[[], float]
    seed: int = 0
    version: int = 100  # a real cluster has written much before anybody asks
    listeners: list[Callable[[Event], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - names that repeat with the seed, no secrets
        self._objects: dict[str, dict[tuple[str, str], Json]] = {name: {} for name in BY_NAME}
        self._events: deque[Event] = deque(maxlen=REMEMBERED)
        self._forgotten = self.version

    def get(self, resource: str, namespace: str, name: str) -> Json | None:
        return self._objects[resource].get((namespace, name))

    def list(self, resource: str, namespace: str = "") -> list[Json]:
        """Give all objects of a namespace, or of all, in the order of their keys."""
        held = self._objects[resource]
        return [held[key] for key in sorted(held) if namespace in ("", key[0])]

    def create(self, resource: str, one: Json) -> Json:
        """Store a new object with its name, uid, time and first version; the caller has checked that it is new."""
        meta = dict(one["metadata"])
        if not meta.get("name"):
            meta["name"] = meta["generateName"] + self.suffix()
        meta.setdefault("uid", str(uuid.UUID(int=self.chance.getrandbits(128), version=4)))
        meta.setdefault("creationTimestamp", stamp(self.clock()))
        if BY_NAME[resource].generation:
            meta["generation"] = 1
        return self._keep("ADDED", resource, {**one, "metadata": meta}, None)

    def suffix(self, length: int = 5) -> str:
        """Make the end of a generated name."""
        return "".join(self.chance.choices(ALPHABET, k=length))

    def update(self, resource: str, one: Json, *, counted: bool = True) -> Json:
        """Store an object anew; one that is as it was keeps its version. A changed spec is a new generation.

        Writes of a status are not `counted`, even where they change annotations: no new generation.
        """
        meta = one["metadata"]
        before = self._objects[resource][meta.get("namespace", ""), meta["name"]]
        if _content(one) == _content(before):
            return before
        if BY_NAME[resource].generation:
            kept = before["metadata"].get("generation", 1)
            meta = {**meta, "generation": kept + (counted and specified(resource, one, before))}
        return self._keep("MODIFIED", resource, {**one, "metadata": meta}, before)

    def remove(self, resource: str, namespace: str, name: str) -> Json:
        """Take an object away for good."""
        return self._keep("DELETED", resource, self._objects[resource][namespace, name], None)

    def since(self, version: int, resource: str) -> Sequence[Event]:
        """Give what changed of a resource after a version, in order; Gone where that is not remembered."""
        if version < self._forgotten:
            raise Gone
        newer = itertools.takewhile(lambda one: one.version > version, reversed(self._events))
        return [one for one in newer if one.resource == resource][::-1]

    @property
    def forgotten(self) -> int:
        """The version up to which changes are not remembered."""
        return self._forgotten

    def forget(self) -> None:
        """Forget every change so far, as etcd's compaction does."""
        self._events.clear()
        self._forgotten = self.version

    @contextmanager
    def as_of(self, at: float) -> Iterator[None]:
        """Show everything as it was at a moment, as far back as is remembered. Only for reading."""
        now, version = self._objects, self.version
        self._objects = {name: dict(held) for name, held in now.items()}
        for event in reversed(self._events):
            if event.at <= at:
                break
            self._undo(event)
        try:
            yield
        finally:
            self._objects, self.version = now, version

    def _undo(self, event: Event) -> None:
        self.version = event.version - 1
        if event.before is None:
            del self._objects[event.resource][event.namespace, event.name]
        else:
            self._objects[event.resource][event.namespace, event.name] = event.before

    def _keep(self, change: Change, resource: str, one: Json, before: Json | None) -> Json:
        self.version += 1
        kept = {**one, "metadata": {**one["metadata"], "resourceVersion": str(self.version)}}
        key = (kept["metadata"].get("namespace", ""), kept["metadata"]["name"])
        if change == "DELETED":
            before = self._objects[resource].pop(key)
        else:
            self._objects[resource][key] = kept
        self._remember(Event(self.version, change, resource, kept, before, self.clock()))
        return kept

    def _remember(self, event: Event) -> None:
        if len(self._events) == REMEMBERED:
            self._forgotten = self._events[0].version
        self._events.append(event)
        for listener in self.listeners:
            listener(event)


def _content(one: Json) -> Json:
    """Give an object without what the store itself counts."""
    counted = {"resourceVersion", "generation"}
    return {**one, "metadata": {k: v for k, v in one["metadata"].items() if k not in counted}}


def specified(resource: str, one: Json, before: Json) -> bool:
    """Say whether a change is one of what is wanted: its end is, and of a Deployment the annotations count."""
    if "deletionTimestamp" in one["metadata"].keys() - before["metadata"].keys():
        return True
    if resource == "deployments" and one["metadata"].get("annotations") != before["metadata"].get(
        "annotations"
    ):
        return True
    outside = {"metadata", "status"}
    return any(one.get(key) != before.get(key) for key in (one.keys() | before.keys()) - outside)
