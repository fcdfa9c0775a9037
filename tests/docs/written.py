"""What the documentation says that the code says already: tables and diagrams, made from it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from msgspec import NODEFAULT
from msgspec import inspect as types

from deployctl import plugins
from deployctl.cli import COMMANDS
from deployctl.explained import kinds as gate_kinds
from deployctl.gates.bounds import span
from deployctl.gates.templates import TEMPLATES
from deployctl.profiles import Profile, gates_of
from deployctl.reading import written
from deployctl.shapes import UNIT, Shape, bare, beside, expected, key, kind_of, shape, told
from deployctl.spec import App
from tests.docs.pages import ROOT

MARKED = r"(<!-- {name}:[^\n]*-->\n).*?(<!-- end -->)"
NOTE = re.compile(r"^(\w+): (.+)$", re.MULTILINE)


def hold(page: Path, name: str, text: str, *, rewrite: bool) -> None:
    """Compare what stands between the markers of a page with what it should be, or write it there."""
    before = page.read_text()
    after, found = re.subn(
        MARKED.format(name=name), lambda match: f"{match[1]}\n{text}\n{match[2]}", before, flags=re.DOTALL
    )
    assert found == 1, f"{page.relative_to(ROOT)} has no place for {name}"
    if rewrite:
        page.write_text(after)
        return
    assert before == after, f"{page.relative_to(ROOT)}: {name} is out of date; pytest --rewrite"


def commands() -> str:
    rows = (f"| `{name}` | {text} |" for name, (_, text) in COMMANDS.items())
    return "\n".join(("| command | does |", "|--|--|", *rows))


def keys() -> str:
    """Write a table of the keys of each class that reads a part of the file."""
    return "\n\n".join(_tables("", shape(App)))


def _tables(path: str, kind: Shape) -> Iterator[str]:
    about = inspect.cleandoc(kind.cls.__doc__ or "")
    notes = dict(NOTE.findall(about))
    own = [one for one in kind.fields if one is not beside(kind)]
    rows = [_row(one, notes) for one in own]
    plugged = beside(kind)
    if plugged:
        group = told(plugged.type, "group")
        whose = "a gate's" if group == plugins.GATES else "its"
        rows.append(
            f"| one of {', '.join(f'`{name}`' for name in plugins.names(group))} | {whose} options | | |"
        )
    head = about.partition("\n")[0].replace("; durations in seconds", "").rstrip(".")
    table = ("| key | takes | default | |", "|--|--|--|--|", *rows)
    yield "\n".join((f"### {path or 'The document'}", "", f"{head}.", "", *table))
    for one in kind.fields:
        yield from _below(f"{path}.{key(one.name)}".lstrip("."), one)


def _below(path: str, one: types.Field) -> Iterator[str]:
    """Go on with what is nested: a mapping, a list of mappings, or the plugins of a group."""
    if group := told(one.type, "group"):
        where = path.removesuffix(".ask").removesuffix(".to")
        for name in plugins.names(group):
            yield from _tables(f"{where}.{name}", shape(plugins.find(group, name)))
        return
    match bare(kind_of(one)):
        case types.VarTupleType(item_type=types.StructType(cls=cls)):
            if not path.endswith(("during", "after")):  # the same as `before`
                yield from _tables(f"{path}[]", shape(cls))
        case types.StructType(cls=cls):
            yield from _tables(path, shape(cls))
        case _:
            return


def _row(one: types.Field, notes: dict[str, str]) -> str:
    name = key(one.name)
    takes = expected(kind_of(one)).replace("|", "\\|")
    return f"| `{name}` | {_takes(one, takes)} | {_default(one)} | {notes.get(name, '')} |"


def _takes(one: types.Field, takes: str) -> str:
    if group := told(one.type, "group"):
        return f"one of {', '.join(f'`{name}`' for name in plugins.names(group))}"
    return takes


def _default(one: types.Field) -> str:
    if one.required:
        return "**must be given**"
    value: Any = one.default_factory() if one.default is NODEFAULT else one.default
    if value is None or isinstance(bare(kind_of(one)), types.StructType):
        return ""
    plain = written(value, timed=one.name.endswith(UNIT))
    return f"`{plain}`" if plain not in ("", []) else ""


def kinds() -> str:
    """Write a table of the kinds of gates that are installed."""
    rows = (f"| `{one['name']}` | {one['about'].rstrip('.')} |" for one in gate_kinds())
    return "\n".join(("| gate | asks |", "|--|--|", *rows))


def templates() -> str:
    """Write a table of the queries that the prometheus gate knows by name."""
    rows = (
        f"| `{name}` | {one.asks} | {span(one.min, one.max)} | {', '.join(f'`{key}`: `{value}`' for key, value in one.using.items())} | {one.why} |"
        for name, one in TEMPLATES.items()
    )
    return "\n".join(
        ("| template | asks for | passes | `using`, unless given | why |", "|--|--|--|--|--|", *rows)
    )


def profiles() -> str:
    """Write a table of the profiles, with the bounds of their gates under traffic."""
    rows = (f"| `{name}` | {', '.join(map(_bound, gates_of(name)['after']))} |" for name in get_args(Profile))
    return "\n".join(
        ("| profile | under traffic, besides `health` and `restarts` before it |", "|--|--|", *rows)
    )


def _bound(gate: dict[str, Any]) -> str:
    options = gate.get("prometheus") or gate.get("restarts") or {}
    return f"{gate['name']} {span(options.get('min'), options.get('max'))}".strip()
