"""`-o jsonl`: one event a line on standard output. docs/events.md says what each type means, for good."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import time
from collections.abc import Callable
from typing import Any

from deployctl.autoscaling.through import called
from deployctl.gates.stage import Asking, Stages
from deployctl.observe import Snapshot
from deployctl.render import words
from deployctl.render.autoscaling import sized
from deployctl.rollout import Story
from strategies.model import Action, Ask, Observed, Question, Side, Step, Wait

Json = dict[str, Any]
HEARTBEAT_SECONDS = 30.0


def utc() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Jsonl:
    """Writes events. `write` puts out one line; `now` is the wall clock as text."""

    def __init__(
        self,
        app: str,
        write: Callable[[str], None],
        now: Callable[[], str] = utc,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._write, self._now, self._clock = app, write, now, clock
        self._seq, self._waited, self._since, self._last_at = 0, "", clock(), clock()
        self._pods: Json = {}
        self._scaling: dict[str, Json] = {}
        self._measured: dict[tuple[Question, str], int] = {}
        self._answered: set[tuple[Question, str]] = set()

    def turn(self, look: Snapshot, seen: Observed, step: Step, stages: Stages) -> None:
        self._tell_pods(seen)
        self._tell_scaling(look.scalers)
        for question, askings in list(stages.asked.items()):
            for one in askings:
                self._tell_gate(question, one)
        if isinstance(step, Wait | Ask):
            self._tell_wait(step, seen)

    def did(self, action: Action, seen: Observed) -> None:
        self._waited = ""
        fields = {key: _plain(value) for key, value in dataclasses.asdict(action).items()}
        self._event("action", action=type(action).__name__.lower(), text=words.did(action, seen), **fields)

    def note(self, text: str) -> None:
        self._event("note", text=text)

    def close(self) -> None:
        """Nothing is kept back."""

    def ended(self, result: Json) -> None:
        """Tell the result of the run: the last event."""
        self._event("result", result=result)

    def _tell_pods(self, seen: Observed) -> None:
        pods = {"stable": _side(seen.stable), "preview": _side(seen.preview), "share": words.percent(seen)}
        if pods != self._pods:
            self._pods = pods
            self._event("pods", phase=seen.phase.value if seen.phase else "", replicas=seen.replicas, **pods)

    def _tell_scaling(self, scalers: tuple[Json, ...]) -> None:
        for one in scalers:
            told = {"scaler": called(one), **sized(one)}
            if self._scaling.get(told["scaler"]) != told:
                self._scaling[told["scaler"]] = told
                self._event("scaling", **told)

    def _tell_gate(self, question: Question, one: Asking) -> None:
        key, taken = (question, one.gate.name), list(one.taken)
        told = self._measured.get(key, 0)
        who = {"gate": one.gate.name, "stage": question.stage.value, "about": question.about}
        for at, measured in enumerate(taken[told:], told + 1):
            self._event(
                "measured", **who, number=at, answer=measured.answer.value, evidence=measured.evidence
            )
        self._measured[key] = len(taken)
        if one.verdict and key not in self._answered:
            self._answered.add(key)
            self._event("gate", **who, passed=one.verdict.passed, evidence=one.verdict.evidence)

    def _tell_wait(self, step: Wait | Ask, seen: Observed) -> None:
        key, now = words.key(step), self._clock()
        if key == self._waited and now - self._last_at < HEARTBEAT_SECONDS:
            return
        if key != self._waited:
            self._waited, self._since = key, now
        text, left = words.step(step, seen), words.left(step)
        self._event("waiting", key=key, text=text, seconds=round(now - self._since, 1), left=left)

    def _event(self, kind: str, **fields: Any) -> None:
        self._seq += 1
        self._last_at = self._clock()
        head = {"v": 1, "ts": self._now(), "seq": self._seq, "app": self._app, "type": kind}
        self._write(json.dumps({**head, **fields}, ensure_ascii=False))


def _side(side: Side) -> Json:
    return {
        "revision": side.revision,
        "desired": side.desired,
        "pods": len(side.pods),
        "ready": len(side.ready),
        "serving": sum(bool(pod.endpoints) for pod in side.pods),
    }


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


class Together:
    """Tells a program and a person."""

    def __init__(self, program: Jsonl, person: Story) -> None:
        self._program = program
        self._listeners: tuple[Story, ...] = (program, person)

    def turn(self, look: Snapshot, seen: Observed, step: Step, stages: Stages) -> None:
        for one in self._listeners:
            one.turn(look, seen, step, stages)

    def did(self, action: Action, seen: Observed) -> None:
        for one in self._listeners:
            one.did(action, seen)

    def note(self, text: str) -> None:
        for one in self._listeners:
            one.note(text)

    def close(self) -> None:
        for one in self._listeners:
            one.close()

    def ended(self, result: Json) -> None:
        self._program.ended(result)
