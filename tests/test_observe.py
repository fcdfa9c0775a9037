"""One look at raw objects, stated as the facts that a strategy decides on."""

from __future__ import annotations

import ast
import dataclasses
import inspect

import pytest

from deployctl import observe as module
from deployctl.memory import rolling_update
from deployctl.observe import Snapshot, Witness, live, observe, ready_endpoints, replica_set, side, stuck
from deployctl.template import digest
from strategies.model import Observed, Phase, Service, Template
from tests.objects import (
    deployment,
    endpoint_slice,
    hash_of,
    hashed,
    held,
    hold,
    memory,
    own,
    pod,
    remembering,
    service,
    snapshot,
    template,
)
from tests.objects import (
    replica_set as made,
)

OLD, NEW = template(), template("wallet:2")
OLD_SET, NEW_SET = made(OLD, 6), made(NEW, 2, revision=2)
PAUSED = hold(0, "83%", paused=True)


def holding(settings, pod_template=NEW, replicas=6, **fields):
    """Give a Deployment that is as a release wrote it."""
    kept = memory(wrote=settings, **fields)
    return remembering(deployment(pod_template, replicas, **held(settings)), kept)


def seen(thing, *sets, pods=(), services=None, slices=(), witness=None):
    look = snapshot(thing, sets, pods, services, slices)
    return observe(look, digest(OLD), digest(NEW), witness or Witness())


def test_every_fact_that_a_strategy_may_ask_for_is_stated():
    """A field that observe leaves to its default would be true in the simulator and never in a cluster."""
    tree = ast.parse(inspect.getsource(module.observe))
    call = next(
        one
        for one in ast.walk(tree)
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == "Observed"
    )
    assert {one.arg for one in call.keywords} == {one.name for one in dataclasses.fields(Observed)}


# -- the two sides ------------------------------------------------------------------------------------------


def test_a_side_is_the_replica_set_of_its_template():
    facts = seen(deployment(), OLD_SET, NEW_SET)
    assert (facts.stable.revision, facts.stable.desired) == (hash_of(OLD), 6)
    assert (facts.preview.revision, facts.preview.desired) == (hash_of(NEW), 2)


def test_a_side_without_a_replica_set_is_nothing():
    facts = seen(deployment(), OLD_SET)
    assert (facts.preview.revision, facts.preview.desired, facts.preview.gone) == ("", 0, True)


