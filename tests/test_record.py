"""The record keeps what was released, the newest first, within its bound."""

from __future__ import annotations

import json

import pytest

from deployctl.cluster.api import Denied
from deployctl.record import KEPT, MOST_BYTES, Entry, Intent, Kept, Record, parse
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
