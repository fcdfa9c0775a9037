"""Which Services a release works with, which it warns of, and which it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl import services
from deployctl.errors import UsageError
from deployctl.observe import Witness as Nothing
from deployctl.observe import observe, selects
from strategies.model import Pin, Wait
from strategies.steps import finish
from tests.objects import (
    Json,
    deployment,
    held,
    hold,
    memory,
    pod,
    remembering,
    replica_set,
    service,
    snapshot,
    template,
)

NEW = replica_set(template("wallet:2"), 6, 2)


def shaped(**spec: object) -> Json:
    one = service()
    return {**one, "spec": {**one["spec"], **spec}}


@pytest.mark.parametrize(("replicas", "slices"), [(101, 2), (104, 2), (200, 2), (201, 3)])
def test_a_shift_over_several_slices_is_told_not_to_be_atomic(replicas: int, slices: int) -> None:
    [told] = services.warnings((service(),), replicas)
    assert told.startswith(
        f"{replicas} pods are {slices} EndpointSlices for each Service: a shift is not atomic"
    )


def test_a_hundred_endpoints_are_one_slice() -> None:
    assert list(services.warnings((service(),), 100)) == []


def test_a_service_that_keeps_clients_on_their_pods_is_told_of() -> None:
    [told] = services.warnings((shaped(sessionAffinity="ClientIP"),), 6)
    assert "sessionAffinity: ClientIP" in told


PUBLISHED = shaped(publishNotReadyAddresses=True)


def test_a_service_that_publishes_pods_until_they_are_gone_is_told_of() -> None:
    [told] = services.warnings((PUBLISHED,), 6)
    assert "waits for old pods to end before it takes the pin off" in told


def test_rolling_refuses_one_and_blue_green_does_not() -> None:
    services.kept_out(PUBLISHED, "blueGreen")
    with pytest.raises(UsageError, match="a rolling release would lose some on its way back"):
        services.kept_out(PUBLISHED, "rolling")


def test_rolling_takes_a_headless_one_that_only_names_peers() -> None:
    services.kept_out(shaped(publishNotReadyAddresses=True, clusterIP="None"), "rolling")


def test_an_external_name_is_refused() -> None:
    with pytest.raises(UsageError, match="is an ExternalName: a name in DNS, without endpoints to move"):
        services.usable(shaped(type="ExternalName"))


def test_a_service_sees_the_pods_that_have_all_it_asks_for_but_for_what_is_ours() -> None:
    pinned = service(**{"pod-template-hash": "abc", "deployctl.dev/serving": "yes"})
    assert selects(pinned, template())
    assert not selects(service(version="one"), template())


@pytest.mark.parametrize(("published", "leaving"), [(True, 1), (False, 0)])
def test_pods_that_go_count_only_where_they_are_published(*, published: bool, leaving: int) -> None:
    seen = finishing(published=published)
    assert seen.leaving == leaving
    assert isinstance(finish(seen), Wait) is published


def finishing(*, published: bool):
    """Look at a release whose old side is going, one of its pods still ending."""
    old = replica_set(template(), 0)
    kept = memory(phase="finishing", wrote=hold(0, 0, paused=True))
    thing = remembering(deployment(template("wallet:2"), **held(hold(0, 0, paused=True))), kept)
    ending = pod(old, "old", deletionTimestamp="2026-11-23T12:00:00Z")
    pinned = service(**{"pod-template-hash": NEW["metadata"]["labels"]["pod-template-hash"]})
    pinned["spec"]["publishNotReadyAddresses"] = published
    pods = (ending, *(pod(NEW, f"new-{at}") for at in range(6)))
    look = snapshot(thing, (old, NEW), pods, (pinned,))
    return observe(look, kept.stable, kept.preview, Nothing())


def test_pods_that_never_end_are_waited_for_until_the_deadline() -> None:
    late = replace(finishing(published=True), waited={"leaving": 600.0})
    assert finish(late) == Pin("wallet", "")
