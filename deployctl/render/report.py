"""Writes one release as a report: an HTML page that needs nothing else, Markdown for a comment, or plain JSON.

What comes from pods, from people and from the record is foreign text: each format fences it in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import msgspec

from deployctl.published import Released
from deployctl.render import words
from deployctl.render.history import outcome, took
from deployctl.render.marking import tag
from deployctl.render.page import LEGEND, Part, drawn, legend, sheet
from deployctl.render.sizes import loads, said
from deployctl.render.timeline import Mark, Span, Timeline
from deployctl.spoken import harmless

Json = dict[str, Any]
MEANING = re.compile(r"([\\`*_\[\]<>|#&~@!])")  # what Markdown, and a forge that reads it, would obey
LEAD = {
    "promoted": "The new version has the traffic.",
    "aborted": "The release turned round: the version before has the traffic.",
    "rolledBack": "The app went back to an earlier version.",
    "degraded": "The version before did not come back by itself: somebody has to look.",
    "running": "The release is in flight.",
    "endedByHand": "Nobody wrote down how it ended: its process died, and it was ended by hand.",
    "unknown": "A newer deployctl wrote down how it ended.",
}

CLOSING = {"promoted": "yes", "rolledBack": "back", "aborted": "back", "running": "wait"}  # the rest is bad


@dataclass(frozen=True, slots=True)
class Report:
    """A release as the record has it, with its shape in time where its events are known."""

    of: Released
    shape: Timeline | None = None

    @property
    def title(self) -> str:
        return f"{self.of.app}: release {self.of.id}"

    @property
    def lead(self) -> str:
        why = f" {self.of.reason}" if self.of.reason else ""
        return f"{LEAD[self.of.outcome]}{why}"

    def facts(self) -> list[tuple[str, str]]:
        """Give what there is to know, each with its name."""
        of = self.of
        images = [f"{name} is {image}{_digests(of, name)}" for name, image in of.images.items()]
        found = [
            ("outcome", outcome(of)),
            ("namespace", of.namespace),
            ("strategy", of.strategy),
            ("revision", f"{of.revision or 'unknown'}, in place of {of.before or 'unknown'}"),
            ("images", "; ".join(images)),
            ("began", f"{of.started}, by {of.by or 'nobody knows whom'}"),
            ("ended", f"{of.ended}, after {took(of)}" if of.ended else ""),
        ]
        return [(name, text) for name, text in found if text]

    def log(self) -> list[tuple[str, str]]:
        """Give what people decided, which flags were moved, what the gates said: with its time, where that is known."""
        said = [(one.at, _word(one.verb, one.by, one.reason)) for one in self.of.words]
        moved = [(one.at, f"flag {words.flag(one)}") for one in self.of.flags]
        return [*said, *moved, *(("", one) for one in self.of.gates)]


def _digests(of: Released, name: str) -> str:
    found = of.digests.get(name, ())
    return f" ({', '.join(found)})" if found else ""


def _word(verb: str, by: str, reason: str) -> str:
    return f'{verb} by {by}: "{reason}"' if reason else f"{verb} by {by}"


def document(one: Report) -> Json:
    """Give the report as plain JSON."""
    whole: Json = {"apiVersion": "deployctl.dev/v1alpha1", "kind": "Report"}
    return {
        **whole,
        "release": msgspec.to_builtins(one.of),
        "timeline": asdict(one.shape) if one.shape else None,
    }


def html(one: Report) -> str:
    """Write one page, in light and dark, for wide and narrow screens, without a script."""
    shape = _shape(one.shape) if one.shape else ""
    facts = "".join(tag("dt", name) + tag("dd", escape(harmless(text))) for name, text in one.facts())
    log = "".join(
        tag("li", tag("time", escape(at)) + tag("span", escape(harmless(text)))) for at, text in one.log()
    )
    body = (
        tag("h1", escape(harmless(one.title)))
        + tag("p", escape(LEAD[one.of.outcome]), klass=f"closing {CLOSING.get(one.of.outcome, 'no')}")
        + (tag("p", escape(harmless(one.of.reason)), klass="says") if one.of.reason else "")
        + tag("section", tag("dl", facts, klass="known"), klass="card")
        + shape
        + (tag("section", tag("h2", "Decisions") + tag("ul", log, klass="log"), klass="card") if log else "")
        + tag("footer", "Written by deployctl from the record of its releases.")
    )
    return sheet(harmless(one.title), body)


def _shape(of: Timeline) -> str:
    return tag("ul", legend(LEGEND), klass="legend") + drawn(Part(of), "What moved, and when")


def markdown(one: Report) -> str:
    return "\n".join(_markdown(one)) + "\n"


def _markdown(one: Report) -> Iterator[str]:
    yield from (f"## {plain(one.title)}", "", plain(one.lead), "", "| | |", "|--|--|")
    yield from (f"| {name} | {plain(text)} |" for name, text in one.facts())
    if one.shape:
        yield from ("", "### What moved, and when", "", "| time | traffic | what |", "|--|--|--|")
        yield from (f"| {at:.1f} s | {share} | {plain(text)} |" for at, share, text in _steps(one.shape))
        yield from _sized(one.shape)
    if one.log():
        yield from ("", "### Decisions", "")
        yield from (f"- {plain(f'{at} {text}'.strip())}" for at, text in one.log())


def _sized(of: Timeline) -> Iterator[str]:
    told = [*said(of), *loads(of)]
    yield from ("", "### Size and load", "", *(f"- {plain(one)}" for one in told)) if told else ()


def _steps(of: Timeline) -> Iterator[tuple[float, str, str]]:
    """Give everything that moved or was answered, with the preview's share of the traffic then."""
    both: list[Mark | Span] = [*of.numbered(), *(one for one in of.spans if one.stage)]
    for one in sorted(both, key=_when):
        there = of.at(_when(one))
        yield _when(one), f"{there.share}%" if there else "", _said(one)


def _when(one: Mark | Span) -> float:
    return one.at if isinstance(one, Mark) else one.ended


def _said(one: Mark | Span) -> str:
    if isinstance(one, Mark):
        return one.text
    verdict = {True: "passed", False: "said no", None: "was asked"}[one.passed]
    return f"gate {one.name} ({one.stage}) {verdict}: {one.evidence}"


def plain(text: str) -> str:
    """Fence foreign text in Markdown: one line, in which nothing has a meaning."""
    return MEANING.sub(r"\\\1", harmless(text))