def test_of_two_replica_sets_with_one_template_the_newest_counts():
    newer = {**OLD_SET, "metadata": {**OLD_SET["metadata"], "name": "newer", "annotations": {}}}
    newer["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "10"}
    assert replica_set([OLD_SET, newer], digest(OLD)) is newer


def test_a_sides_pods_are_those_that_its_replica_set_owns():
    pods = (pod(OLD_SET, "a"), pod(NEW_SET, "b"), pod(OLD_SET, "c"))
    assert [one.name for one in seen(deployment(), OLD_SET, NEW_SET, pods=pods).stable.pods] == ["a", "c"]


def test_a_pod_that_nobody_owns_is_on_no_side():
    stray = pod(OLD_SET, "a", ownerReferences=[])
    assert seen(deployment(), OLD_SET, pods=(stray,)).stable.pods == ()


def test_a_pod_on_its_way_out_is_not_live():
    assert not live(pod(OLD_SET, "a", deletionTimestamp="2026-11-23T12:00:00Z"))


@pytest.mark.parametrize(("phase", "expected"), [("Running", True), ("Failed", False), ("Succeeded", False)])
def test_a_pod_that_has_ended_is_not_live(phase, expected):
    assert live({**pod(OLD_SET, "a"), "status": {"phase": phase}}) is expected


def test_pods_are_in_the_order_of_their_age():
    young = pod(OLD_SET, "a", creationTimestamp="2026-11-23T13:00:00Z")
    old = pod(OLD_SET, "b", creationTimestamp="2026-11-23T11:00:00Z")
    assert [one.name for one in seen(deployment(), OLD_SET, pods=(young, old)).stable.pods] == ["b", "a"]


def test_a_pod_is_ready_by_its_condition():
    pods = (pod(OLD_SET, "a"), pod(OLD_SET, "b", ready=False), {**pod(OLD_SET, "c"), "status": {}})
    assert [one.name for one in seen(deployment(), OLD_SET, pods=pods).stable.ready] == ["a"]


def test_a_pods_label_and_mark_are_seen():
    labelled = pod(OLD_SET, "a", labels={"deployctl.dev/serving": "yes"})
    marked = pod(OLD_SET, "b", annotations={"controller.kubernetes.io/pod-deletion-cost": "-1000000"})
    theirs = pod(OLD_SET, "c", annotations={"controller.kubernetes.io/pod-deletion-cost": "-5"})
    facts = seen(deployment(), OLD_SET, pods=(labelled, marked, theirs)).stable.pods
    assert [(one.labelled, one.detached) for one in facts] == [(True, False), (False, True), (False, False)]


@pytest.mark.parametrize(("pre_stop", "expected"), [(0, False), (5, True)])
def test_a_side_lingers_whose_pods_sleep_in_pre_stop(pre_stop, expected):
    stable = template(pre_stop=pre_stop)
    look = snapshot(deployment(stable), (made(stable, 6),))
    assert side(look, digest(stable)).lingers is expected


# -- trouble ------------------------------------------------------------------------------------------------


def test_a_replica_set_that_may_make_no_pods_is_in_trouble():
    quota = [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods=4"}]
    facts = seen(deployment(), OLD_SET, made(NEW, 2, conditions=quota))
    assert facts.preview.trouble == "exceeded quota: pods=4"


def test_a_replica_failure_that_is_over_is_none():
    over = [{"type": "ReplicaFailure", "status": "False", "message": "exceeded quota"}]
    assert seen(deployment(), made(NEW, 2, conditions=over)).preview.trouble == ""


def waiting(reason, message=None, key="containerStatuses"):
    state = {"name": "app", "state": {"waiting": {"reason": reason, "message": message}}}
    return {**pod(NEW_SET, "p", ready=False), "status": {key: [state]}}


def test_a_container_that_cannot_come_up_is_trouble_with_its_reason():
    assert stuck(waiting("ImagePullBackOff", " no such image ")) == "p: app: ImagePullBackOff: no such image"
    assert stuck(waiting("CrashLoopBackOff")) == "p: app: CrashLoopBackOff"


def test_an_init_container_that_cannot_come_up_is_trouble():
    assert stuck(waiting("CrashLoopBackOff", key="initContainerStatuses")) == "p: app: CrashLoopBackOff"


def test_a_container_that_is_being_made_is_no_trouble():
    assert stuck(waiting("ContainerCreating")) == ""


def test_trouble_of_a_live_pod_is_its_sides():
    facts = seen(deployment(), NEW_SET, pods=(waiting("CrashLoopBackOff"),))
    assert facts.preview.trouble == "p: app: CrashLoopBackOff"


# -- traffic ------------------------------------------------------------------------------------------------


def endpoints(*slices, services=None):
    facts = seen(deployment(), OLD_SET, pods=(pod(OLD_SET, "a"),), services=services, slices=slices)
    return facts.stable.pods[0].endpoints


def test_a_pod_counts_as_an_endpoint_of_each_service_that_lists_it():
    both = (service(), service("admin"))
    assert endpoints(endpoint_slice("a"), endpoint_slice("a", of="admin"), services=both) == 2


def test_a_pod_in_the_ipv4_and_the_ipv6_slice_of_a_service_counts_once():
    assert endpoints(endpoint_slice("a", name="v4"), endpoint_slice("a", name="v6")) == 1


def test_an_endpoint_that_is_not_ready_does_not_count():
    assert endpoints(endpoint_slice("a", ready=False)) == 0


def test_an_endpoint_whose_readiness_nobody_states_counts_as_ready():
    """https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1: nil is true."""
    assert endpoints(endpoint_slice("a", ready=None)) == 1


def test_an_endpoint_that_is_no_pod_does_not_count():
    assert ready_endpoints({"endpoints": [{"addresses": ["10.0.0.1"]}]}) == frozenset()


def test_a_slice_without_endpoints_lists_nobody():
    assert ready_endpoints({"endpoints": None}) == frozenset()


def test_a_service_is_seen_with_its_pin_and_its_valve():
    both = (service(**{"pod-template-hash": "abc"}), service("admin", **{"deployctl.dev/serving": "yes"}))
    assert seen(deployment(), services=both).services == (
        Service("wallet", "abc"),
        Service("admin", valve=True),
    )


# -- the Deployment -----------------------------------------------------------------------------------------


def test_a_deployment_at_rest_has_no_phase():
    facts = seen(deployment(), OLD_SET)
    assert (facts.phase, facts.paused, facts.settled, facts.replicas) == (None, False, True, 6)


def test_a_release_in_flight_has_the_phase_it_remembers():
    assert seen(holding(PAUSED), OLD_SET).phase is Phase.TRYING


@pytest.mark.parametrize(
    ("live_template", "expected"),
    [(OLD, Template.STABLE), (NEW, Template.PREVIEW), (template("wallet:9"), Template.FOREIGN)],
)
def test_a_template_is_known_by_its_digest(live_template, expected):
    assert seen(deployment(live_template)).template is expected


def test_a_deployment_is_settled_once_its_controller_has_seen_it():
    thing = deployment()
    thing["metadata"]["generation"] = 8
    assert not seen(thing).settled


def test_a_deployment_that_no_controller_has_seen_is_not_settled():
    assert not seen({**deployment(), "status": {}}).settled


def test_the_progress_deadline_is_the_users_own():
    thing = holding(PAUSED, own=own(progress_deadline_seconds=90))
    assert seen(thing).deadline_seconds == 90.0


def sizes(unavailable, surge, old, new, replicas=6):
    old_set, new_set = made(OLD, old), made(NEW, new)
    pods = (
        *(pod(old_set, f"a{number}") for number in range(old)),
        *(pod(new_set, f"b{number}") for number in range(new)),
    )
    return seen(holding(hold(unavailable, surge), replicas=replicas), old_set, new_set, pods=pods)


@pytest.mark.parametrize(
    ("unavailable", "surge", "old", "new"),
    [(2, 2, 4, 4), (0, "83%", 6, 5), (0, "100%", 6, 6), (0, 2, 6, 2), (4, 2, 2, 6), (6, 0, 0, 6)],
)
def test_a_hold_is_reached_at_n_less_k_old_and_k_plus_s_new_pods(unavailable, surge, old, new):
    assert sizes(unavailable, surge, old, new).partitioned


@pytest.mark.parametrize(
    ("unavailable", "surge", "old", "new"), [(2, 2, 6, 4), (2, 2, 4, 3), (0, "83%", 6, 4), (0, "83%", 7, 5)]
)
def test_a_hold_is_not_reached_before(unavailable, surge, old, new):
    assert not sizes(unavailable, surge, old, new).partitioned


def test_a_hold_is_not_reached_while_pods_are_missing():
    facts = seen(holding(hold(0, 2)), OLD_SET, NEW_SET)
    assert not facts.partitioned


def test_a_hold_that_states_its_surge_in_per_cent_is_reached_after_scaling():
    """83% of 3 is rounded up to 3."""
    assert sizes(0, "83%", 3, 3, replicas=3).partitioned


def test_an_open_hold_is_reached_when_the_old_side_is_gone():
    open_hold = own(strategy=rolling_update(2, 0))
    thing = holding(open_hold)
    assert seen(thing, made(OLD, 0), made(NEW, 6)).partitioned
    assert not seen(thing, made(OLD, 1), made(NEW, 6)).partitioned


RETURNED = own(strategy=rolling_update(0, "100%"))


def test_the_way_back_stands_with_its_settings_and_the_old_template():
    assert seen(holding(RETURNED, OLD, phase="returning")).returned


@pytest.mark.parametrize(
    ("settings", "live_template", "phase"),
    [(RETURNED, NEW, "returning"), (PAUSED, OLD, "returning"), (RETURNED, OLD, "trying")],
)
def test_the_way_back_does_not_stand_otherwise(settings, live_template, phase):
    assert not seen(holding(settings, live_template, phase=phase)).returned


# -- what others did ----------------------------------------------------------------------------------------


def test_a_hold_as_we_wrote_it_is_not_tampered_with():
    assert not seen(holding(hold(0, "83%"))).tampered


def test_a_field_of_the_hold_that_is_not_as_we_wrote_it_is():
    thing = holding(hold(0, "83%"))
    thing["spec"]["minReadySeconds"] = 1
    thing["spec"]["paused"] = True
    assert seen(thing).tampered


def test_another_template_is_tampering_only_while_the_controller_acts_on_it():
    other = template("wallet:9")
    assert seen(holding(hold(0, "83%"), other)).tampered
    assert not seen(holding(PAUSED, other)).tampered


def test_a_memory_that_somebody_took_off_is_tampering():
    kept = memory(wrote=PAUSED)
    look = Snapshot(deployment(NEW, **held(PAUSED)), (OLD_SET,), (), (service(),), (), known=kept)
    assert observe(look, digest(OLD), digest(NEW), Witness()).tampered


def shrunk(old, *, reheld=True, replicas=6, settings=None):
    thing = holding(settings or hold(0, "83%"), replicas=replicas)
    return seen(thing, made(OLD, old), witness=Witness(reheld=reheld)).shrunk


def test_a_stable_side_under_what_our_hold_leaves_was_shrunk():
    assert shrunk(4)
    assert not shrunk(6)


def test_a_stable_side_is_shrunk_only_once_the_hold_was_put_back():
    assert not shrunk(4, reheld=False)


def test_a_stable_side_that_scaling_made_smaller_was_not_shrunk():
    assert not shrunk(3, replicas=3)


def test_old_pods_are_being_retired_where_the_preview_has_the_users_own_time():
    finishing = own(strategy=rolling_update(0, "83%"), paused=True)
    assert seen(holding(finishing, phase="finishing")).retiring
    assert not seen(holding(PAUSED)).retiring
    assert not seen(deployment(OLD)).retiring


def test_what_the_process_witnessed_is_passed_on():
    witness = Witness(waited={"keepOld": 12.0}, labels_age_seconds=3.0, fast=True)
    facts = seen(deployment(), witness=witness)
    assert (facts.waited, facts.labels_age_seconds, facts.fast) == ({"keepOld": 12.0}, 3.0, True)


def test_a_replica_sets_template_names_the_side_without_its_hash():
    assert digest(hashed(NEW)) == digest(NEW)
