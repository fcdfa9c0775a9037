"""Ask pods that are to go how many rounds are open on them, again and again, while the loop goes on watching.

A pod is believed to have none once it has said so twice in a row, and only for as long as it keeps saying so.
One that has lost its traffic has to have been asked both times after every node had heard of it: a node that has not
sends it new rounds still.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from deployctl.cluster.proxy import Proxy
from deployctl.errors import DeployctlError
from deployctl.foreign import printable
from deployctl.gates.http import port_of
from deployctl.observe import Open
from deployctl.repeated import AT_ONCE, Each, Repeated
from deployctl.spec import Rounds
from strategies.steps import SPREAD_SECONDS

Json = dict[str, Any]
INTERVAL_SECONDS = 5.0
HURRY_SECONDS = 0.5  # where their word is waited for
STALE_SECONDS = 10.0  # an older word is none
TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Word:
    """What a pod said last, and at which time of the clock it was asked; `before`: the last time, if it said the same."""

    at: float
    open: Open
    before: float | None = None


@dataclass
class Census(Repeated):
    """The rounds on the pods that it was told to ask; `port` finds the number of the page's port on a pod."""

    rounds: Rounds
    proxy: Proxy
    port: Callable[[Json], int | None]
    wake: Callable[[], None]
    clock: Callable[[], float] = time.monotonic
    _words: dict[str, Word] = field(default_factory=dict)
    _pods: tuple[Json, ...] = ()
    _dark: Mapping[str, float] = field(
        default_factory=dict
    )  # by a pod's UID: since when it is without traffic

    def __post_init__(self) -> None:
        super().__init__()
        self._hurry = False

    def ask(self, pods: Iterable[Json], *, dark: Iterable[str] = (), hurry: bool = False) -> None:
        """From now on ask these pods and no others, of which the `dark` ones get no traffic; in a hurry more often."""
        self._pods, before, now = tuple(pods), self._dark, self.clock()
        self._dark = {uid: before.get(uid, now) for uid in dark}
        urgent = (hurry and not self._hurry) or self._dark.keys() > before.keys()
        self._hurry = hurry
        if self._pods and not self._going:
            self._going = True
            self.begin()
        elif urgent:
            self.nudge()

    @property
    def pause_seconds(self) -> float:
        """Ask soon again who is waited for, or has said only once that there is none."""
        unsure = any(self._believed(uid, word) != word.open for uid, word in self._words.items())
        return HURRY_SECONDS if self._hurry or unsure else INTERVAL_SECONDS

    def open(self) -> Mapping[str, Open]:
        """Give what is known now, by the pods' UIDs; who has not said, or only once that there is none, is unknown."""
        oldest = self.clock() - STALE_SECONDS
        words = dict(self._words).items()
        return {uid: self._believed(uid, word) for uid, word in words if word.at >= oldest}

    def _believed(self, uid: str, word: Word) -> Open:
        """Take a word for what it is worth: one of none only where it was given twice, after the traffic had gone."""
        if word.open.count != 0:
            return word.open
        if word.before is None:
            return Open()
        dark = self._dark.get(uid)
        early = dark is not None and word.before < dark + SPREAD_SECONDS
        return Open(mute="its traffic has only just gone") if early else word.open

    def once(self, each: Each[Open] = map) -> None:
        """Ask every pod once, and wake the loop where something new was said."""
        pods, before, now = self._pods, self.open(), self.clock()
        for pod, said in zip(pods, each(self.said, pods), strict=True):
            self._take(pod["metadata"]["uid"], said, now)
        there = {pod["metadata"]["uid"] for pod in pods}
        self._words = {uid: word for uid, word in self._words.items() if uid in there}
        if self.open() != before:
            self.wake()

    def _take(self, uid: str, said: Open, at: float) -> None:
        last = self._words.get(uid)
        same = last is not None and last.open.count == said.count
        self._words[uid] = Word(at, said, last.at if last and same else None)

    def said(self, pod: Json) -> Open:
        """Ask one pod."""
        port = self.port(pod)
        if port is None:
            return Open(mute="it has no such port")
        try:
            answer = self.proxy(pod["metadata"]["name"], port, "http", self.rounds.path, TIMEOUT_SECONDS)
        except DeployctlError as error:
            return Open(mute=printable(str(error))[:200])
        return self.read(*answer)

    def read(self, status: int, body: bytes) -> Open:
        """Read the page: a JSON object whose field is a whole number, not negative; anything else is unknown."""
        if status != 200:
            return Open(mute=f"{self.rounds.path}: {status}")
        try:
            page = json.loads(body)
            count, oldest = page[self.rounds.field], page.get(self.rounds.oldest) or 0.0
        except (ValueError, LookupError, TypeError, AttributeError):
            return Open(mute=f"{self.rounds.path} has no field {self.rounds.field}")
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            return Open(mute=f"{self.rounds.path}: {self.rounds.field} is no count")
        return Open(count, float(oldest) if isinstance(oldest, int | float) else 0.0)


def asked_once(rounds: Rounds, proxy: Proxy, service: Json, pods: Iterable[Json]) -> dict[str, Open]:
    """Ask pods once, for somebody who only looks: a first *none* is told as that."""
    port, several = partial(port_of, service=service, wanted=rounds.port), tuple(pods)
    census = Census(rounds, proxy, port, lambda: None)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        said = threads.map(census.said, several)
        return {pod["metadata"]["uid"]: one for pod, one in zip(several, said, strict=True)}
