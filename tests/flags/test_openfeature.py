"""The openFeature provider: the SDK's own provider in memory is asked, as any that an entry point names."""

from __future__ import annotations

import sys
import time

import pytest

from deployctl.errors import UsageError
from deployctl.flags import Context
from deployctl.flags.file import File
from deployctl.flags.moving import Mover
from deployctl.flags.openfeature import Keeper, OpenFeature
from deployctl.gates.flag import Flag
from deployctl.shapes import Chosen
from deployctl.spec import FlagContext, Flags
from strategies.analysis import Answer
from strategies.model import Stage
from tests.flags.contract import FLAG, Contract, World, asking
from tests.flags.test_file import YAML

ENTRY_POINTS = """[deployctl.openfeature]
following = tests.flags.in_memory:Following
slow = tests.flags.in_memory:Slow
unready = tests.flags.in_memory:Unready
broken = tests.flags.in_memory:broken
"""
ASKED = asking()


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    """Install a distribution that names the providers, as pip would."""
    there = tmp_path / "site" / "providers-1.dist-info"
    there.mkdir(parents=True)
    (there / "METADATA").write_text("Metadata-Version: 2.1\nName: providers\nVersion: 1\n")
    (there / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(there.parent)


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "flags.yaml"
    found.write_text(YAML)
    return found


def provider(path, **more) -> OpenFeature:
    options = {"options": {"path": str(path)}, "kept": Keeper(file=File(str(path))), "spread_seconds": 2.0}
    return OpenFeature("following", **{**options, **more})


class TestOpenFeature(Contract):
    @pytest.fixture
    def world(self, path):
        return World(
            provider(path),
            poke=lambda: path.write_text(
                path.read_text().replace("on: true", "on: true\n      more: false", 1)
            ),
            kept=path.read_bytes,
            down=path.unlink,
        )


def read(one: OpenFeature, key: str = FLAG, context: Context = Context(), seconds: float = 5.0):  # noqa: B008
    (found,) = one.read(key, context, asking(seconds))
    return found.value, found.why


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), ("loud", "loud"), (7, "7"), (0.5, "0.5"), (0, "0")]
)
def test_a_value_of_any_type_is_read(path, value, text):
    path.write_text(f"flags: {{one: {{state: ENABLED, variants: {{a: {text}}}, defaultVariant: a}}}}")
    assert read(provider(path), "one") == (value, "")


def test_an_object_is_no_value_that_can_be_compared(path):
    path.write_text("flags: {one: {state: ENABLED, variants: {a: {deep: 1}}, defaultVariant: a}}")
    assert read(provider(path), "one") == (None, "its value is an object")


def test_the_context_decides(path):
    path.write_text(YAML.replace("state: ENABLED\n", "state: ENABLED\n    targeting: {if: []}\n", 1))
    one = provider(path)
    assert read(one, context=Context("p7", (("jurisdiction", "MT"),)))[0] is True
    assert read(one, context=Context("p7", (("jurisdiction", "ON"),)))[0] is False


def test_a_default_is_never_taken_for_a_value(path):
    value, why = read(provider(path), "off-flag")
    assert (value, why) == (None, "its reason is DISABLED")
    path.write_text(YAML.replace("defaultVariant: off", "defaultVariant: null", 1))
    assert read(provider(path)) == (None, "it gives back the default that it is asked with")
    value, why = read(provider(path), "no-such")
    assert (value, why.startswith("FLAG_NOT_FOUND")) == (None, True)


def test_one_that_hangs_is_no_answer_in_its_time(path):
    began = time.monotonic()
    found = read(OpenFeature("slow", {"seconds": 3.0}), seconds=0.3)
    assert found == (None, "no answer within 0.3s")
    assert time.monotonic() - began < 2


def test_one_that_is_not_ready_says_why_and_is_tried_anew(tmp_path):
    one = OpenFeature("unready", {"path": str(tmp_path / "up")})
    value, why = read(one)
    assert (value, "nobody answers at flags:8013" in why) == (None, True), why
    (tmp_path / "up").touch()
    assert read(one) == (True, "")


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        (
            "no-such",
            {},
            "no such plugin of deployctl.openfeature; installed: broken, following, slow, unready",
        ),
        ("slow", {"minutes": 1}, "slow cannot be made with its options: "),
        ("broken", {}, "no licence"),
    ],
)
def test_one_that_cannot_be_made_says_why(name, options, told):
    value, why = read(OpenFeature(name, options))
    assert (value, told in why) == (None, True), why


def test_without_the_sdk_it_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openfeature", None)
    assert "pip install 'deployctl[openfeature]'" in read(provider(path))[1]


def test_without_a_keeper_nothing_is_written(path):
    with pytest.raises(UsageError, match="only evaluates flags"):
        provider(path, kept=None).setting(FLAG, ASKED)
    with pytest.raises(ValueError, match="exactly one of file, configMap, unleash and launchDarkly"):
        Keeper()


def flags(path, **more) -> Flags:
    return Flags(provider=Chosen("openFeature", provider(path)), context=FlagContext(key="player-7"), **more)


@pytest.mark.parametrize(("expect", "answer"), [(False, Answer.PASS), (True, Answer.FAIL)])
def test_the_gate_reads_through_it(path, expect, answer):
    measured = Flag(FLAG, expect=expect).measure(asking(flags=flags(path)))
    assert measured.answer is answer, measured.evidence
    assert "OpenFeature provider following" in measured.evidence


def test_a_release_moves_a_flag_and_sees_it_through_it(path):
    mover = Mover("wallet", flags(path, after={FLAG: True}), lambda _: None)
    mover.begin(lambda: ASKED, lambda: None, time.monotonic)
    assert mover.advance(Stage.AFTER, 100).answer is Answer.PASS
    assert read(provider(path)) == (True, "")
