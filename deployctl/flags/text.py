"""One entry of a YAML or JSON file: found, and changed where it stands, so that every other letter is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployctl.errors import DeployctlError

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
WORDS = {"~": None, "": None} | {
    form(word): value
    for word, value in (("true", True), ("false", False), ("null", None))
    for form in (str.lower, str.capitalize, str.upper)
}
SPACE = re.compile(r"[ \t\r\n]*")
DECODER = json.JSONDecoder()
DEEPEST = 60


@dataclass(frozen=True, slots=True)
class Entry:
    """A value under a key, and from where to where it stands in the text.

    column: how far in its first letter is
    block: whether it is a YAML mapping over several lines
    """

    value: Any
    start: int
    end: int
    column: int
    block: bool = False


def entries(text: str, under: str = "") -> dict[str, Entry]:
    """List what is under a key of the document, or at its top; raise DeployctlError where it is neither JSON nor YAML."""
    is_json = text.lstrip()[:1] == "{" and _is_json(text)
    return dict(_of_json(text, under) if is_json else _of_yaml(text, under))


def replaced(text: str, one: Entry, block: str) -> str:
    return text[: one.start] + block + text[one.end :]


def written(text: str, one: Entry, value: Any) -> str:
    """Write a value in the style of the entry that it takes the place of."""
    if text.lstrip()[:1] == "{" and _is_json(text):
        return _as_json(text, one, value)
    import yaml

    if one.block:
        lines = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000).splitlines()
        return f"\n{' ' * one.column}".join(lines)
    flow = yaml.safe_dump(
        value, sort_keys=False, allow_unicode=True, default_flow_style=True, width=float("inf")
    )
    return str(flow).strip().removesuffix("...").strip()


def _as_json(text: str, one: Entry, value: Any) -> str:
    old = text[one.start : one.end]
    if "\n" not in old:
        return json.dumps(value, ensure_ascii=False)
    line = text[text.rfind("\n", 0, one.start) + 1 :]
    lead = line[: len(line) - len(line.lstrip(" \t"))]
    inner = old.split("\n")[1]
    step = inner[: len(inner) - len(inner.lstrip(" \t"))].removeprefix(lead) or "  "
    return json.dumps(value, ensure_ascii=False, indent=step).replace("\n", f"\n{lead}")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _of_json(text: str, under: str) -> Iterator[tuple[str, Entry]]:
    found = dict(_members(text, SPACE.match(text).end()))  # type: ignore[union-attr]
    if not under:
        yield from found.items()
    elif under in found and isinstance(found[under].value, dict):
        yield from _members(text, found[under].start)


def _members(text: str, at: int) -> Iterator[tuple[str, Entry]]:
    """Read the members of the object that begins here."""
    at = _past(text, at + 1)
    while text[at] != "}":
        name, at = DECODER.raw_decode(text, at)
        start = _past(text, _past(text, at) + 1)
        value, end = DECODER.raw_decode(text, start)
        yield name, Entry(value, start, end, 0)
        at = _past(text, end)
        at = _past(text, at + 1) if text[at] == "," else at


def _past(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


def _of_yaml(text: str, under: str) -> Iterator[tuple[str, Entry]]:
    import yaml

    try:
        root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise DeployctlError(f"it is neither JSON nor YAML: {str(error).splitlines()[0]}") from None
    top = dict(_pairs(root))
    inner = top.get(under) if under else None
    for key, (after, node) in (dict(_pairs(inner[1])) if inner else {} if under else top).items():
        if node.start_mark.index < after:
            raise DeployctlError(f"{key} is an alias of something above it; write it out")
        block = isinstance(node, yaml.CollectionNode) and not node.flow_style
        yield key, Entry(_value(node), node.start_mark.index, _end(node), node.start_mark.column, block)


def _pairs(node: Any) -> Iterator[tuple[str, tuple[int, Any]]]:
    """List the keys of a mapping, each with where it ends and what is under it."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        yield from ((str(key.value), (key.end_mark.index, value)) for key, value in node.value)


def _end(node: Any) -> int:
    """Find the last letter: the mark of a block is after the blank lines and comments that follow it."""
    import yaml

    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _value(node: Any, depth: int = 0) -> Any:
    """Read a node as YAML 1.2 does, where `on` is a word and no truth."""
    import yaml

    if depth > DEEPEST:
        raise DeployctlError(f"it is nested more than {DEEPEST} deep")
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _value(one, depth + 1) for key, one in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(one, depth + 1) for one in node.value]
    return node.value if node.style else _scalar(str(node.value))


def _scalar(text: str) -> Any:
    if text in WORDS:
        return WORDS[text]
    return json.loads(text) if NUMBER.fullmatch(text) else text
