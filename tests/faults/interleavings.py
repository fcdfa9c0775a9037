"""Two operators at once: every interleaving of their writes with so few turns, under the same oracles.

Each command runs in a thread of its own, and only one of them at a time: it gives the turn away before a write, where
the schedule says so, and what the other saw meanwhile is as old as its turn is long. Nothing else decides who runs.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any
from unittest.mock import patch

from deployctl.sandbox.calls import Call
from tests.faults import matrix
from tests.faults.scenarios import (
    BLUE_GREEN,
    NEW,
    NEWER,
    OLD,
    ROLLING,
    WAITS,
    Scenario,
    dies,
    lowered,
)
from tests.faults.stage import Process, Stage
from tests.faults.witness import Violation

PREFIX = "both:"
TO_THE_END = 99
SECOND_TURNS = (1, 2, TO_THE_END)  # how many writes the first operator makes before the second ends
EXITS = frozenset({0, 2, 3, 4, 6, 8})
DIED = (("release", dies(3)),)
SHIFTED = (("release", dies(7)),)
RANKED: dict[str, Any] = {"policy": "OrderedReady", "size": 2, "floor": 1}
ANOTHER = f"release image={NEWER}"


def _pair(name: str, one: str, other: str, **fields: object) -> tuple[str, tuple[Scenario, str, str]]:
    strategy = ROLLING if name.startswith("rolling") else BLUE_GREEN
    return name, (Scenario(f"both-{name}", strategy, (one,), **fields), one, other)  # type: ignore[arg-type]


PAIRS = dict(
    (
        _pair("blue-green-release-rollback", "release", "rollback"),
        _pair("rolling-release-rollback", "release", "rollback", size=2),
        _pair("blue-green-two-releases", "release", ANOTHER),
        _pair("rolling-two-releases", "release", ANOTHER, size=2),
        _pair("blue-green-release-replaced", "release", f"{ANOTHER} replace=yes"),
        _pair("blue-green-promote-abort", "promote", "abort", before=WAITS),
        _pair("blue-green-resume-rollback", "resume", "rollback", before=DIED),
        _pair("blue-green-shifted-resume-abort", "resume", "abort", before=SHIFTED),
        _pair("rolling-resume-rollback", "resume", "rollback", before=(("release", dies(5)),), size=2),
        _pair("blue-green-two-resumes", "resume", "resume", before=DIED),
        _pair("rolling-two-aborts", "abort", "abort", before=(("release", dies(6)),), size=2),
        _pair("blue-green-finish-abort", "finish", "abort", before=SHIFTED),
        _pair("rolling-stateful-release-rollback", "release", "rollback", **RANKED),
        _pair("rolling-stateful-resume-rollback", "resume", "rollback", before=lowered(5), **RANKED),
    )
)


@dataclass(frozen=True, order=True)
class Trial:
    """The first operator makes `first` writes, the other `other`, the first `again` more; then each ends."""

    pair: str
    first: int
    other: int
    again: int

    def __str__(self) -> str:
        return f"{PREFIX}{self.pair}/{self.first}.{self.other}.{self.again}"

    @classmethod
    def parse(cls, text: str) -> Trial:
        pair, turns = text.removeprefix(PREFIX).split("/")
        return cls(pair, *map(int, turns.split(".")))

    @property
    def turns(self) -> tuple[int, ...]:
        return self.first, self.other, self.again, TO_THE_END


@dataclass
class Turns:
    """Who may run: the first of two for so many writes, then the other, in turn; who has ended is passed over."""

    left: list[int]
    running: int = 0
    ended: set[int] = field(default_factory=set)
    moved: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, me: int) -> None:
        with self.moved:
            self.moved.wait_for(lambda: self.running == me)

    def before_write(self, me: int) -> bool:
        """Give the turn away where it is used up, and come back when it is ours again; say whether that was so."""
        if self.left and not self.left[0]:
            self.left.pop(0)
            self.give_away(me)
            self.wait(me)
            return True
        if self.left:
            self.left[0] -= 1
        return False

    def end(self, me: int) -> None:
        self.ended.add(me)
        self.left = []
        self.give_away(me)

    def give_away(self, me: int) -> None:
        with self.moved:
            if 1 - me not in self.ended:
                self.running = 1 - me
            self.moved.notify_all()


class Words(io.StringIO):
    """Standard output of whichever process runs."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def write(self, text: str) -> int:
        return self.stage.now_on.words.write(text)


class Run(matrix.Run):
    """Two commands on one stage."""

    def __init__(self, trial: Trial, seed: int) -> None:
        scenario, self.one, self.other = PAIRS[trial.pair]
        super().__init__(matrix.Trial(scenario.name, then="resume"), seed, scenario)
        self.turns = Turns(list(trial.turns))

    def _act(self) -> list[Process]:
        self.witness.began = self.stage.world.now
        commands = (self.one, self.other)
        self.witness.kept = not any(one.startswith("finish") for one in commands)
        both = [Process(201, self.one), Process(202, self.other)]
        self.stage.processes.extend(both)
        self.stage.before_call = partial(self._turn, both)
        words = Words(self.stage)
        with patch.object(sys, "stdout", words), patch.object(sys, "stderr", words):
            threads = [
                threading.Thread(target=self._play, args=(number, both[number], commands[number]))
                for number in (0, 1)
            ]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
        self.stage.before_call = lambda _process, _call: None
        self.stage.now_on = self.stage.nobody
        for one in both:
            self.witness.spoke(one, EXITS)
        return both

    def _play(self, number: int, process: Process, command: str) -> None:
        self.turns.wait(number)
        self.stage.now_on = process
        with contextlib.suppress(BaseException):  # what it broke with is noted
            self.stage.play(process, self.scenario.body(command))
        self.turns.end(number)

    def _turn(self, both: list[Process], process: Process, call: Call) -> None:
        if call.method == "GET" or process not in both:
            return
        if self.turns.before_write(both.index(process)):
            self.stage.now_on = process

    def _ended_as_it_should(self, act: list[Process], memory: object) -> None:
        image = self.witness.deployment()["spec"]["template"]["spec"]["containers"][0]["image"]
        if image not in {OLD, NEW, NEWER}:
            self.witness.say("I6", "image", f"{image} serves")


@cache
def writes(pair: str) -> tuple[int, int]:
    """Count the writes of each operator where the first ends before the other begins, and the other way round."""
    counted = []
    for trial in (Trial(pair, TO_THE_END, 0, TO_THE_END), Trial(pair, 0, TO_THE_END, TO_THE_END)):
        run = Run(trial, 0)
        counted.append([sum(call.method != "GET" for call in one.calls) for one in run.acted()])
    return max(counted[0][0], counted[1][0]), max(counted[0][1], counted[1][1])


def whole(pairs: Iterable[str] = PAIRS) -> Iterator[Trial]:
    for pair in pairs:
        mine, others = writes(pair)
        for first in range(mine + 1):
            for other in range(1, others + 1):
                for again in SECOND_TURNS:
                    yield Trial(pair, first, other, again)


def violations(trial: Trial, seed: int) -> list[Violation]:
    """Carry two commands out by a schedule; give what did not hold."""
    return Run(trial, seed).violations()
