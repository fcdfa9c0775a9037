"""One self-contained HTML page of one or several releases: no script, nothing from outside, every text escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from deployctl.render import words
from deployctl.render.answers import Answers, together
from deployctl.render.cells import style_of
from deployctl.render.lanes import lanes
from deployctl.render.marking import tag
from deployctl.render.overview import Overview
from deployctl.render.timeline import Mark, Span, Timeline
from deployctl.render.whole import whole

HOW_TO_READ = (
    "Time runs from left to right. Each release tries a new version beside the one that serves; "
    "traffic moves only after the gates said yes, and goes back by itself when one says no."
)
LEGEND = (
    (("stable",), "stable: the version we can return to"),
    (("preview",), "preview: the version on trial"),
    (("stable-ready", "preview-ready"), "ready, but no traffic"),
    (("coming",), "coming up"),
    (("failure",), "a failed request, or nobody serves"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """One release on the page, with a sentence for the reader and the commands as one types them."""

    of: Timeline
    says: str = ""
    command: str = ""


def page(title: str, parts: Sequence[Part], seen: Mapping[str, Answers] = {}, lead: str = HOW_TO_READ) -> str:
    """Write the page; `seen` is what the clients of each app saw from its beginning to its end."""
    overview = whole(Overview([one.of for one in parts], seen)) if seen else ""
    body = "".join(
        (
            tag("header", "".join(_header(title, together(seen.values()) if seen else None, lead))),
            overview,
            *(_part(number, part) for number, part in enumerate(parts, 1)),
            tag("footer", "Drawn by deployctl from the events of its releases."),
        )
    )
    return sheet(title, body)


def sheet(title: str, body: str) -> str:
    """Write a whole page around what is HTML already."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{styles()}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body><main>{body}</main></body></html>\n'


def styles() -> str:
    return (files("deployctl.render") / "page.css").read_text()


def _header(title: str, seen: Answers | None, lead: str) -> Iterator[str]:
    yield tag("h1", escape(title))
    if seen:
        yield tag("p", escape(seen.closing()), klass=f"closing{' no' if seen.failed else ''}")
    yield tag("p", escape(lead), klass="lead")
    yield tag("ul", legend(LEGEND), klass="legend")


def legend(of: Sequence[tuple[Sequence[str], str]]) -> str:
    return "".join(tag("li", _swatches(kinds) + f" {text}") for kinds, text in of)


def _swatches(kinds: Sequence[str]) -> str:
    return "".join(tag("i", klass=one) for one in kinds)


def _part(number: int, part: Part) -> str:
    return drawn(part, f"{number}. {part.of.title or part.of.app}", f"release-{number}")


def drawn(part: Part, heading: str, name: str = "release") -> str:
    """Draw one release, and list all that happened."""
    title = part.of.title or part.of.app
    return tag(
        "section",
        "".join(
            (
                tag("h2", escape(heading), id=name),
                tag("p", escape(part.says), klass="says") if part.says else "",
                tag("code", escape(part.command)) if part.command else "",
                tag("p", "".join(_facts(part.of)), klass="facts"),
                tag("figure", lanes(part.of), role="group", aria_label=f"{title}: {summary(part.of)}"),
                tag("ol", "".join(_steps(part.of)), klass="steps"),
            )
        ),
        klass="card",
        aria_labelledby=name,
    )


def summary(of: Timeline) -> str:
    """Say in words what the picture shows, for those who do not see it."""
    stable, preview = of.revisions
    last = of.moments[-1].share if of.moments else 0
    seen = f"; {of.answers.closing()}" if of.answers else ""
    ends = f"{of.ended} after {words.age(of.seconds)}"
    return f"{of.app}, {stable or 'none'} to {preview or 'none'}, {ends}, {last}% on the preview at the end{seen}"


def _facts(of: Timeline) -> Iterator[str]:
    yield tag("b", escape(of.ended), klass=f"pill {style_of(of.outcome)}")
    named = of.answers.names if of.answers else {}
    stable, preview = (f"{named.get(one, '')} {one or 'none'}".strip() for one in of.revisions)
    yield tag("span", escape(of.app))
    yield tag("span", escape(f"{stable} → {preview}"))
    yield tag("span", f"{of.seconds:.1f} s")
    if of.answers:
        yield tag("span", escape(of.answers.closing()))


def _steps(of: Timeline) -> Iterator[str]:
    """List everything that happened; what moves something has the number that the picture shows."""
    numbers = {id(mark): number for number, mark in enumerate(of.numbered(), 1)}
    both: list[Mark | Span] = [*of.marks, *(one for one in of.spans if one.stage)]
    for one in sorted(both, key=lambda each: each.at if isinstance(each, Mark) else each.ended):
        yield _verdict(one) if isinstance(one, Span) else _mark(one, numbers.get(id(one)))


def _verdict(one: Span) -> str:
    style = {True: "verdict yes", False: "verdict no", None: "minor"}[one.passed]
    asked = f" ({len(one.answers)} measurements)" if len(one.answers) > 1 else ""
    text = f"{one.name}, {one.stage} the shift: {one.evidence}{asked}"
    return _line(one.ended, "", tag("span", escape(text), klass=style))


def _mark(one: Mark, number: int | None) -> str:
    bad = " no" if one.bad else ""
    if number is None:
        return _line(one.at, "", tag("span", escape(one.text), klass=f"minor{bad}"))
    return _line(
        one.at, tag("span", str(number), klass=f"dot number{bad}"), tag("span", escape(one.text), klass=bad)
    )


def _line(at: float, number: str, text: str) -> str:
    return tag("li", tag("span", number) + tag("time", f"{at:.1f} s") + text)
