"""Each action is one guarded write, with its memory inside."""

from __future__ import annotations

import datetime as dt

import pytest

from deployctl.cluster.api import JSON_PATCH, MERGE_PATCH
from deployctl.cluster.patches import Writer, forget_copy, oldest_ready_seconds
from deployctl.memory import HELD_SECONDS, NO_DEADLINE, load, rolling_update
from strategies.model import (
    Admit,
    Arm,
    Begin,
    Clean,
    Detach,
    Finish,
    Hold,
    Outcome,
    Pause,
    Phase,
    Pin,
    Rehold,
    Restore,
    Return,
    Turn,
    Valve,
)
from tests.objects import (
    deployment,
    hash_of,
    held,
    hold,
    memory,
    own,
    pod,
    remembering,
    replica_set,
    service,
    snapshot,
    template,
)

KEY = "/metadata/annotations/deployctl.dev~1release"
OLD, NEW = template(), template("wallet:2")
HOLD = hold(0, "83%")
EVERY = [
    Begin(),
    Hold(6, 5, proportional=True),
    Pause(),
    Rehold(),
    Arm(300),
    Finish(),
    Turn("a gate said no"),
    Return(),
    Restore(Outcome.PROMOTED),
    Restore(Outcome.ABORTED),
]


def writer(wrote=HOLD, thing=None, **fields):
    """Give the writer of a release that holds the Deployment so."""
    kept = memory(wrote=wrote, **fields)
    thing = thing or remembering(deployment(NEW, **held(wrote)), kept)
    sets = (replica_set(OLD, 6), replica_set(NEW, 5))
    return Writer(snapshot(thing, sets), kept, OLD, NEW)


def patch(action, **fields):
    return writer(**fields).request(action)


def value(request, where):
    """Give what a JSON patch adds at a path."""
    return {op["path"]: op["value"] for op in request.body if op["op"] == "add"}[where]


def kept_by(request):
    return load(value(request, KEY))


def settings(request):
    names = ("minReadySeconds", "progressDeadlineSeconds", "strategy", "paused")
    return {name: value(request, f"/spec/{name}") for name in names}


def names(request):
    return [op["path"] for op in request.body if op["op"] != "test"]


# -- what holds for every write to the Deployment -----------------------------------------------------------


@pytest.mark.parametrize("action", EVERY, ids=str)
def test_every_write_to_the_deployment_is_a_json_patch_in_our_name(action):
    request = patch(action)
    assert (request.method, request.content_type) == ("PATCH", JSON_PATCH)
    assert request.path == "/apis/apps/v1/namespaces/igaming/deployments/wallet"
    assert request.query == {"fieldManager": "deployctl"}


@pytest.mark.parametrize("action", EVERY, ids=str)
def test_every_write_to_the_deployment_tests_the_generation_and_our_own_annotation_first(action):
    made = writer()
    annotation = made.look.deployment["metadata"]["annotations"]["deployctl.dev/release"]
    assert made.request(action).body[:2] == [
        {"op": "test", "path": "/metadata/generation", "value": 7},
        {"op": "test", "path": KEY, "value": annotation},
    ]


@pytest.mark.parametrize("action", EVERY, ids=str)
def test_without_an_annotation_the_whole_object_is_tested(action):
    request = patch(action, thing=deployment())
    assert request.body[1] == {"op": "test", "path": "/metadata/resourceVersion", "value": "100"}


@pytest.mark.parametrize("action", EVERY, ids=str)
def test_no_write_touches_the_replicas(action):
    assert not [where for where in names(patch(action)) if "replicas" in where]


@pytest.mark.parametrize("action", EVERY[:-2], ids=str)
def test_every_write_but_the_last_carries_its_memory(action):
    assert kept_by(patch(action)).turn == 1


@pytest.mark.parametrize("action", EVERY[-2:], ids=str)
def test_the_last_write_takes_the_memory_off(action):
    assert patch(action).body[-1] == {"op": "remove", "path": KEY}


def test_an_annotation_that_is_not_there_is_not_taken_off():
    assert KEY not in names(patch(Restore(Outcome.PROMOTED), thing=deployment()))


def test_a_deployment_without_annotations_is_given_the_first():
    bare = deployment()
    del bare["metadata"]["annotations"]
    assert names(patch(Begin(), thing=bare)) == ["/spec/paused", "/metadata/annotations", KEY]


def test_a_deployment_with_annotations_keeps_them():
    assert "/metadata/annotations" not in names(patch(Begin(), thing=deployment()))


# -- what each write says -----------------------------------------------------------------------------------


def test_begin_pauses_and_writes_down_the_users_settings():
    request = patch(Begin(), thing=deployment(), wrote=None)
    assert value(request, "/spec/paused") is True
    assert kept_by(request).own == own()
    assert kept_by(request).wrote == own(paused=True)


def test_a_hold_brings_the_template_and_the_hold_in_one_patch():
    request = patch(Hold(4, 4))
    assert settings(request) == {
        "minReadySeconds": HELD_SECONDS,
        "progressDeadlineSeconds": NO_DEADLINE,
        "strategy": rolling_update(2, 2),
        "paused": False,
    }
    assert value(request, "/spec/template") == NEW


def test_a_proportional_hold_states_its_surge_in_per_cent():
    assert settings(patch(Hold(6, 5, proportional=True)))["strategy"] == rolling_update(0, "83%")


def test_a_hold_remembers_its_phase_its_size_and_what_it_wrote():
    kept = kept_by(patch(Hold(6, 6, Phase.PROMOTING, proportional=True)))
    assert (kept.phase, kept.replicas, kept.wrote) == ("promoting", 6, hold(0, "100%"))


def test_an_open_hold_leaves_the_users_own_time_in_force():
    request = patch(Hold(0, 6, open=True), own=own(min_ready_seconds=20, progress_deadline_seconds=90))
    assert settings(request) == {
        "minReadySeconds": 20,
        "progressDeadlineSeconds": 90,
        "strategy": rolling_update(6, 0),
        "paused": False,
    }


def test_an_open_hold_without_an_old_replica_set_may_still_roll():
    thing = deployment(NEW)
    made = Writer(snapshot(thing), memory(), OLD, NEW)
    assert settings(made.request(Hold(0, 6, open=True)))["strategy"] == rolling_update(1, 0)


def test_pause_changes_nothing_but_the_pause():
    assert settings(patch(Pause())) == {**held(HOLD), "paused": True}


def test_rehold_puts_back_what_was_written_with_our_template():
    request = patch(Rehold())
    assert settings(request) == held(HOLD)
    assert value(request, "/spec/template") == NEW


def test_rehold_of_a_paused_deployment_leaves_the_template_alone():
    assert "/spec/template" not in names(patch(Rehold(), wrote=hold(0, "83%", paused=True)))


def test_arm_states_the_age_at_which_kubernetes_retires_the_old_side():
    request = patch(Arm(312.2))
    assert settings(request) == {**held(HOLD), "minReadySeconds": 313, "paused": True}


def test_finish_puts_the_users_times_back_and_stays_paused():
    request = patch(Finish(), own=own(min_ready_seconds=20))
    assert settings(request) == {
        "minReadySeconds": 20,
        "progressDeadlineSeconds": 600,
        "strategy": rolling_update(0, "83%"),
        "paused": True,
    }
    assert value(request, "/spec/template") == NEW
    assert kept_by(request).phase == "finishing"


def test_turn_writes_nothing_but_the_memory():
    request = patch(Turn("gate smoke said no"))
    assert names(request) == [KEY]
    assert (kept_by(request).phase, kept_by(request).why) == ("returning", "gate smoke said no")


