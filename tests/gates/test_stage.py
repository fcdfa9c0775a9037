"""The gates of a stage are asked side by side: all must say yes, and one no is enough."""

from __future__ import annotations

import threading

import pytest

from deployctl.gates import Asked
from deployctl.gates.stage import Stages, measured
from strategies.analysis import Answer, Measurement
from strategies.model import Question, Stage, Verdict
from tests.answering import eventually
from tests.objects import service
from tests.run import NO, YES, Says, gate

BEFORE = Question(Stage.BEFORE, "abc")
UNKNOWN = Says(Answer.UNKNOWN)


def nobody() -> Asked:
    return Asked((), service(), lambda *_: (200, b""))


def verdict(*gates) -> Verdict:
    stages = Stages(lambda: None)
    stages.ask(BEFORE, gates, nobody)
    assert eventually(lambda: BEFORE in stages.verdicts())
    stages.stop()
    return stages.verdicts()[BEFORE]


def test_all_gates_must_say_yes():
    assert verdict(gate(YES, "smoke"), gate(YES, "errors")) == Verdict(True, "2 of 2 gates passed")


def test_one_no_is_enough_whoever_has_not_answered_yet():
    waiting = gate(UNKNOWN, "slow", consecutive_error_limit=1000, interval_seconds=60)
    assert verdict(waiting, gate(NO)) == Verdict(False, "gate smoke said no: it says fail")


def test_a_stage_without_gates_passes():
    assert verdict() == Verdict(True, "0 of 0 gates passed")


def test_a_gate_is_asked_as_often_as_it_counts():
    times = []
    verdict(gate(Says(Answer.PASS, times.append), count=3, interval_seconds=0.001))
    assert len(times) == 3


def test_a_question_is_asked_once():
    times = []
    stages = Stages(lambda: None)
    gates = (gate(Says(Answer.PASS, times.append)),)
    stages.ask(BEFORE, gates, nobody)
    stages.ask(BEFORE, gates, nobody)
    assert eventually(lambda: BEFORE in stages.verdicts())
    assert len(times) == 1


def test_another_run_asks_again():
    """The answer of a process that died is not known to the next."""
    assert verdict(gate(NO)) == verdict(gate(NO))


def test_a_gate_has_the_time_that_the_spec_gives_it():
    times = []
    verdict(gate(Says(Answer.PASS, lambda one: times.append(one.timeout_seconds)), timeout_seconds=1.5))
    assert times == [1.5]


@pytest.fixture
def tracebacks(monkeypatch):
    """Collect what threads died of, which Python tells on standard error."""
    told = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    return told


def test_a_gate_that_breaks_says_no(tracebacks):
    broken = Says(Answer.PASS, then=lambda _: {}["no such key"])
    assert verdict(gate(broken)) == Verdict(
        False, "gate smoke said no: it broke; its traceback is on standard error"
    )
    assert eventually(lambda: [one.exc_type for one in tracebacks] == [KeyError])


def test_a_look_that_breaks_says_no(tracebacks):
    stages = Stages(lambda: None)
    stages.ask(BEFORE, (gate(YES),), lambda: {}["no such key"])
    assert eventually(lambda: BEFORE in stages.verdicts())
    assert not stages.verdicts()[BEFORE].passed
    assert eventually(lambda: bool(tracebacks))


def test_the_loop_is_woken_by_an_answer():
    rings = []
    stages = Stages(lambda: rings.append(1))
    stages.ask(BEFORE, (gate(YES),), nobody)
    assert eventually(lambda: len(rings) > 0)


def test_no_gate_is_asked_after_the_end():
    times = []
    stages = Stages(lambda: None)
    stages.stop()
    stages.ask(BEFORE, (gate(Says(Answer.PASS, times.append)),), nobody)
    assert eventually(lambda: not stages.asked[BEFORE][0].taken)
    assert (times, stages.verdicts()) == ([], {})


