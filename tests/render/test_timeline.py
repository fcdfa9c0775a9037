"""A release's events as a timeline."""

from __future__ import annotations

from deployctl.render.answers import answers
from deployctl.render.folding import timeline
from deployctl.render.timeline import Mark, Pods, Span
from tests.render.told import BEGAN, NEW, OLD, PROMOTED, REFUSED, REPORT


def test_it_begins_with_the_first_event_and_ends_with_the_last():
    of = timeline(PROMOTED)
    assert (of.app, of.began, round(of.seconds, 1), of.outcome) == ("wallet", BEGAN, 8.3, "promoted")


def test_the_two_revisions_are_named():
    assert timeline(PROMOTED).revisions == (OLD, NEW)


def test_what_was_so_at_a_time():
    moment = timeline(PROMOTED).at(5.0)
    assert moment is not None
    assert (moment.share, moment.stable, moment.preview) == (100, Pods(OLD, 3, 3, 0), Pods(NEW, 3, 3, 3))


def test_a_gate_reaches_from_its_question_to_its_verdict():
    gate = timeline(REFUSED).spans[0]
    assert gate == Span("before", "smoke", 2.1, 4.0, False, "500, <expected> 200", ((4.0, "fail"),))


def test_a_wait_that_the_spec_asks_for_is_a_span():
    assert [
        (one.name, round(one.ended - one.began, 1)) for one in timeline(PROMOTED).spans if not one.stage
    ] == [("keepOld", 4.0)]


def test_what_moves_something_is_numbered_and_what_prepares_it_is_not():
    assert [one.kind for one in timeline(PROMOTED).numbered()] == ["hold", "pin", "finish", "restore"]
    assert [one.kind for one in timeline(PROMOTED).marks if not one.major] == ["begin", "pin"]


def test_alike_writes_to_several_pods_are_one_mark():
    head = REFUSED[:3]
    admits = [
        {**REFUSED[1], "seq": 4 + at, "action": "admit", "pod": f"p{at}", "text": f"let p{at} in"}
        for at in range(2)
    ]
    assert timeline([*head, *admits]).marks[-1].text == "let 2 pods in"


def test_a_run_that_was_killed_and_one_that_went_on_are_one_timeline():
    killed = timeline([*PROMOTED[:7], *(dict(one, seq=at) for at, one in enumerate(PROMOTED[7:], 1))])
    assert [(one.kind, round(one.at, 1)) for one in killed.marks if one.kind in {"stopped", "resumed"}] == [
        ("stopped", 2.1),
        ("resumed", 3.0),
    ]
    assert killed.outcome == "promoted"


def test_no_events_are_no_timeline_and_no_error():
    assert timeline([]).moments == ()


def test_a_turn_is_bad():
    assert [one.kind for one in timeline(REFUSED).marks if one.bad] == ["turn"]
    assert Mark(0, "hold", "").bad is False


def test_answers_are_counted_by_the_hash_of_the_pods_that_gave_them():
    seen = answers([REPORT])
    assert (seen.total(OLD), seen.by_tenth[OLD][int(10 * BEGAN)]) == (39, 1)
    assert seen.names == {OLD: "r1", NEW: "r2"}
    assert seen.closing() == "90 requests, 1 failed"


def test_the_answers_of_two_loads_add_up():
    both = answers([REPORT, REPORT])
    assert both.total(NEW) == 100
    assert both.closing() == "180 requests, 2 failed"


def test_answers_between_two_moments_know_their_own_failures():
    assert answers([REPORT]).between(BEGAN + 4, BEGAN + 6).closing() == "21 requests, 0 failed"


def test_a_large_number_is_grouped():
    assert answers([dict(REPORT, requests=12345)]).closing() == "12 345 requests, 1 failed"


def test_a_rate_is_of_answers_a_second():
    seen = answers([REPORT])
    assert seen.rate(OLD, BEGAN, BEGAN + 2) == 10.0
    assert seen.rate(OLD, BEGAN + 4, BEGAN + 5) == 0.0


def test_revisions_come_in_the_order_of_their_first_answers():
    assert answers([REPORT]).revisions == [OLD, NEW]