def test_return_is_one_patch_of_the_old_template_that_loses_no_capacity():
    request = patch(Return())
    assert settings(request) == {
        "minReadySeconds": 0,
        "progressDeadlineSeconds": 600,
        "strategy": rolling_update(0, "100%"),
        "paused": False,
    }
    assert value(request, "/spec/template") == OLD


def test_restore_of_a_promoted_release_is_the_new_template_and_the_users_settings():
    request = patch(Restore(Outcome.PROMOTED))
    assert value(request, "/spec/template") == NEW
    assert settings(request) == held(own())


def test_restore_of_an_aborted_release_is_the_old_template():
    assert value(patch(Restore(Outcome.ABORTED)), "/spec/template") == OLD


# -- Services and pods --------------------------------------------------------------------------------------


def services(one):
    kept = memory()
    return Writer(snapshot(deployment(), services=(one,)), kept, OLD, NEW), kept.dump()


def test_a_pin_is_a_merge_patch_on_the_version_that_was_looked_at():
    made, dump = services(service())
    request = made.request(Pin("wallet", "abc"))
    assert request.content_type == MERGE_PATCH
    assert request.body == {
        "metadata": {"resourceVersion": "100", "annotations": {"deployctl.dev/release": dump}},
        "spec": {"selector": {"pod-template-hash": "abc"}},
    }


def test_unpinning_takes_the_copy_of_the_memory_off_too():
    made, _ = services(service(**{"pod-template-hash": "abc"}))
    body = made.request(Pin("wallet", "")).body
    assert body["metadata"]["annotations"] == {"deployctl.dev/release": None}
    assert body["spec"]["selector"] == {"pod-template-hash": None}


def test_the_copy_stays_while_the_valve_is_on():
    made, dump = services(service(**{"pod-template-hash": "abc", "deployctl.dev/serving": "yes"}))
    assert made.request(Pin("wallet", "")).body["metadata"]["annotations"] == {"deployctl.dev/release": dump}


@pytest.mark.parametrize(
    ("on", "asked"),
    [
        (True, {"deployctl.dev/serving": "yes", "pod-template-hash": None}),
        (False, {"deployctl.dev/serving": None}),
    ],
)
def test_the_valve_asks_for_the_label_in_place_of_a_revision_or_no_longer(on, asked):
    made, _ = services(service())
    assert made.request(Valve("wallet", on)).body["spec"] == {"selector": asked}


@pytest.mark.parametrize(
    ("action", "label", "cost"),
    [(Admit("p"), "yes", None), (Detach("p"), None, "-1000000"), (Clean("p"), None, None)],
)
def test_a_pod_has_the_label_or_the_mark_or_neither(action, label, cost):
    request = patch(action)
    assert request.path == "/api/v1/namespaces/igaming/pods/p"
    assert request.body["metadata"] == {
        "labels": {"deployctl.dev/serving": label},
        "annotations": {"controller.kubernetes.io/pod-deletion-cost": cost},
    }


def test_a_replica_set_forgets_its_copy():
    request = forget_copy(replica_set(OLD, 0))
    assert request.path.endswith(f"/replicasets/wallet-{hash_of(OLD)}")
    assert request.body == {"metadata": {"annotations": {"deployctl.dev/release": None}}}


def test_the_age_of_the_oldest_ready_pod_counts():
    owner = replica_set(NEW, 3)
    pods = [pod(owner, "a"), pod(owner, "b", ready=False), pod(owner, "c")]
    pods[0]["status"]["conditions"][0]["lastTransitionTime"] = "2026-11-23T11:59:00Z"
    assert oldest_ready_seconds(pods, dt.datetime(2026, 11, 23, 12, 0, 10, tzinfo=dt.UTC)) == 70.0


def test_no_ready_pod_has_no_age():
    now = dt.datetime(2026, 11, 23, 12, 0, 10, tzinfo=dt.UTC)
    assert oldest_ready_seconds([pod(replica_set(NEW, 1), "a", ready=False)], now) == 0.0
