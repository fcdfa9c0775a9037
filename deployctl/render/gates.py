"""What gates said, and what kinds there are, in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from deployctl.explained import Explained, Known, Option

Json = dict[str, Any]
WIDTH = 100
GAP = "  "


def answers(gates: Iterable[Json]) -> str:
    """Write one line a gate: its stage, its name, its answer, its evidence."""
    rows: list[tuple[str, ...]] = [("stage", "gate", "answer", "evidence")]
    rows += [(one["stage"], one["name"], _answer(one), one["evidence"]) for one in gates]
    return _columns(rows)


def _answer(one: Json) -> str:
    return f"{one['answer']} (dry run)" if one["dryRun"] else str(one["answer"])


def listing(kinds: Iterable[Json]) -> str:
    return _columns([("gate", "asks"), *((one["name"], one["about"]) for one in kinds)])


def _columns(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def explanation(one: Explained) -> str:
    """Write everything that a kind says of itself."""
    return "\n".join(_lines(one))


def _lines(one: Explained) -> Iterator[str]:
    yield from _wrapped(f"{one.name}: {one.about}", "", "  ")
    if one.extra:
        yield f"needs an extra: pip install 'deployctl[{one.extra.partition(',')[0]}]' ({one.extra})"
    yield from _listed("rights", one.rights)
    yield from _listed("no answer, so no yes", one.unknown)
    yield from ("", "options")
    for each in one.options:
        yield from _option(each)
    if one.templates:
        yield from ("", "templates")
    for known in one.templates:
        yield from _known(known)


def _listed(head: str, texts: Iterable[str]) -> Iterator[str]:
    yield from ("", head, *(line for text in texts for line in _wrapped(text, "  ", "    ")))


def _option(one: Option) -> Iterator[str]:
    usual = (
        ""
        if not one.default
        else f", {one.default}" + (" unless given" if one.default != "must be given" else "")
    )
    yield from _wrapped(f"{one.name}: {one.takes}{usual}", "  ", "      ")
    if one.about:
        yield from _wrapped(one.about, "      ", "      ")


def _known(one: Known) -> Iterator[str]:
    yield from _wrapped(f"{one.name}: {one.asks}; passes {one.passes}", "  ", "      ")
    yield from _wrapped(one.why, "      ", "      ")
    yield from _wrapped(one.query, "      ", "      ")


def _wrapped(text: str, first: str, then: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )
