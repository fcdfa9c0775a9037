"""Any dataclass or Struct says by its type hints what a spec file may hold."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec
import pytest

from deployctl.document import Place, load
from deployctl.errors import DeployctlError
from deployctl.reading import INVALID, Reader, node, written
from deployctl.shapes import key, shape
from strategies.quantities import Amount


@dataclass(frozen=True)
class Header:
    name: str
    value: str = ""


@dataclass(frozen=True)
class Options:
    limit: float = 0.0
    ratio: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    strict: bool = False
    level: Annotated[int, msgspec.Meta(le=9)] = 1
    mode: Literal["fast", "slow"] = "fast"
    target: int | Literal["none"] = 0
    share: Amount = field(default_factory=lambda: Amount(1))
    warm_up_seconds: float | None = None
    labels: dict[str, str] = field(default_factory=dict)
    headers: tuple[Header, ...] = ()

    def __post_init__(self):
        if self.limit < 0:
            raise ValueError("limit: below zero; expected at least 0")
        if self.level == 0 and self.strict:
            raise ValueError("level 0 with strict; expected one of them")


def read(text, cls=Options):
    reader = Reader([])
    value = reader.read(load(text, "a.yaml")[0].root, shape(cls), "")
    return value, list(map(str, reader.problems))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("{}", Options()),
        ("limit: 1e-3", Options(limit=0.001)),
        ("limit: 5", Options(limit=5.0)),
        ("strict: true", Options(strict=True)),
        ("target: none", Options(target="none")),
        ("target: -3", Options(target=-3)),
        ("share: 10%", Options(share=Amount(10, percent=True))),
        ("warmUp: 1m", Options(warm_up_seconds=60.0)),
        ("labels: {on: off, v: 1.10}", Options(labels={"on": "off", "v": "1.10"})),
        ("headers: [{name: a}, {name: b, value: '1'}]", Options(headers=(Header("a"), Header("b", "1")))),
    ],
)
def test_a_value_is_read_as_its_type(text, options):
    assert read(text) == (options, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("limit: .inf", "1:8: limit: got .inf; expected a number"),
        ("limit: 1e999", "1:8: limit: got 1e999; expected a number"),
        ("limit: '1'", '1:8: limit: got "1"; expected a number'),
        ("ratio: 1.5", "1:8: ratio: got 1.5; expected a number from 0 to 1"),
        ("level: 10", "1:8: level: got 10; expected a whole number of at most 9"),
        ("strict: on", "1:9: strict: got on; expected true or false"),
        ("mode: fats", "1:7: mode: got fats; expected one of fast, slow"),
        ("target: one", "1:9: target: got one; expected a whole number or none"),
        ("labels: {a: {}}", "1:13: labels.a: got a mapping; expected text"),
        ("labels: []", "1:9: labels: got a list; expected a mapping"),
        ("headers: [{}]", "1:11: headers[0].name: missing; expected text"),
        ("warmUpSeconds: 1m", "1:1: warmUpSeconds: unknown; expected one of limit, ratio, strict, level, mode, target, share, warmUp, labels, headers; did you mean warmUp?"),
        ("limit: -1", "1:8: limit: below zero; expected at least 0"),
        ("{strict: true, level: 0}", "1:1: document: level 0 with strict; expected one of them"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_told(text, problem):
    assert read(text) == (INVALID, [f"a.yaml:{problem}"])


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "limit: 0.1",
        "warmUp: 1ms",
        "target: none",
        "{strict: true, labels: {a: b}}",
        "headers: [{name: a}]",
    ],
)
def test_what_is_written_reads_back(text):
    options = read(text)[0]
    reader = Reader([])
    assert reader.read(node(written(options), Place("record")), shape(Options), "") == options


def test_a_field_of_seconds_is_a_key_without_its_unit():
    assert key("consecutive_error_limit") == "consecutiveErrorLimit"
    assert key("keep_old_seconds") == "keepOld"


@dataclass(frozen=True)
class Strange:
    when: tuple[bytes, ...] = ()


def test_a_plugin_whose_options_cannot_be_written_in_yaml_is_told():
    with pytest.raises(DeployctlError, match=r"^Strange.when: Bytes cannot be read from a spec file$"):
        shape(Strange)


def test_a_plugin_that_is_no_class_of_options_is_told():
    with pytest.raises(DeployctlError, match="not a dataclass or Struct"):
        shape(int)


@dataclass(frozen=True)
class Doubtful:
    either: Header | Options | None = None


def test_a_plugin_whose_options_cannot_be_told_apart_is_told():
    with pytest.raises(DeployctlError, match=r"^tests.test_reading.Doubtful: .*more than one dataclass"):
        shape(Doubtful)
