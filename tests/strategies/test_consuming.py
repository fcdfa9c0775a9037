"""Who is told to consume, and when nobody is: one decision each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strategies import consuming
from strategies.model import Consumers, End, Observed, Outcome, Pod, Service, Side, Stand, Tell, Turn, Wait

SHARED, ALONE = Consumers(seconds=30.0), Consumers(exclusive=True, seconds=30.0)
MUTE = {"consumes": None, "unheard": "no answer"}


def side(name: str, *pods: Pod, **fields: object) -> Side:
    return Side(name, len(pods), pods, **fields)  # type: ignore[arg-type]


def old(**fields: object) -> Pod:
    return Pod("old", endpoints=1, **fields)  # type: ignore[arg-type]


def new(**fields: object) -> Pod:
    return Pod("new", endpoints=1, **fields)  # type: ignore[arg-type]


def seen(
    stable: Pod | Side, preview: Pod | Side, consumers: Consumers | None = ALONE, **fields: object
) -> Observed:
    sides = [one if isinstance(one, Side) else side(one.name, one) for one in (stable, preview)]
    return Observed(1, *sides, (Service("app"),), consumers=consumers, **fields)  # type: ignore[arg-type]


EVERY = (consuming.keep, consuming.go_over, consuming.finished, consuming.give_back, consuming.taken_back)


@pytest.mark.parametrize("ask", EVERY)
def test_an_app_that_consumes_nothing_is_told_nothing(ask):
    assert ask(seen(old(), new(), None)) is None


@pytest.mark.parametrize(
    "ask", [consuming.silent, consuming.batch_silent, consuming.released, consuming.early]
)
def test_pods_of_an_app_that_consumes_nothing_are_not_asked(ask):
    assert ask(seen(old(), new(), None), (new(consumes=True),)) is None


def test_a_pod_of_stable_that_was_born_meanwhile_is_told_to_consume():
    assert consuming.keep(seen(old(), new())) == Tell("old", consume=True)


def test_a_pod_that_is_to_go_next_is_not_told_to_consume():
    assert consuming.keep(seen(old(detached=True), new())) is None


def test_once_the_preview_consumes_its_newborn_are_told():
    preview = side("new", new(consumes=True), Pod("newer", endpoints=1))
    assert consuming.keep(seen(old(), preview)) == Tell("newer", consume=True)


def test_a_newborn_of_the_preview_is_not_told_before_it_serves():
    preview = side("new", new(consumes=True), Pod("newer"))
    assert consuming.keep(seen(old(), preview)) is None


def test_while_a_pod_of_the_preview_may_hold_stable_is_told_nothing():
    assert consuming.keep(seen(old(), new(**MUTE))) is None
    assert consuming.keep(seen(old(), new(**MUTE), SHARED)) == Tell("old", consume=True)


def test_a_preview_that_consumes_by_itself_is_turned_round():
    one = seen(old(consumes=True), new(consumes=True))
    step = consuming.silent(one, one.preview.pods)
    assert isinstance(step, Turn)
    assert "spec.consumes.atStart" in step.reason


def test_a_preview_that_does_not_say_is_waited_for_and_then_turned_round():
    one = seen(old(consumes=True), new(**MUTE))
    assert isinstance(consuming.silent(one, one.preview.pods), Wait)
    late = (new(**MUTE, late_seconds=30.0),)
    assert consuming.silent(one, late) == Turn("new does not say whether it consumes: no answer")


def test_a_batch_may_consume_where_the_preview_has_taken_over():
    one = seen(old(), new(consumes=True))
    assert consuming.batch_silent(one, one.preview.pods) is None


def test_a_batch_waits_for_the_word_of_stable():
    one = seen(old(**MUTE), new(consumes=True))
    assert consuming.batch_silent(one, one.preview.pods) == Wait(
        "consumers", "old to say whether they consume", 30.0
    )


def test_stable_stops_before_the_preview_begins():
    assert consuming.go_over(seen(old(consumes=True), new())) == Tell("old", consume=False)
    assert consuming.go_over(seen(old(), new())) == Tell("new", consume=True)
    assert consuming.go_over(seen(old(), new(consumes=True))) is None


def test_a_pod_that_ends_is_asked_too():
    stable = side("old", ending=(Pod("older", **MUTE),))
    assert consuming.go_over(seen(stable, new())) == Wait("consumers", "older to consume no more", 30.0)


def test_an_exclusive_holder_that_does_not_say_holds_the_release():
    step = consuming.go_over(seen(old(**MUTE, late_seconds=30.0), new()))
    assert step == Stand(
        "old may consume still: no answer; while that is so no other may take: mend it or abort"
    )


def test_a_holder_that_does_not_heed_holds_the_release():
    step = consuming.go_over(seen(old(consumes=True, late_seconds=30.0), new()))
    assert isinstance(step, Stand)
    assert "it was told to stop, and says that it goes on" in step.reason


def test_of_a_shared_group_a_mute_pod_is_not_waited_for_for_ever():
    assert consuming.go_over(seen(old(**MUTE, late_seconds=30.0), new(), SHARED)) == Tell("new", consume=True)


def test_a_preview_that_does_not_begin_is_turned_round():
    step = consuming.go_over(seen(old(), new(unheard="500", late_seconds=30.0)))
    assert step == Turn("new was told to consume, and does not say that it does: 500")


def test_pods_that_go_end_what_they_have_in_hand():
    assert consuming.released(seen(old(), new()), (old(consumes=True),)) == Tell("old", consume=False)
    assert isinstance(consuming.released(seen(old(), new()), (old(**MUTE),)), Wait)
    assert consuming.released(seen(old(), new()), (old(**MUTE, late_seconds=30.0),)) is None


def test_the_last_newborn_is_told_unless_a_holder_may_be_left():
    assert consuming.finished(seen(side("old"), new())) == Tell("new", consume=True)
    left = side("old", ending=(Pod("older", **MUTE),))
    assert consuming.finished(seen(left, new())) is None


def test_on_the_way_back_the_preview_stops_first():
    assert consuming.give_back(seen(old(), new(consumes=True))) == Tell("new", consume=False)
    assert consuming.give_back(seen(old(), new())) == Tell("old", consume=True)
    assert consuming.give_back(seen(old(consumes=True), new())) is None


def test_on_the_way_back_who_was_told_to_stop_and_has_not_yet_is_told_to_go_on():
    busy = old(consumes=True, late_seconds=31.0)
    assert consuming.give_back(seen(busy, new())) == Tell("old", consume=True)
    assert consuming.taken_back(seen(busy, side("new"))) == Tell("old", consume=True)
    assert consuming.taken_back(seen(old(consumes=True), side("new"))) is None


def test_a_preview_goes_on_while_stable_has_nobody_who_could_take():
    assert consuming.give_back(seen(side("old"), new(consumes=True))) is None


def test_the_way_back_waits_for_a_mute_preview_a_little():
    assert isinstance(consuming.give_back(seen(old(), new(**MUTE))), Wait)
    mute = new(**MUTE, late_seconds=5.0)
    assert consuming.give_back(seen(old(), mute)) is None
    assert consuming.give_back(seen(old(), mute, SHARED)) == Tell("old", consume=True)
    assert consuming.give_back(seen(old(), new(**MUTE), fast=True)) is None


def test_what_a_mute_preview_may_hold_is_taken_when_its_processes_have_ended():
    ending = side("new", ending=(Pod("newer", **MUTE),))
    assert consuming.taken_back(seen(old(), ending)) == Wait("holders", "newer of the preview to end", 600.0)
    late = consuming.taken_back(seen(old(), ending, waited={"holders": 600.0}))
    assert isinstance(late, End)
    assert late.outcome is Outcome.DEGRADED
    assert consuming.taken_back(seen(old(), side("new"))) == Tell("old", consume=True)


def test_stable_that_does_not_begin_again_is_degraded():
    step = consuming.taken_back(seen(old(**MUTE, late_seconds=30.0), side("new")))
    assert step == End(Outcome.DEGRADED, "old of stable may consume nothing: no answer")
    assert isinstance(consuming.taken_back(seen(old(**MUTE), side("new"))), Wait)


def test_of_many_pods_the_number_is_told():
    many = tuple(replace(old(**MUTE), name=f"old-{number}") for number in range(4))
    step = consuming.go_over(seen(side("old", *many), new()))
    assert step == Wait("consumers", "4 pods to consume no more", 30.0)


def test_a_pod_whose_process_is_about_to_end_is_told_to_stop():
    ending = side("new", ending=(Pod("newer", consumes=True),))
    assert consuming.taken_back(seen(old(), ending, SHARED)) == Tell("newer", consume=False)
