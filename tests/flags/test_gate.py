"""The gate `flag`: a value, for a pinned context, at every endpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.flags import Context, Reading
from deployctl.gates import About
from deployctl.gates.flag import Flag
from deployctl.shapes import Chosen
from deployctl.spec import FlagContext, Flags
from strategies.analysis import Answer
from tests.flags.contract import FLAG, asking
from tests.test_spec import SMALL, loaded, problems

ABOUT = About("wallet", "igaming", stable="6f4", preview="7a9")


class Answering:
    """A provider that evaluates as it is told, and says for whom it was asked."""

    def __init__(self, *values) -> None:
        self.values, self.contexts = values, []

    def read(self, key, context: Context, asked) -> tuple[Reading, ...]:
        self.contexts.append(context)
        return tuple(
            Reading(f"e{number}", value, "" if value is not None else "it is DISABLED")
            for number, value in enumerate(self.values)
        )


def measured(gate, *values, fields=None):
    provider = Answering(*values)
    flags = Flags(provider=Chosen("test", provider), context=FlagContext(fields=fields or {}))
    found = gate.measure(replace(asking(), flags=flags, about=ABOUT))
    return found.answer, found.evidence, provider.contexts


@pytest.mark.parametrize(
    ("expect", "values", "answer"),
    [
        (True, (True, True), Answer.PASS),
        (False, (False,), Answer.PASS),
        (True, (True, False), Answer.FAIL),
        (True, (None, False), Answer.FAIL),
        (False, (False, None), Answer.UNKNOWN),
        (False, (None,), Answer.UNKNOWN),
        (True, (1,), Answer.FAIL),
        (True, ("true",), Answer.FAIL),
        (3, (3.0,), Answer.PASS),
        ("loud", ("loud",), Answer.PASS),
        (True, (), Answer.UNKNOWN),
    ],
)
def test_every_endpoint_must_say_what_is_expected(expect, values, answer):
    assert measured(Flag(FLAG, expect), *values)[0] is answer


def test_the_evidence_names_the_endpoint_the_value_and_for_whom():
    told = measured(Flag(FLAG, context={"jurisdiction": "MT"}), True, False)[1]
    assert told == "new-wallet is false at e1 for deployctl, jurisdiction=MT, expected true"
    assert measured(Flag(FLAG), True, None)[1] == "new-wallet has no value at e1: it is DISABLED"


def test_one_endpoint_is_enough_where_the_spec_says_so():
    assert measured(Flag(FLAG, everywhere=False), None, True, False)[0] is Answer.PASS


def test_the_context_is_the_specs_with_the_gates_own_and_the_revision():
    gate = Flag(FLAG, context={"revision": "${preview}", "env": "test"})
    context = measured(gate, True, fields={"env": "prod", "app": "${app}"})[2][0]
    assert context == Context("deployctl", (("env", "test"), ("app", "wallet"), ("revision", "7a9")))


def test_a_place_that_nothing_fills_is_refused():
    with pytest.raises(ValueError, match="colour"):
        Flag(FLAG, context={"colour": "${colour}"})


def test_without_a_provider_there_is_no_answer():
    assert Flag(FLAG).measure(asking()).answer is Answer.UNKNOWN


def test_a_spec_that_asks_for_a_flag_names_a_provider():
    gates = "  gates: {before: [{name: dark, flag: {key: new-wallet, expect: false}}]}\n"
    assert "dark asks for a flag and no provider is named" in problems(SMALL + gates)[0]
    assert loaded(f"{SMALL}{gates}  flags: {{provider: {{file: {{path: flags.yaml}}}}}}\n").apps


def test_the_provider_is_one_of_those_that_are_installed():
    told = problems(f"{SMALL}  flags: {{provider: {{flagg: {{path: flags.yaml}}}}}}\n")
    assert "spec.flags.provider.flagg: unknown; expected one of" in told[0]
