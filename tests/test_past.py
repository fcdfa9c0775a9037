"""What a record tells of an app's releases, beside what the cluster has of their revisions."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import msgspec
import pytest

from deployctl.cli.looking import plain
from deployctl.errors import UsageError
from deployctl.glance import listed
from deployctl.past import Past, histories, history, of_listed, past
from deployctl.record import Entry, Kept, Record, Word
from deployctl.template import digest
from tests.fake import Api, Cluster
from tests.objects import Json, deployment, hash_of, memory, replica_set, template

NOW = dt.datetime(2026, 11, 23, 13, tzinfo=dt.UTC)
T1, T2, T3 = (template(f"wallet:{number}") for number in (1, 2, 3))
SETS = (replica_set(T1, 0, 1), replica_set(T2, 6, 2), replica_set(T3, 0, 3))


def entry(name: str, new: Json, old: Json, **more) -> Entry:
    whole = {
        "strategy": "blueGreen",
        "by": "ann@desk/1",
        "started": "2026-11-23T12:00:00Z",
        "ended": "2026-11-23T12:05:30Z",
        "outcome": "promoted",
        "images": {"app": new["spec"]["containers"][0]["image"]},
    }
    return Entry(id=name, stable=digest(old), preview=digest(new), **{**whole, **more})


def seen(*entries: Entry, live: Json = T2, sets=SETS, **more) -> Past:
    return Past("igaming", "wallet", Kept(releases=entries), deployment(live), more.get("memory"), sets)


def marks(one: Past) -> dict[str, tuple[bool, bool]]:
    return {each.id: (each.live, each.way_back) for each in history(one, NOW).releases}


REFUSED = entry("r3", T3, T2, outcome="aborted", reason="gate smoke said no")
PROMOTED = entry("r2", T2, T1)
OLDEST = entry("r1", T1, template("wallet:0"))


def test_each_release_is_told_with_its_revision_and_the_one_before_it():
    one = history(seen(PROMOTED), NOW).releases[0]
    assert (one.revision, one.before, one.outcome) == (hash_of(T2), hash_of(T1), "promoted")
    assert (one.duration_seconds, one.images) == (330.0, {"app": "wallet:2"})


def test_what_serves_and_where_a_rollback_goes_are_marked():
    assert marks(seen(REFUSED, PROMOTED, OLDEST)) == {
        "r3": (False, False),
        "r2": (True, False),
        "r1": (False, True),
    }


def test_only_the_newest_release_of_a_revision_is_marked():
    again = entry("r4", T2, T1)
    assert marks(seen(again, PROMOTED))["r4"] == (True, False)
    assert marks(seen(again, PROMOTED))["r2"] == (False, False)


def test_a_rollback_is_told_by_what_it_went_to():
    back = entry("r4", T3, T2, strategy="rollback", outcome="rolledBack", images={"app": "wallet:2"})
    one = history(seen(back), NOW).releases[0]
    assert (one.revision, one.before, one.live) == (hash_of(T2), hash_of(T3), True)


def test_the_targets_are_told_though_no_release_is_about_them():
    one = history(seen(), NOW)
    assert (one.live.number, one.live.hash, one.live.images) == (2, hash_of(T2), {"app": "wallet:2"})
    assert (one.way_back.number, one.way_back.images) == (1, {"app": "wallet:1"})


def test_a_revision_that_is_gone_has_the_hash_that_was_written_down():
    one = history(seen(msgspec.structs.replace(OLDEST, stable_hash="5d5d5d5d")), NOW).releases[0]
    assert one.before == "5d5d5d5d"


def test_a_release_in_flight_is_running_and_rollback_goes_to_its_stable():
    now = seen(entry("r1", T3, T2, outcome="", ended=""), PROMOTED, memory=memory(T2, T3))
    running, promoted = history(now, NOW).releases
    assert (running.outcome, running.duration_seconds, running.live) == ("running", 3600.0, False)
    assert (promoted.live, promoted.way_back) == (True, True)


def test_after_the_shift_the_preview_is_live():
    now = seen(entry("r1", T3, T2, outcome="", ended=""), memory=memory(T2, T3, phase="promoting"))
    assert history(now, NOW).releases[0].live


def test_a_rollback_in_flight_goes_nowhere_else():
    now = seen(PROMOTED, memory=memory(T1, T2, strategy="rollback", phase="returning"))
    assert history(now, NOW).way_back is None


def test_a_release_in_flight_is_told_though_the_record_was_lost():
    one = history(seen(memory=memory(T2, T3)), NOW).releases[0]
    assert (one.id, one.outcome, one.by, one.revision) == ("r1", "running", "ann@build/1", hash_of(T3))


def test_a_release_whose_end_nobody_wrote_down_was_ended_by_hand():
    one = history(seen(entry("r2", T2, T1, outcome="", ended="")), NOW).releases[0]
    assert (one.outcome, one.duration_seconds) == ("endedByHand", None)


def test_an_outcome_of_somebody_elses_making_is_unknown():
    assert history(seen(entry("r2", T2, T1, outcome="levitated")), NOW).releases[0].outcome == "unknown"


@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-23T12:00:00"])
def test_a_time_that_cannot_be_read_is_no_duration(time):
    assert history(seen(entry("r2", T2, T1, started=time)), NOW).releases[0].duration_seconds is None


def test_one_release_is_chosen_by_the_beginning_of_its_id():
    one = seen(entry("abc1", T2, T1), entry("abd2", T2, T1))
    assert [each.id for each in history(one, NOW, "abc").releases] == ["abc1"]
    with pytest.raises(UsageError, match="ab: several begin so; there are abc1, abd2"):
        history(one, NOW, "ab")
    with pytest.raises(UsageError, match="zz: no such release on record; there are abc1, abd2"):
        history(one, NOW, "zz")


def test_the_document_says_what_it_is_and_all_that_is_known():
    said = (Word("release", "ann@desk/1", "2026-11-23T12:00:00Z", "JIRA-12"),)
    one = msgspec.structs.replace(
        PROMOTED, words=said, image_ids={"app": ("sha256:1f",)}, gates=("before smoke: yes",)
    )
    whole = json.loads(json.dumps(plain(history(seen(one), NOW))))
    assert list(whole) == ["apiVersion", "kind", "app", "namespace", "releases", "now", "live", "wayBack"]
    assert (whole["apiVersion"], whole["kind"]) == ("deployctl.dev/v1alpha1", "History")
    assert whole["releases"] == [
        {
            "app": "wallet", "namespace": "igaming", "id": "r2", "outcome": "promoted",
            "started": "2026-11-23T12:00:00Z", "ended": "2026-11-23T12:05:30Z", "durationSeconds": 330.0,
            "by": "ann@desk/1", "strategy": "blueGreen", "revision": hash_of(T2), "before": hash_of(T1),
            "images": {"app": "wallet:2"}, "digests": {"app": ["sha256:1f"]}, "reason": "",
            "words": [{"verb": "release", "by": "ann@desk/1", "at": "2026-11-23T12:00:00Z", "reason": "JIRA-12"}],
            "gates": ["before smoke: yes"], "live": True, "wayBack": False, "flags": [],
        }
    ]  # fmt: skip


# -- read from a cluster ---------------------------------------------------------------------------------------


@pytest.fixture
def cluster():
    made = Cluster.running(T2)
    Record(Api(made), "igaming", "wallet").begin(PROMOTED, None, T2)
    return made


def test_an_app_is_read_by_its_name(cluster):
    one = past(Api(cluster), "wallet")
    assert [each.id for each in one.releases] == ["r2"]
    assert (one.live, one.deployment["metadata"]["name"]) == (digest(T2), "wallet")


def test_the_record_outlives_the_deployment(cluster):
    cluster.drop("deployments", "wallet")
    one = history(past(Api(cluster), "wallet"), NOW)
    assert ([each.id for each in one.releases], one.live, one.way_back) == (["r2"], None, None)


def test_an_app_that_was_never_released_has_no_releases():
    assert past(Api(Cluster.running()), "wallet").releases == ()


def test_an_app_that_is_not_there_is_an_error(cluster):
    with pytest.raises(UsageError, match="Deployment odds not found in namespace igaming"):
        past(Api(cluster), "odds")


def test_a_record_of_an_unknown_format_is_an_error(cluster):
    cluster.put("configmaps", {"metadata": {"name": "deployctl-wallet"}, "data": {"version": "3"}})
    with pytest.raises(UsageError, match="has format 3, and this deployctl knows 2"):
        past(Api(cluster), "wallet")


def test_several_apps_are_told_together_the_newest_first():
    odds = replace(seen(entry("o1", T1, T1, started="2026-11-23T12:30:00Z")), app="odds")
    found = histories((seen(PROMOTED, OLDEST), odds), NOW)
    assert [(each.app, each.id) for each in found.items] == [
        ("odds", "o1"),
        ("wallet", "r2"),
        ("wallet", "r1"),
    ]
    assert plain(found)["kind"] == "HistoryList"


def test_an_app_of_a_list_has_its_live_mark(cluster):
    found = histories(map(of_listed, listed(Api(cluster))), NOW)
    assert [(each.id, each.live, each.way_back) for each in found.items] == [("r2", True, False)]
