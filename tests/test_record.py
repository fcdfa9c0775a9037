"""The record keeps what was released, the newest first, within its bound."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as any_

from deployctl.cluster.api import Denied, Stale
from deployctl.errors import UsageError
from deployctl.record import KEPT, MOST_BYTES, Entry, Intent, Kept, Record, Word, intent_of, parse
from tests.fake import Api, Cluster
from tests.objects import template

NAME = "deployctl-wallet"
WISH = Intent("r1", "promote", "ann@desk/1", "2026-11-23T12:00:00Z")


@pytest.fixture
def cluster():
    return Cluster()


def record(cluster: Cluster) -> Record:
    return Record(Api(cluster), "igaming", "wallet")


def entry(name="r1", **fields) -> Entry:
    whole = {"strategy": "blueGreen", "stable": "a", "preview": "b", "by": "ann", "started": "12:00"}
    return Entry(id=name, **{**whole, **fields})


def releases(cluster: Cluster) -> list[str]:
    return [one.id for one in record(cluster).read().releases]


def test_an_app_that_was_never_released_has_an_empty_record(cluster):
    assert record(cluster).read() == Kept()


def test_the_first_release_makes_the_record(cluster):
    record(cluster).begin(entry(), {"kind": "App"}, template())
    kept = record(cluster).read()
    assert kept == Kept({"kind": "App"}, template(), (entry(),), None)
    labels = cluster.objects["configmaps", NAME]["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/managed-by": "deployctl"}


def test_the_newest_release_is_first(cluster):
    record(cluster).begin(entry("r1"), None, template())
    record(cluster).begin(entry("r2"), None, template())
    assert releases(cluster) == ["r2", "r1"]


def test_a_release_without_a_spec_keeps_the_one_that_is_there(cluster):
    record(cluster).begin(entry("r1"), {"kind": "App"}, template())
    record(cluster).begin(entry("r2"), None, template())
    assert record(cluster).read().spec == {"kind": "App"}


def test_a_resumed_release_keeps_who_began_it_and_when(cluster):
    record(cluster).begin(entry(by="ann", started="12:00"), None, template())
    record(cluster).begin(entry(by="bob", started="12:30"), None, template())
    assert record(cluster).read().releases == (entry(by="ann", started="12:00"),)


def test_what_gates_said_in_several_runs_is_added_up(cluster):
    record(cluster).begin(entry(), None, template())
    record(cluster).note(entry(gates=("before smoke passed",)))
    record(cluster).end(entry(gates=("after errors passed",), outcome="promoted"))
    assert record(cluster).read().releases[0].gates == ("before smoke passed", "after errors passed")


def test_only_the_latest_answers_are_kept(cluster):
    record(cluster).begin(entry(), None, template())
    record(cluster).note(entry(gates=tuple(f"answer {number}" for number in range(150))))
    assert record(cluster).read().releases[0].gates[0] == "answer 50"


def test_the_end_takes_the_template_and_the_wish_off(cluster):
    record(cluster).begin(entry(), None, template())
    record(cluster).leave(WISH)
    record(cluster).end(entry(outcome="promoted"))
    kept = record(cluster).read()
    assert (kept.template, kept.intent, kept.releases[0].outcome) == (None, None, "promoted")


def test_a_note_leaves_the_template_and_the_wish(cluster):
    record(cluster).begin(entry(), None, template())
    record(cluster).leave(WISH)
    record(cluster).note(entry(reason="waits for a person"))
    kept = record(cluster).read()
    assert (kept.template, kept.intent, kept.releases[0].reason) == (template(), WISH, "waits for a person")


def test_a_run_answers_the_wish_to_pause_that_was_left_for_the_one_before(cluster):
    record(cluster).begin(entry(), None, template())
    record(cluster).leave(Intent("r1", "pause", "ann@desk/1", "2026-11-23T12:00:00Z"))
    record(cluster).begin(entry(), None, template())
    assert record(cluster).read().intent is None


def test_a_wish_to_promote_outlives_the_process_that_did_not_hear_it(cluster):
    record(cluster).begin(entry(), None, template())
    record(cluster).leave(WISH)
    record(cluster).begin(entry(), None, template())
    assert record(cluster).read().intent == WISH


def test_a_wish_for_another_release_is_forgotten(cluster):
    record(cluster).begin(entry(), None, template())
    record(cluster).leave(WISH)
    record(cluster).begin(entry("r2"), None, template())
    assert record(cluster).read().intent is None


def test_a_wish_is_taken_away(cluster):
    record(cluster).leave(WISH)
    record(cluster).leave(None)
    assert record(cluster).read().intent is None


def test_the_last_twenty_releases_are_kept(cluster):
    known = [entry(f"r{number}") for number in range(40)]
    text = json.dumps([{"id": one.id, **OTHER} for one in known])
    cluster.put("configmaps", {"metadata": {"name": NAME}, "data": {"releases": text}})
    record(cluster).begin(entry("new"), None, template())
    assert (len(releases(cluster)), releases(cluster)[0]) == (KEPT, "new")


OTHER = {"strategy": "rolling", "stable": "a", "preview": "b", "by": "ann", "started": "12:00"}


def test_the_record_stays_within_its_bound(cluster):
    big = json.dumps([{"id": f"r{number}", **OTHER, "why": "x" * 100_000} for number in range(10)])
    cluster.put("configmaps", {"metadata": {"name": NAME}, "data": {"releases": big}})
    record(cluster).begin(entry("new"), None, template())
    assert len(cluster.objects["configmaps", NAME]["data"]["releases"]) < MOST_BYTES
    assert releases(cluster) == ["new", "r0", "r1", "r2", "r3", "r4"]


@pytest.mark.parametrize("key", ["spec", "template", "releases", "intent"])
def test_a_part_that_cannot_be_read_is_as_if_it_were_not_there(key):
    assert parse({"data": {key: "{not json"}}) == Kept()


def test_a_record_without_data_is_empty():
    assert parse({"metadata": {}}) == parse(None) == Kept()


def test_a_record_that_may_not_be_written_is_an_error(cluster):
    cluster.answers = [Denied(403, "configmaps is forbidden")]
    with pytest.raises(Denied):
        record(cluster).begin(entry(), None, template())


# -- what people said, and what was seen ---------------------------------------------------------------------


SAID = Word("release", "ann@desk/1", "2026-11-23T12:00:00Z", "JIRA-12")


def test_who_wished_what_and_why_is_kept_with_the_release(cluster):
    record(cluster).begin(entry(words=(SAID,)), None, template())
    wish = Word("promote", "bob@desk/2", "2026-11-23T12:01:00Z", "QA is done")
    record(cluster).leave(WISH, wish)
    record(cluster).end(entry(words=(SAID,), outcome="promoted"))
    assert record(cluster).read().releases[0].words == (SAID, wish)


def test_of_very_many_words_the_first_and_the_latest_are_kept(cluster):
    record(cluster).begin(entry(words=(SAID,)), None, template())
    for number in range(30):
        record(cluster).leave(WISH, Word("pause", "bob", str(number)))
    words = record(cluster).read().releases[0].words
    assert (len(words), words[0], words[1].at, words[-1].at) == (20, SAID, "11", "29")


def test_what_a_run_saw_that_was_stopped_changes_nothing_of_how_it_ended(cluster):
    record(cluster).begin(entry(), None, template())
    record(cluster).end(entry(outcome="aborted", ended="12:05", reason="aborted by bob"))
    record(cluster).witnessed(entry(gates=("before smoke passed",), image_ids={"app": ("sha256:1",)}))
    kept = record(cluster).read().releases[0]
    assert (kept.outcome, kept.ended, kept.reason) == ("aborted", "12:05", "aborted by bob")
    assert (kept.gates, kept.image_ids) == (("before smoke passed",), {"app": ("sha256:1",)})


def test_what_was_seen_of_a_release_that_is_not_on_record_is_nobodys(cluster):
    record(cluster).witnessed(entry())
    assert releases(cluster) == []


def test_the_end_of_a_release_whose_record_somebody_took_is_written_down(cluster):
    record(cluster).begin(entry("r1"), None, template())
    cluster.drop("configmaps", NAME)
    record(cluster).end(entry("r1", outcome="promoted"))
    assert record(cluster).read().releases[0].outcome == "promoted"


def test_what_somebody_writes_in_the_same_moment_is_not_written_over(cluster):
    record(cluster).begin(entry("r1"), None, template())
    cluster.meanwhile = [lambda _: record(cluster).leave(WISH)]
    record(cluster).note(entry("r1", reason="waits for a person"))
    kept = record(cluster).read()
    assert (kept.intent, kept.releases[0].reason) == (WISH, "waits for a person")


def test_two_that_make_the_record_in_the_same_moment_are_both_in_it(cluster):
    cluster.meanwhile = [lambda _: record(cluster).begin(entry("r1"), None, template())]
    record(cluster).begin(entry("r2"), None, template())
    assert releases(cluster) == ["r2", "r1"]


def test_a_record_that_changes_all_the_time_is_given_up(cluster):
    record(cluster).begin(entry(), None, template())
    touch = [lambda now: now.put("configmaps", now.objects["configmaps", NAME])]
    cluster.meanwhile = touch * 20
    with pytest.raises(Stale):
        record(cluster).note(entry())


# -- formats -------------------------------------------------------------------------------------------------


FIRST = [
    {
        "id": "r3", "strategy": "rollback", "stable": "a", "preview": "b", "by": "bob", "started": "12:20",
        "why": "rolled back by bob", "reason": "rolled back by bob", "outcome": "rolledBack",
    },
    {
        "id": "r2", "strategy": "blueGreen", "stable": "a", "preview": "b", "by": "ann", "started": "12:10",
        "images": {"app": "wallet:2"}, "why": "JIRA-12", "digest": "d", "ended": "12:15", "outcome": "promoted",
        "reason": "JIRA-12", "gates": ["before smoke passed: yes"],
    },
    {"id": "r1", "strategy": "rolling", "stable": "x", "preview": "a", "by": "ann", "started": "12:00"},
]  # fmt: skip


def first(cluster, **more):
    """Put a record of the first format there, as it was written before it had a version."""
    data = {"releases": json.dumps(FIRST), "spec": '{"kind": "App"}', **more}
    return cluster.put("configmaps", {"metadata": {"name": NAME}, "data": data})


def test_a_record_of_the_first_format_is_read(cluster):
    first(cluster)
    back, promoted, unended = record(cluster).read().releases
    assert (back.words, back.reason) == ((Word("rollback", "bob", "12:20"),), "rolled back by bob")
    assert (promoted.words, promoted.reason) == ((Word("release", "ann", "12:10", "JIRA-12"),), "")
    assert (promoted.gates, promoted.images) == (("before smoke passed: yes",), {"app": "wallet:2"})
    assert (unended.outcome, unended.words) == ("", (Word("release", "ann", "12:00"),))


def test_the_next_write_brings_it_to_the_format_of_today(cluster):
    first(cluster)
    before = record(cluster).read()
    record(cluster).leave(WISH)
    data = cluster.objects["configmaps", NAME]["data"]
    assert data["version"] == "2"
    assert "why" not in data["releases"]
    assert record(cluster).read().releases == before.releases
    assert record(cluster).read().spec == {"kind": "App"}


WRITES = [
    lambda one: one.begin(entry("new"), {"kind": "Other"}, template()),
    lambda one: one.end(entry("new", outcome="promoted")),
    lambda one: one.note(entry("new")),
    lambda one: one.witnessed(entry("new")),
    lambda one: one.leave(WISH),
]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("version", ["3", "0", "two"])
def test_a_record_of_a_format_that_is_not_known_is_not_written(cluster, write, version):
    before = first(cluster, version=version)
    with pytest.raises(UsageError, match=f"has format {version}, and this deployctl knows 2") as error:
        write(record(cluster))
    assert error.value.advice == "upgrade deployctl; `deployctl rollback wallet` works without the record"
    assert cluster.objects["configmaps", NAME] == before


def test_nothing_of_it_is_read_either(cluster):
    first(cluster, version="3", intent='{"release": "r1", "wish": "pause", "by": "ann", "at": "now"}')
    assert record(cluster).read() == Kept(unknown="3")
    assert intent_of(cluster.objects["configmaps", NAME]) is None


# -- the bound -----------------------------------------------------------------------------------------------


LONG = any_.integers(0, 60_000).map(lambda length: "é" * length)
MANY = any_.dictionaries(any_.text(max_size=20), LONG, max_size=5)


@given(
    known=any_.lists(LONG, max_size=30),
    answers=any_.lists(LONG, max_size=5),
    images=MANY,
    reason=LONG,
    spec=any_.integers(0, 200_000).map(lambda length: "x" * length),
)
@settings(max_examples=60, deadline=None)
def test_whatever_was_released_the_record_stays_in_its_bounds(known, answers, images, reason, spec):
    cluster = Cluster()
    old = [{"id": f"r{at}", **OTHER, "reason": text} for at, text in enumerate(known)]
    cluster.put("configmaps", {"metadata": {"name": NAME}, "data": {"releases": json.dumps(old)}})
    new = entry(
        "new", gates=tuple(answers * 40), images=images, image_ids={"app": tuple(images)}, reason=reason
    )
    one = record(cluster)
    one.begin(new, {"kind": spec}, template())
    one.leave(WISH, SAID)
    one.end(new)
    data = cluster.objects["configmaps", NAME]["data"]
    assert sum(len(part.encode()) for part in data.values()) <= MOST_BYTES
    kept = releases(cluster)
    assert (len(kept) <= KEPT, kept[0]) == (True, "new")
    assert kept[1:] == [f"r{at}" for at in range(len(kept) - 1)]


def test_a_template_too_large_to_keep_is_not_kept(cluster):
    record(cluster).begin(entry(), None, template(NOTE="x" * MOST_BYTES))
    assert (record(cluster).read().template, releases(cluster)) == (None, ["r1"])
