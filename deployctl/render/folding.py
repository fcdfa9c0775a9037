"""Folds the events of a release (docs/events.md) into its timeline."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from typing import Any

from deployctl.render.answers import Answers
from deployctl.render.timeline import Mark, Measure, Moment, Pods, Scaling, Span, Timeline

Json = dict[str, Any]
ONE_BY_ONE = {
    "label": "label {}: what serves now goes on serving",
    "admit": "let {} in",
    "detach": "detach {}: no new traffic, next to go",
    "clean": "clean {}: nothing of ours stays",
}
UNSEEN = {
    "begin",
    "pause",
    "valve",
    "label",
    "clean",
}  # writes that prepare or tidy up: nothing moves by them
DELIBERATE = {"bake", "keepOld", "promoteAfter"}  # the waits that a spec asks for
DELIBERATE_SECONDS = 1.0


def timeline(events: Iterable[Json], title: str = "", answers: Answers | None = None) -> Timeline:
    """Fold the events of one release: of one run, or of several that went on with each other."""
    told = list(events)
    if not told:
        return Timeline("", 0.0, 0.0, title=title, answers=answers)
    began = moment_of(told[0])
    last = [one["result"] for one in told if one["type"] == "result"]
    result = last[-1] if last else {}
    return Timeline(
        app=told[0]["app"],
        began=began,
        seconds=_at(told[-1], began),
        moments=tuple(_moments(told, began)),
        spans=tuple(sorted((*_gates(told, began), *_waits(told, began)), key=lambda one: one.began)),
        marks=tuple(sorted((*_marks(told, began), *_takeovers(told, began)), key=lambda one: one.at)),
        scaling=tuple(_scaling(told, began)),
        outcome=result.get("outcome", ""),
        reason=result.get("reason", ""),
        title=title,
        answers=answers,
    )


def moment_of(event: Json) -> float:
    """Give an event's time in seconds since 1970."""
    return dt.datetime.fromisoformat(event["ts"]).timestamp()


def _at(event: Json, began: float) -> float:
    return round(moment_of(event) - began, 3)


def _moments(told: Sequence[Json], began: float) -> Iterator[Moment]:
    for one in told:
        if one["type"] == "pods":
            at = _at(one, began)
            sides = _pods(one["stable"]), _pods(one["preview"])
            yield Moment(at, one["share"], *sides, size=one.get("replicas", 0))


def _pods(side: Json) -> Pods:
    return Pods(side["revision"], side["pods"], side["ready"], side["serving"])


def _scaling(told: Sequence[Json], began: float) -> Iterator[Scaling]:
    """Give what the first autoscaler said: of two that scale one workload none works."""
    said = [one for one in told if one["type"] == "scaling"]
    for one in said:
        if one["scaler"] == said[0]["scaler"]:
            measures = (Measure(each["name"], each["now"] or "", each["target"]) for each in one["metrics"])
            floor = one["min"] if one["floor"] is None else one["floor"]
            at = _at(one, began)
            yield Scaling(at, one["wants"] or 0, one["min"], floor, one["max"], tuple(measures))


def _gates(told: Sequence[Json], began: float) -> Iterator[Span]:
    """Give each gate from when its stage was first waited for to its verdict, or to the last answer it gave."""
    open_: dict[tuple[str, str, str], Span] = {}
    asked_at = 0.0
    for one in told:
        at = _at(one, began)
        if one["type"] == "waiting" and one["key"].startswith("gates "):
            asked_at = at if one["seconds"] < DELIBERATE_SECONDS else asked_at
        if one["type"] not in {"measured", "gate"}:
            continue
        key = (one["stage"], one["gate"], one["about"])
        begun = Span(one["stage"], one["gate"], asked_at or at, at)
        span = _answered(open_.get(key, begun), one, at)
        open_[key] = span
    yield from open_.values()


def _answered(span: Span, one: Json, at: float) -> Span:
    if one["type"] == "gate":
        return replace(span, ended=at, passed=one["passed"], evidence=one["evidence"])
    return replace(span, ended=at, evidence=one["evidence"], answers=(*span.answers, (at, one["answer"])))


def _waits(told: Sequence[Json], began: float) -> Iterator[Span]:
    """Give the waits that somebody asked for: bake, keepOld, promoteAfter."""
    for one, after in pairwise(one for one in told if one["type"] != "pods"):
        name = one.get("key", "").partition(" ")[0]
        if name in DELIBERATE and (one["left"] or 0) >= DELIBERATE_SECONDS:
            yield Span("", name, _at(one, began), _at(after, began), evidence=one["text"])


def _marks(told: Sequence[Json], began: float) -> Iterator[Mark]:
    """Give what was done and noted, with alike writes to several pods as one."""
    acts = (one for one in _labelling(told) if one["type"] in {"action", "note", "gate"})
    for kind, group in groupby(acts, key=_kind):
        alike = list(group)
        if kind in ONE_BY_ONE:
            alike = [{**alike[0], "text": ONE_BY_ONE[kind].format(_several(alike))}]
        if kind:
            yield from (Mark(_at(one, began), kind, one["text"], _moves(one, kind)) for one in alike)


def _labelling(told: Sequence[Json]) -> Iterator[Json]:
    """Call the labelling of pods that serve already by its own name: it changes nothing for them."""
    previews = 0
    for one in told:
        previews = one["preview"]["pods"] if one["type"] == "pods" else previews
        yield {**one, "action": "label"} if one.get("action") == "admit" and not previews else one


def _takeovers(told: Sequence[Json], began: float) -> Iterator[Mark]:
    """Give the moments where one run left off and another went on: events are numbered anew."""
    for one, after in pairwise(told):
        if after["seq"] <= one["seq"]:
            if one["type"] != "result":
                yield Mark(_at(one, began), "stopped", "the process ends here; what it left stands")
            yield Mark(_at(after, began), "resumed", "another process goes on")


def _kind(event: Json) -> str:
    kinds: dict[str, str] = {"action": event.get("action", ""), "note": "note"}
    return kinds.get(event["type"], "")


def _moves(event: Json, kind: str) -> bool:
    """Tell what changes who serves from what prepares it or tidies up."""
    return kind not in UNSEEN and (kind != "pin" or event["text"].startswith(("shift", "return")))


def _several(alike: Sequence[Json]) -> str:
    return f"{len(alike)} pods" if len(alike) > 1 else str(alike[0]["pod"])
