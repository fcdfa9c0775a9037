"""Every scenario, every call of it, every fault: run, recovered by another command, and judged."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import msgspec

from deployctl.memory import ANNOTATION, Memory
from deployctl.sandbox.calls import Call
from deployctl.sandbox.faults import Fault, Kind
from tests.faults.scenarios import APP, NEW, OLD, SCENARIOS, Scenario
from tests.faults.stage import Process, on, steal
from tests.faults.witness import Violation, Witness

STANDS_SECONDS = 900.0  # longer than any deadline: what a dead process left has to stand
LEASE_OVER_SECONDS = 15.0
JUMP_SECONDS = 86400.0
SECONDS: dict[str, float] = {"timeout": 15.0, "tooMany": 3.0, "stale": 5.0, "slowWatch": 5.0}

EVERY = ("killBefore", "dropBefore", "timeout", "tooMany", "error", "unavailable", "lockLost", "clockJumps")
WRITES = (*EVERY, "killAfter", "dropAfter", "conflict")
READS = (*EVERY, "stale")
LISTS = (*READS, "gone")
WATCHES = (*EVERY, "gone", "slowWatch", "truncated")
LISTED = frozenset(
    {
        "deployments",
        "replicasets",
        "statefulsets",
        "controllerrevisions",
        "pods",
        "services",
        "endpointslices",
        "configmaps",
    }
)
THENS = ("resume", "rollback")
PLANNED = frozenset({"lockLost", "clockJumps"})  # which the stage does, and no plan of the sandbox


@dataclass(frozen=True, order=True)
class Trial:
    """One run: `fault` befalls call number `call` of a scenario's act, and `then` recovers."""

    scenario: str
    call: int = 0  # from 1; 0: none
    fault: str = ""
    then: str = ""

    def __str__(self) -> str:
        return f"{self.scenario}/{self.fault}@{self.call}/{self.then}"

    @classmethod
    def parse(cls, text: str) -> Trial:
        scenario, fault, then = text.split("/")
        kind, _, call = fault.partition("@")
        return cls(scenario, int(call), kind, then)


def befalling(call: Call) -> tuple[str, ...]:
    """Name the faults that make a difference to a call: a read that is killed after it is killed before the next."""
    if call.method != "GET":
        return WRITES
    if "watch" in call.query:
        return WATCHES
    return LISTS if call.path.rpartition("/")[2] in LISTED else READS


@cache
def calls(scenario: str, seed: int) -> tuple[Call, ...]:
    """Give the calls that the act of a scenario sends when nothing goes wrong."""
    return tuple(call for one in Run(Trial(scenario), seed).acted() for call in one.calls)


def whole(seed: int, scenarios: Iterable[str] = SCENARIOS) -> Iterator[Trial]:
    for name in scenarios:
        for number, call in enumerate(calls(name, seed), 1):
            for fault in befalling(call):
                for then in THENS:
                    yield Trial(name, number, fault, then)


def sample(trials: list[str], runs: int) -> list[str]:
    """Choose so many of all, the same ones every time, spread over every scenario, call and fault alike."""
    kept = set(sorted(trials, key=lambda one: zlib.crc32(one.encode()))[:runs])
    return [one for one in trials if one in kept]


