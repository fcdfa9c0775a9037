"""YAML as it was written: every value keeps its place and its text, and nothing is guessed from its looks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from deployctl.errors import Problem, SpecError

DEEPEST = 100  # nested collections; nobody writes more, and a parser of Go allows 10 000
MOST_NODES = 500_000  # with every alias written out; Kubernetes' own reader stops "billion laughs" alike
MERGE = "<<"

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
STRING_TAGS = ("!", "tag:yaml.org,2002:str")
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; lines and columns from 1."""

    file: str
    line: int = 1
    column: int = 1

    def problem(self, path: str, message: str) -> Problem:
        return Problem(self.file, self.line, self.column, path, message)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, as text: `1.10` is "1.10". Only a plain one (no quotes) may be a number or a word."""

    place: Place
    text: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Items:
    place: Place
    values: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping in its order; `pairs` by the text of their keys."""

    place: Place
    pairs: Mapping[str, Pair]


@dataclass(frozen=True, slots=True)
class Pair:
    key: Scalar
    value: Node


Node = Scalar | Items | Table


@dataclass(frozen=True, slots=True)
class Document:
    root: Node

    @property
    def empty(self) -> bool:
        return isinstance(self.root, Scalar) and is_null(self.root)


def is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and node.text in ("", "~", "null", "Null", "NULL")


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def text_of(path: Path) -> str:
    """Read a file of UTF-8 text."""
    try:
        return decode(path.read_bytes(), str(path))
    except OSError as error:
        place = Place(str(path))
        raise SpecError([place.problem("file", f"{error.strerror}; expected a YAML file")]) from error


def decode(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        place = _place(file, raw[: error.start].decode("utf-8"))
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; expected a file saved as UTF-8"
        raise SpecError([place.problem("text", message)]) from error


def _place(file: str, before: str) -> Place:
    lines = re.split(r"\r\n|\r|\n", before)
    return Place(file, len(lines), len(lines[-1]) + 1)


def load(text: str, file: str) -> list[Document]:
    """Read all documents of a YAML text; raise SpecError with every problem of their form."""
    documents, problems = compose(text, file)
    if problems:
        raise SpecError(problems)
    return documents


def compose(text: str, file: str) -> tuple[list[Document], list[Problem]]:
    """Read all documents and what is wrong in them (doubled keys, tags), so that more can be found at once.

    Raise SpecError where nothing can be read at all.
    """
    text = text.removeprefix("\ufeff")
    if strange := _UNPRINTABLE.search(text):
        place = _place(file, text[: strange.start()])
        message = f"character U+{ord(strange.group()):04X}; expected printable text"
        raise SpecError([place.problem("text", message)])
    composer = _Composer(file, yaml.parse(text, Loader=LOADER))
    try:
        documents = [document for document in composer.documents() if not document.empty]
    except yaml.YAMLError as error:
        raise SpecError([*composer.problems, _syntax(error, text, file)]) from error
    if not documents:
        raise SpecError([Place(file).problem("file", "empty; expected at least one YAML document")])
    return documents, composer.problems


def _syntax(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = re.split(r"\r\n|\r|\n", text)
    if line < len(lines) and "\t" in lines[line][: column + 1]:
        column = lines[line].index("\t")
        return Place(file, line + 1, column + 1).problem("syntax", "a tab; expected spaces")
    return Place(file, line + 1, column + 1).problem("syntax", _complaint(error))


def _complaint(error: yaml.YAMLError) -> str:
    """Give the parser's own words, with the place where what it was reading began."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return str(error)
    began = error.context_mark
    context = f", {error.context} at {began.line + 1}:{began.column + 1}" if began else ""
    return f"{error.problem}{context}"


@dataclass(slots=True)
class _Composer:
    """Builds documents from the parser's events: depth, size, aliases and doubled keys are seen on the way."""

    file: str
    events: Iterator[Any]
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0
    anchors: dict[str, tuple[Node | None, int]] = field(default_factory=dict)  # None while it is being read

    def documents(self) -> Iterator[Document]:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.anchors = {}
                yield Document(self._node(next(self.events), "", 0))

    def _node(self, event: Any, path: str, depth: int) -> Node:
        self.nodes += 1
        if depth > DEEPEST:
            self._give_up(event, path, f"nested too deep; expected at most {DEEPEST} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        before = self.nodes
        if event.anchor:
            self.anchors[event.anchor] = (None, 0)
        node = self._fresh(event, path, depth)
        if event.anchor:
            self.anchors[event.anchor] = (node, self.nodes - before + 1)
        return node

    def _fresh(self, event: Any, path: str, depth: int) -> Node:
        text = isinstance(event, yaml.ScalarEvent)
        if event.tag is not None and not (text and event.tag in STRING_TAGS):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._report(event, path, f"tag {tag}; expected a value without a tag")
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(self._at(event), event.value, not event.style and event.tag is None)
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(self._at(event), tuple(self._values(path, depth)))
        return Table(self._at(event), self._pairs(path, depth))

    def _values(self, path: str, depth: int) -> Iterator[Node]:
        for index, event in enumerate(iter(self.events.__next__, None)):
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._node(event, f"{path}[{index}]", depth + 1)

    def _pairs(self, path: str, depth: int) -> dict[str, Pair]:
        pairs: dict[str, Pair] = {}
        merged: dict[str, Pair] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._node(event, path, depth + 1)
            named = join(path, key.text) if isinstance(key, Scalar) else path
            value = self._node(next(self.events), named, depth + 1)
            if not isinstance(key, Scalar):
                self._add(key, path, "a list or mapping as a key; expected text")
            elif key.text == MERGE and key.plain:
                self._merge(merged, pairs, Pair(key, value), path)
            elif key.text in pairs:
                first = pairs[key.text].key.place
                self._add(key, named, f"given twice, first at {first.line}:{first.column}; expected once")
            else:
                pairs[key.text] = Pair(key, value)
        return merged | pairs

    def _merge(self, merged: dict[str, Pair], pairs: dict[str, Pair], merge: Pair, path: str) -> None:
        """Take in the pairs of `<<`, which must stand first.

        YAML says that keys beside `<<` win; the reader of kubectl lets the last one win. First, they agree.
        """
        if merged or pairs:
            return self._add(
                merge.key, join(path, MERGE), "after other keys; expected once, as the first key"
            )
        sources = merge.value.values if isinstance(merge.value, Items) else (merge.value,)
        for source in reversed(sources):
            if isinstance(source, Table):
                merged |= source.pairs
            else:
                self._add(source, join(path, MERGE), "not a mapping; expected an alias of a mapping")
        return None

    def _alias(self, event: Any, path: str) -> Node:
        if event.anchor not in self.anchors:
            self._give_up(
                event, path, f"*{event.anchor} names nothing; expected an anchor &{event.anchor} above"
            )
        node, size = self.anchors[event.anchor]
        if node is None:
            self._give_up(
                event, path, f"*{event.anchor} stands inside itself; expected an alias of something else"
            )
        self.nodes += size
        if self.nodes > MOST_NODES:
            self._give_up(
                event, path, f"aliases of aliases; expected at most {MOST_NODES} values when written out"
            )
        return node

    def _at(self, event: Any) -> Place:
        return Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _report(self, event: Any, path: str, message: str) -> None:
        self.problems.append(self._at(event).problem(path or "document", message))

    def _add(self, node: Node, path: str, message: str) -> None:
        self.problems.append(node.place.problem(path or "document", message))

    def _give_up(self, event: Any, path: str, message: str) -> NoReturn:
        self._report(event, path, message)
        raise SpecError(self.problems)
