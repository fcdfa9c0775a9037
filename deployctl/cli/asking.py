"""The bodies of `gate run`, `gate list` and `gate explain`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from deployctl.cli.flags import Flags
from deployctl.cli.session import show, subject, tell
from deployctl.cluster.api import Api
from deployctl.cluster.asking import asked
from deployctl.errors import UsageError
from deployctl.explained import explained
from deployctl.explained import kinds as installed
from deployctl.gates import About, Asked
from deployctl.gates.stage import Asking, Stages, measured, most_seconds
from deployctl.glance import snapshot
from deployctl.observe import live, pods_of, replica_set
from deployctl.prepare import names_of
from deployctl.render import gates as render
from deployctl.spec import App, Gate
from deployctl.template import digest
from deployctl.workload import hash_of
from strategies.analysis import Answer, Measurement, summary
from strategies.model import Question, Stage

Json = dict[str, Any]
BROKE = Measurement(Answer.UNKNOWN, "it broke; its traceback is on standard error")
CODES = {Answer.PASS: 0, Answer.INCONCLUSIVE: 4, Answer.FAIL: 3, Answer.UNKNOWN: 3}
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Said:
    """What one gate said: one weighed measurement, or a verdict as one."""

    stage: str
    gate: Gate
    answer: Measurement

    @property
    def code(self) -> int:
        """Give the exit code; a dry run acts on nothing."""
        return 0 if self.gate.dry_run else CODES[self.answer.answer]

    def plain(self) -> Json:
        one = self.answer
        numbers = {"value": one.value, "samples": one.samples, "ageSeconds": one.age_seconds}
        said = {"stage": self.stage, "name": self.gate.name, "kind": self.gate.ask.kind}
        told = {"answer": one.answer.value, "evidence": one.evidence, "dryRun": self.gate.dry_run}
        return {**said, **told, **{key: value for key, value in numbers.items() if value is not None}}


def run(flags: Flags, name: str, stage: str, only: str, *, watch: bool) -> int:
    """Ask the chosen gates; give the exit code."""
    api, found = subject(flags, name)
    chosen = list(_chosen(found.app, stage, only))
    pods = _pods(api, found.app)
    heard = _to_verdicts(chosen, pods) if watch else _once(chosen, pods)
    whole: Json = {
        "apiVersion": "deployctl.dev/v1alpha1",
        "kind": "GateRun",
        "app": found.app.name,
        "namespace": api.namespace,
        "gates": [one.plain() for one in heard],
    }
    show(
        flags,
        whole,
        render.answers(whole["gates"]),
        "\n".join(f"{one.stage}/{one.gate.name}" for one in heard),
    )
    codes = {one.code for one in heard}
    return max(codes - {4}, default=0) or max(codes, default=0)


def _chosen(app: App, stage: str, only: str) -> Iterator[tuple[str, Gate]]:
    """List the gates that are meant; raise UsageError where there is none."""
    stages = tuple(one.value for one in Stage)
    if stage and stage not in stages:
        raise UsageError(f"--stage {stage}: unknown; expected one of {', '.join(stages)}")
    every = [(one, gate) for one in stages for gate in getattr(app.spec.gates, one)]
    found = [(one, gate) for one, gate in every if stage in ("", one) and only in ("", gate.name)]
    if not found:
        known = ", ".join(f"{one}/{gate.name}" for one, gate in every) or "none"
        raise UsageError(f"no such gate of {app.name}; it has {known}")
    yield from found


def _pods(api: Api, app: App) -> Callable[[], Asked]:
    """Give what looks anew, for each measurement, at the pods on trial or else at the live ones."""
    names = names_of(app, api.namespace)

    def look() -> Asked:
        seen = snapshot(api, names)
        memory = seen.memory
        live_template = digest(seen.deployment["spec"]["template"])
        new = replica_set(seen.replica_sets, memory.preview if memory else live_template)
        old = replica_set(seen.replica_sets, memory.stable) if memory else None
        pods = tuple(one for one in (pods_of(new, seen) if new else ()) if live(one))
        stable, preview = (hash_of(one) if one else "" for one in (old, new))
        about = About(app.name, api.namespace, stable, preview, names.kind, names.deployment)
        return asked(api, about, pods, seen.services[0], app.spec.gates, app.spec.flags)

    return look


def _once(chosen: list[tuple[str, Gate]], look: Callable[[], Asked]) -> list[Said]:
    """Measure each once, side by side."""
    at = look()
    heard: dict[int, Measurement] = {}

    def ask(number: int, gate: Gate) -> None:
        limited = replace(at, timeout_seconds=gate.timeout_seconds)
        one = measured(gate, limited, most_seconds(gate, len(at.pods))) or BROKE
        heard[number] = gate.analysis.weigh(one)

    threads = [threading.Thread(target=ask, args=(number, gate)) for number, (_, gate) in enumerate(chosen)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return [Said(stage, gate, heard[number]) for number, (stage, gate) in enumerate(chosen)]


def _to_verdicts(chosen: list[tuple[str, Gate]], look: Callable[[], Asked]) -> list[Said]:
    """Measure as a release would, and tell each measurement as it comes."""
    over = threading.Event()
    stages = Stages(lambda: None)
    questions = {one: Question(Stage(one), "gate run") for one, _ in chosen}
    for one, question in questions.items():
        stages.ask(question, tuple(gate for stage, gate in chosen if stage == one), look)
    told: dict[int, int] = {}
    askings = [(one, asking) for one, question in questions.items() for asking in stages.asked[question]]
    try:
        while not all(asking.verdict for _, asking in askings):
            _tell_new(askings, told)
            over.wait(POLL_SECONDS)
    finally:
        stages.stop()
    _tell_new(askings, told)
    return [Said(stage, asking.gate, _verdict(asking)) for stage, asking in askings]


def _tell_new(askings: list[tuple[str, Asking]], told: dict[int, int]) -> None:
    for stage, one in askings:
        taken = list(one.taken)
        for each in taken[told.get(id(one), 0) :]:
            tell(f"{stage} {one.gate.name}: {each.answer.value}: {each.evidence}")
        told[id(one)] = len(taken)


def _verdict(one: Asking) -> Measurement:
    """Write a verdict as a measurement."""
    verdict = one.verdict
    if verdict is None:
        return BROKE
    answer = Answer.INCONCLUSIVE if verdict.undecided else Answer.PASS if verdict.passed else Answer.FAIL
    short = summary(one.taken)
    last = one.taken[-1] if one.taken else BROKE
    evidence = verdict.evidence + (f" ({short})" if short else "")
    return Measurement(answer, evidence, last.value, last.samples, last.age_seconds)


def kinds(flags: Flags) -> None:
    """Print every kind of gate."""
    found = installed()
    whole = {"apiVersion": "deployctl.dev/v1alpha1", "kind": "GateList", "items": found}
    show(flags, whole, render.listing(found), "\n".join(one["name"] for one in found))


def explain(flags: Flags, name: str) -> None:
    """Print what one kind says of itself."""
    one = explained(name)
    whole: Json = msgspec.to_builtins(one)
    first = {"apiVersion": whole.pop("apiVersion"), "kind": whole.pop("kind")}
    show(flags, {**first, **whole}, render.explanation(one), one.name)