class Run:
    """One trial being carried out."""

    def __init__(self, trial: Trial, seed: int, scenario: Scenario | None = None) -> None:
        self.trial, self.seed = trial, seed
        self.scenario = scenario or SCENARIOS[trial.scenario]
        self.stage = self.scenario.at_rest(seed)
        self.witness = Witness(self.stage, self.scenario)
        self.sent = 0  # calls of the act
        self.began = False  # whether the process had written to the Deployment when the fault befell it
        self.befell: Call | None = None

    def acted(self) -> list[Process]:
        """Run the scenario alone."""
        with on(self.stage):
            self._before()
            return self._act()

    def violations(self) -> list[Violation]:
        """Run it all: what was before, the act with its fault, the standing, the recovery, and once more."""
        with on(self.stage):
            self._before()
            act = self._act()
            self.stage.weather.plan = []
            self.stage.world.pass_time(STANDS_SECONDS)
            self._recover(act)
        return self.witness.violations

    def _before(self) -> None:
        for command, fault in self.scenario.before:
            self.stage.weather.plan = [fault] if fault else []
            self._run(command)
            self.stage.weather.plan = []
            self.stage.world.pass_time(LEASE_OVER_SECONDS)

    def _run(self, command: str) -> Process:
        self.witness.kept = self.witness.kept and not command.startswith("finish")
        return self.stage.run(command, self.scenario.body(command))

    def _act(self) -> list[Process]:
        self.scenario.meanwhile(self.stage)
        self.witness.began = self.stage.world.now
        self.stage.before_call = self._befall
        if self.trial.fault and self.trial.fault not in PLANNED:
            self.stage.weather.plan = [self._fault()]
        done: list[Process] = []
        for command in self.scenario.act:
            done.append(self._run(command))
            self.witness.spoke(done[-1], self._exits(last=command is self.scenario.act[-1]))
            if done[-1].code not in (0, 4):
                break
        self.stage.before_call = lambda _process, _call: None
        return done

    def _fault(self) -> Fault:
        kind: Kind = self.trial.fault  # type: ignore[assignment]
        return Fault(kind, call=self.trial.call, seconds=SECONDS.get(kind, 1.0))

    def _exits(self, *, last: bool) -> frozenset[int]:
        """Say how a command may end: as it always does, unless the fault came before its first write to the workload.

        A lock that is lost ends it at any time, and so does one that looks lost: the API never shows a Lease as it was.
        """
        promised = frozenset(self.scenario.exits if last else (0, 4))
        lock = self.trial.fault == "stale" and self.befell is not None and "/leases/" in self.befell.path
        if self.trial.fault in {"", "clockJumps"} or (
            self.began and not lock and self.trial.fault != "lockLost"
        ):
            return promised
        return promised | {1, 2, 6, 7}

    def _befall(self, process: Process, call: Call) -> None:
        self.sent += 1
        if self.sent != self.trial.call:
            return
        self.began, self.befell = process.began, call
        if self.trial.fault == "lockLost":
            self._lose_the_lock()
        elif self.trial.fault == "clockJumps":
            self.stage.skew_seconds += JUMP_SECONDS if self.trial.call % 2 else -JUMP_SECONDS

    def _lose_the_lock(self) -> None:
        """Be the process that takes the release over by force, and dies of it."""
        steal(self.stage, APP)
        memory, deployment = self.witness.memory(), self.witness.deployment()
        if memory is None:
            return
        taken = msgspec.structs.replace(
            memory, fence=memory.fence + 1, turn=memory.turn + 1, by="bob@elsewhere/1"
        )
        meta = deployment["metadata"]
        notes = {**meta["annotations"], ANNOTATION: taken.dump()}
        self.stage.update(self.scenario.resource, {**deployment, "metadata": {**meta, "annotations": notes}})
        self.witness.taken_over(memory.id)

    def _recover(self, act: list[Process]) -> None:
        """Go on or go back with another process, and see that once more changes nothing."""
        memory = self.witness.memory()
        if self.trial.then == "rollback":
            self._without_help(memory)
        again = self.scenario.again if self.trial.then != "rollback" else "rollback"
        done = self._run(again)
        if done.code == 4:
            done = self._run("promote")
        self.witness.spoke(done, frozenset({0, 3} if memory else {0, 2, 3}))
        self.stage.world.pass_time(STANDS_SECONDS)
        self._ended_as_it_should(act, memory)
        self.witness.at_the_end()
        self.witness.flags_at_the_end(done)
        self.witness.told_nobody()
        self._once_more()

    def _without_help(self, memory: Memory | None) -> None:
        """I8: the way back has no pod to ask and, of a release in flight, every other time no record to read."""
        self.stage.mute = True
        self.stage.heard_out = self.witness.stable_told
        record = f"deployctl-{APP}"
        known = self.scenario.flags  # which without its record no process knows (docs/flags-in-a-release.md)
        if memory and self.trial.call % 2 and not known and self.stage.get("configmaps", record):
            self.stage.remove("configmaps", record)

    def _ended_as_it_should(self, act: list[Process], memory: Memory | None) -> None:
        image = self.witness.deployment()["spec"]["template"]["spec"]["containers"][0]["image"]
        if self.trial.then == "rollback":
            wanted = {OLD}
        elif memory:
            goes_back = memory.phase == "returning" or memory.strategy == "rollback"
            wanted = {OLD if goes_back else self.scenario.onward}
        elif act[-1].code in self.scenario.exits and len(act) == len(self.scenario.act):
            wanted = {self.scenario.ends}
        else:
            wanted = {OLD, NEW}
        if image not in wanted:
            self.witness.say("I6", "image", f"{image} serves, and not {' or '.join(sorted(wanted))}")

    def _once_more(self) -> None:
        """I6: a second run writes nothing."""
        done = self._run("resume")
        if done.writes:
            self.witness.say("I6", "again", f"a second run wrote {done.writes} times")


def violations(trial: Trial, seed: int) -> list[Violation]:
    """Carry out a trial; give what did not hold."""
    return Run(trial, seed).violations()