def test_what_the_gates_said_is_told_with_its_evidence():
    stages = Stages(lambda: None)
    stages.ask(BEFORE, (gate(YES), gate(NO, "errors")), nobody)
    assert eventually(lambda: all(one.verdict for one in stages.asked[BEFORE]))
    assert stages.said() == (
        "before smoke passed: it says pass",
        "before errors said no: it says fail",
    )


def test_a_dry_run_measures_and_does_not_act():
    said = verdict(gate(YES), gate(NO, "errors", dry_run=True))
    assert said == Verdict(True, "2 of 2 gates passed")


def test_a_dry_run_tells_what_it_would_have_said():
    stages = Stages(lambda: None)
    stages.ask(BEFORE, (gate(NO, "errors", dry_run=True),), nobody)
    assert eventually(lambda: BEFORE in stages.verdicts())
    assert stages.said() == ("before errors passed: dry run, it would have said no: it says fail",)


DOUBT = Says(Answer.INCONCLUSIVE)


def test_a_gate_that_is_inconclusive_leaves_it_to_a_person():
    doubt = "gate smoke could not decide: it says inconclusive"
    assert verdict(gate(DOUBT), gate(YES, "errors")) == Verdict(False, doubt, undecided=True)


def test_a_no_goes_before_a_doubt():
    assert verdict(gate(DOUBT), gate(NO, "errors")) == Verdict(False, "gate errors said no: it says fail")


def test_a_doubt_waits_for_those_who_have_not_answered_yet():
    stages = Stages(lambda: None)
    waiting = gate(UNKNOWN, "slow", consecutive_error_limit=1000, interval_seconds=60)
    stages.ask(BEFORE, (gate(DOUBT), waiting), nobody)
    assert eventually(lambda: stages.asked[BEFORE][0].verdict)
    assert stages.verdicts() == {}
    stages.stop()


def test_a_gate_that_hangs_is_no_answer_when_its_time_is_over():
    forever = threading.Event()
    hanging = gate(Says(Answer.PASS, lambda _: forever.wait()), timeout_seconds=0.05)
    one = measured(hanging, nobody(), 0.05)
    forever.set()
    assert one == Measurement(Answer.UNKNOWN, "no answer within 0.05s")


def test_a_stage_ends_at_its_deadline_whoever_has_not_answered():
    forever, now = threading.Event(), [0.0]
    stages = Stages(lambda: None, clock=lambda: now[0])
    stages.ask(BEFORE, (gate(YES), gate(Says(Answer.PASS, lambda _: forever.wait()), "slow")), nobody, 60)
    assert eventually(lambda: stages.asked[BEFORE][0].verdict)
    assert stages.verdicts() == {}
    now[0] = 60.0
    assert stages.verdicts() == {BEFORE: Verdict(False, "gate slow said no: no verdict within 60s")}
    forever.set()


def test_what_comes_after_the_deadline_changes_nothing():
    forever, now = threading.Event(), [0.0]
    stages = Stages(lambda: None, clock=lambda: now[0])
    stages.ask(BEFORE, (gate(Says(Answer.PASS, lambda _: forever.wait())),), nobody, 60)
    now[0] = 60.0
    assert not stages.verdicts()[BEFORE].passed
    forever.set()
    assert eventually(lambda: threading.active_count() < 20)
    assert not stages.verdicts()[BEFORE].passed


def test_many_measurements_are_told_in_short():
    stages = Stages(lambda: None)
    stages.ask(BEFORE, (gate(YES, count=3, interval_seconds=0.001),), nobody)
    assert eventually(lambda: BEFORE in stages.verdicts())
    assert stages.said() == ("before smoke passed: it says pass (3 measurements, 3 pass)",)


def test_what_is_still_open_is_told_too():
    stages = Stages(lambda: None)
    stages.ask(BEFORE, (gate(YES, count=3, interval_seconds=60),), nobody)
    assert eventually(lambda: stages.asked[BEFORE][0].taken)
    assert stages.said() == ("before smoke has 1 of 3 answers: it says pass",)
    stages.stop()
