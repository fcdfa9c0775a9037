"""Asks pods whether they consume events, tells them to, and believes what they say afterwards.

A pod's word counts for as long as it is fresh. What a pod was told is no word of its own: until it says so itself
it is unknown, and so is one that is told and does not heed it. A word is taken once the pod was told under our seal
to stay as it is: then it refuses what a process of before, or of a release of before, sent and was late to arrive.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from deployctl.cluster.proxy import Post, Proxy
from deployctl.consumes import Consumes
from deployctl.errors import DeployctlError
from deployctl.foreign import printable
from deployctl.repeated import Each, Repeated

Json = dict[str, Any]
INTERVAL_SECONDS = 5.0
HURRY_SECONDS = 0.5  # where their word is waited for
STALE_SECONDS = 10.0  # an older word is none
AGAIN_SECONDS = 1.0  # from telling a pod to telling it again
TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Word:
    """What a pod says: whether it consumes, or why that is not known; and for how long it was not as it should be.

    `since` is the time from which on it is so, where the pod tells that.
    """

    consumes: bool | None = None
    unheard: str = "it was not asked yet"
    late_seconds: float = 0.0
    since: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What a pod was told, when first and when last, and why that could not be done."""

    consume: bool
    first: float
    last: float
    failed: str = ""


@dataclass
class Consumers(Repeated):
    """The consumers in the pods that it was told to ask; `port` finds the number of the page's port on a pod.

    `seal` goes with each order; of two that sort as text the later one counts, whichever arrives first.
    """

    page: Consumes
    proxy: Proxy
    post: Post
    port: Callable[[Json], int | None]
    wake: Callable[[], None]
    seal: str = ""
    clock: Callable[[], float] = time.monotonic
    confirm: Callable[[], None] = lambda: None  # that the release is ours still; raises where it is not
    _pods: tuple[Json, ...] = ()
    _said: dict[str, tuple[float, Word]] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)  # since when a pod says nothing
    _orders: dict[str, Order] = field(default_factory=dict)
    _sealed: set[str] = field(default_factory=set)  # pods that know our seal
    _shown: dict[str, bool | None] = field(default_factory=dict)  # when the loop was woken last

    def __post_init__(self) -> None:
        super().__init__()
        self._hurry = False

    def ask(self, pods: Iterable[Json], *, hurry: bool = False) -> None:
        """From now on ask these pods and no others; in a hurry more often."""
        known = {_uid(one) for one in self._pods}
        self._pods, urgent = tuple(pods), hurry and not self._hurry
        self._hurry = hurry
        if self._pods and not self._going:
            self._going = True
            self.begin()
        elif urgent or not known.issuperset(_uid(one) for one in self._pods):
            self.nudge()

    @property
    def pause_seconds(self) -> float:
        unsure = any(word.consumes is None for word in self.words().values())
        return HURRY_SECONDS if self._hurry or unsure else INTERVAL_SECONDS

    def words(self) -> dict[str, Word]:
        """Give what is known now of each pod, by its UID."""
        now = self.clock()
        return {_uid(one): self._word(_uid(one), now) for one in self._pods}

    def _word(self, uid: str, now: float) -> Word:
        at, said = self._said.get(uid, (now, Word()))
        late = now - self._since[uid] if uid in self._since else 0.0
        if now - at >= STALE_SECONDS:
            return Word(None, "it has not answered for a while", max(late, now - at))
        if said.consumes is None:
            return Word(None, said.unheard, late)
        return self._heeded(uid, said, now)

    def _heeded(self, uid: str, said: Word, now: float) -> Word:
        """Take a word that contradicts what the pod was just told for none; later it stands, for it is told again."""
        order = self._orders.get(uid)
        if order is None or order.consume == said.consumes:
            return said
        why = (
            order.failed or f"it was told {'to consume' if order.consume else 'to stop'}, and has not done so"
        )
        fresh = now - order.last < AGAIN_SECONDS
        return Word(None if fresh else said.consumes, why, now - order.first)

    def tell(self, pod: Json, *, consume: bool) -> None:
        """Tell a pod; what comes of it, it is asked."""
        uid, now = _uid(pod), self.clock()
        before = self._orders.get(uid)
        first = before.first if before and before.consume is consume else now
        self._orders[uid] = Order(consume, first, now)
        failed = self._told(pod, consume=consume)
        self._orders[uid] = Order(consume, first, self.clock(), failed)
        self.nudge()

    def _told(self, pod: Json, *, consume: bool) -> str:
        """Send the order; say why it could not be done."""
        port = self.port(pod)
        if port is None:
            return "it has no such port"
        body = {"consume": consume, "seal": self.seal}
        try:
            status, answer = self.post(
                pod["metadata"]["name"], port, self.page.path or "/", body, TIMEOUT_SECONDS
            )
        except DeployctlError as error:
            return printable(str(error))[:200]
        if status >= 300:
            return (
                f"POST {self.page.path}: {status} {printable(answer.decode(errors='replace'))[:100].strip()}"
            )
        return ""

    def once(self, each: Each[Word] = map) -> None:
        """Ask every pod once, and wake the loop where something new was said."""
        pods, asked = self._pods, self.clock()
        for pod, said in zip(pods, each(self.said, pods), strict=True):
            self._take(_uid(pod), said, asked)
        there = {_uid(pod) for pod in self._pods}
        for kept in (self._said, self._since, self._orders):
            for gone in kept.keys() - there:
                kept.pop(gone, None)
        shown = {uid: one.consumes for uid, one in self.words().items()}
        if shown != self._shown:
            self._shown = shown
            self.wake()

    def _take(self, uid: str, said: Word, asked: float) -> None:
        """Take a word, unless the pod was told something since it was asked; an order that is heeded is over."""
        order = self._orders.get(uid)
        if order and order.last > asked:
            return
        if order and order.consume is said.consumes:
            self._orders.pop(uid, None)
        self._said[uid] = (asked, said)
        if said.consumes is None:
            self._since.setdefault(uid, asked)
        else:
            self._since.pop(uid, None)

    def said(self, pod: Json) -> Word:
        """Ask one pod, and where it does not know our seal yet, tell it to stay as it is."""
        word = self.asked(pod)
        if word.consumes is None or _uid(pod) in self._sealed:
            return word
        if failed := self._confirmed() or self._told(pod, consume=word.consumes):
            return Word(None, failed)
        self._sealed.add(_uid(pod))
        return word

    def _confirmed(self) -> str:
        """Say why nobody is to be told anything; nothing where the release is ours still."""
        try:
            self.confirm()
        except DeployctlError as error:
            return printable(str(error))[:200]
        return ""

    def asked(self, pod: Json) -> Word:
        """Ask one pod, and tell it nothing."""
        port, path = self.port(pod), self.page.path or "/"
        if port is None:
            return Word(None, "it has no such port")
        try:
            status, body = self.proxy(pod["metadata"]["name"], port, "http", path, TIMEOUT_SECONDS)
        except DeployctlError as error:
            return Word(None, printable(str(error))[:200])
        return self.read(status, body)

    def read(self, status: int, body: bytes) -> Word:
        """Read the page: a JSON object whose field is true or false; anything else is unknown."""
        if status != 200:
            return Word(None, f"{self.page.path}: {status}")
        try:
            page = json.loads(body)
            found, since = page[self.page.field], page.get("since")
        except (ValueError, LookupError, TypeError):
            return Word(None, f"{self.page.path} has no field {self.page.field}")
        if not isinstance(found, bool):
            return Word(None, f"{self.page.path}: {self.page.field} is neither true nor false")
        return Word(found, "", since=_moment(since))


def _uid(pod: Json) -> str:
    return str(pod["metadata"]["uid"])


def _moment(text: Any) -> str:
    """Take a time with its zone, `2026-05-04T10:00:00Z`; anything else says nothing."""
    try:
        at = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return ""
    return at.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at.tzinfo else ""
