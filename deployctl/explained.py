"""What a kind of gate says of itself: from its docstring, its options and its attributes, so that a plugin explains itself."""

from __future__ import annotations

import inspect as python
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from deployctl import plugins
from deployctl.published import Shown
from deployctl.reading import written
from deployctl.shapes import UNIT, Shape, bare, default, expected, key, kind_of, shape

NOTE = re.compile(r"^(\w+): (.+)$", re.MULTILINE)


class Option(Shown, frozen=True):
    """One key: what it takes, what it is unless given, what it means."""

    name: str
    takes: str
    default: str
    about: str


class Known(Shown, frozen=True):
    """One query that a gate knows by name."""

    name: str
    asks: str
    passes: str
    query: str
    why: str


class Explained(Shown, frozen=True):
    """One kind of gate."""

    name: str
    about: str
    rights: tuple[str, ...]
    unknown: tuple[str, ...]
    extra: str
    options: tuple[Option, ...]
    templates: tuple[Known, ...] = ()
    api_version: str = "deployctl.dev/v1alpha1"
    kind: str = "Gate"


def explained(name: str) -> Explained:
    """Explain one kind; raise UsageError, which lists those that are installed, where there is none."""
    cls = plugins.find(plugins.GATES, name)
    about, _, _ = python.cleandoc(cls.__doc__ or "").partition("\n")
    return Explained(
        name,
        about,
        tuple(getattr(cls, "RIGHTS", ("it does not say",))),
        tuple(getattr(cls, "UNKNOWNS", ("it does not say",))),
        str(getattr(cls, "EXTRA", "")),
        tuple(_options(shape(cls), "")),
        tuple(_templates()) if name == "prometheus" else (),
    )


def _options(kind: Shape, within: str) -> Iterator[Option]:
    notes = dict(NOTE.findall(python.cleandoc(kind.cls.__doc__ or "")))
    for one in kind.fields:
        name = key(one.name)
        takes = expected(kind_of(one))
        usual = "must be given" if one.required else _shown(one)
        yield Option(within + name, takes, usual, notes.get(name, ""))
        inner = bare(kind_of(one))
        if isinstance(inner, inspect.DataclassType) and takes == "a mapping":
            yield from _options(inner, f"{within}{name}.")


def _shown(one: inspect.Field) -> str:
    value = written(default(one), timed=one.name.endswith(UNIT)) if default(one) is not None else None
    if value is None or value in ("", [], {}):
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _templates() -> Iterator[Known]:
    from deployctl.gates.bounds import span
    from deployctl.gates.templates import TEMPLATES

    for name, one in TEMPLATES.items():
        usual = ", ".join(f"{key} is {value}" for key, value in one.using.items())
        yield Known(name, one.asks, span(one.min, one.max), f"{one.query} where {usual}", one.why)


def kinds() -> list[dict[str, Any]]:
    """List every kind with what it asks, in a line."""
    return [{"name": name, "about": explained(name).about} for name in plugins.names(plugins.GATES)]
