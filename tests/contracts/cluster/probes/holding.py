"""The hold: minReadySeconds so long that maxUnavailable and maxSurge become a partition of the pods."""

from __future__ import annotations

from typing import Any

from tests.contracts.cluster.objects import APP, deployment, template
from tests.contracts.cluster.probe import Json, Probe
from tests.contracts.cluster.probes.resting import conditions, named, pods, ready, sizes, steady

HELD = {"minReadySeconds": 1000000000, "progressDeadlineSeconds": 2147483647}


def rolling(retired: Any, extra: Any) -> Json:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": retired, "maxSurge": extra}}


def hold(p: Probe, retired: Any, extra: Any, pods: Json | None = None, **spec: Any) -> None:
    """Send a hold, with a new template or without."""
    more = {"template": pods} if pods else {}
    done = p.patch(
        "deployments", "web", {"spec": {**HELD, "strategy": rolling(retired, extra), **more, **spec}}
    )
    assert done.status == 200, done.body


def begin(p: Probe, replicas: int) -> None:
    p.make("deployments", deployment(replicas=replicas, progressDeadlineSeconds=600))
    ready(p, replicas)


def scaled(p: Probe, *counts: int) -> list[str]:
    """Scale to each count in turn; give the sizes after each."""
    told = []
    for count in counts:
        p.patch("deployments", "web", {"spec": {"replicas": count}}, sub="scale")
        found = steady(p)
        told.append(f"{count}: {found['r1']}/{found['r2']}")
    return told


def walked(p: Probe, *holds: tuple[Any, Any]) -> list[str]:
    told = []
    for retired, extra in holds:
        hold(p, retired, extra, template(R="2"))
        found = steady(p)
        told.append(f"({retired},{extra}): {found['r1']}/{found['r2']}")
    return told


def a_hold_is_a_partition_of_one(p: Probe) -> None:
    """One pod: surge it, then retire the old one."""
    begin(p, 1)
    p.note("old/new", walked(p, (0, 1), (1, 0)))


def a_hold_is_a_partition_of_two(p: Probe) -> None:
    """Two pods by ones, without a surge."""
    begin(p, 2)
    p.note("old/new", walked(p, (1, 0), (2, 0)))


def a_hold_is_a_partition_of_three(p: Probe) -> None:
    """Three pods by two, with a surge."""
    begin(p, 3)
    p.note("old/new", walked(p, (0, 2), (2, 1), (3, 0)))


def a_hold_is_a_partition_of_four(p: Probe) -> None:
    """Four pods, numbers and per cents."""
    begin(p, 4)
    p.note("old/new", walked(p, (0, 1), (1, 1), ("50%", 0), ("75%", "25%")))


def the_new_side_never_shrinks(p: Probe) -> None:
    """(0,4) and then (2,0) of four: two old and four new, over the formula."""
    begin(p, 4)
    p.note("old/new", walked(p, (0, 4), (2, 0)))


def nobody_waits_for_pods_that_never_come(p: Probe) -> None:
    """With pods that are never ready the counts are the same, to the last: no old one, none ready, Available."""
    begin(p, 2)
    told = []
    for retired, extra in ((0, 1), (1, 1), (2, 0)):
        hold(p, retired, extra, template(APP, probed=True, NEVER_READY="1", R="2"))
        found = steady(p)
        told.append(f"({retired},{extra}): {found['r1']}/{found['r2']}")
    p.note("old/new", told)
    p.note("conditions", conditions(p.get("deployments", "web").body))


def a_held_deployment_has_no_deadline(p: Probe) -> None:
    """While held there is no Progressing condition, and only old pods count as available."""
    begin(p, 2)
    hold(p, 0, 1, template(R="2"))
    ready(p, 3)
    one = p.get("deployments", "web").body
    p.note("conditions", conditions(one))
    p.note("counts", {key: value for key, value in one["status"].items() if key.endswith("eplicas")})


def a_hold_before_its_template_makes_all_unavailable(p: Probe) -> None:
    """minReadySeconds reaches the old ReplicaSet too, where the template does not change with it."""
    begin(p, 2)
    hold(p, 0, 1)
    p.until(lambda: "availableReplicas" not in p.get("deployments", "web").body["status"], "no available pod")
    steady(p)
    p.note("conditions", conditions(p.get("deployments", "web").body))
    p.note("sizes", sizes(p))


def scaling_a_held_surge_of_all_keeps_both_sides(p: Probe) -> None:
    """maxSurge 100%: every pod has its double, whatever the size; also while paused."""
    begin(p, 2)
    hold(p, 0, "100%", template(R="2"))
    steady(p)
    p.note("running", scaled(p, 3, 1, 2))
    p.patch("deployments", "web", {"spec": {"paused": True}})
    steady(p)
    p.note("paused", scaled(p, 3, 1, 2))


def scaling_a_held_surge_in_numbers_drifts(p: Probe) -> None:
    """maxSurge 4 of 4 does not grow with the size, and old pods that went do not come back."""
    begin(p, 4)
    hold(p, 0, 4, template(R="2"))
    steady(p)
    p.note("old/new", scaled(p, 6, 4, 2, 4))


def scaling_down_to_the_retired_takes_all_old(p: Probe) -> None:
    """(2,0) of four, running: at two no old pod is left, and none comes back."""
    begin(p, 4)
    hold(p, 2, 0, template(R="2"))
    steady(p)
    p.note("old/new", scaled(p, 6, 4, 3, 2, 4))


def scaling_while_paused_is_proportional(p: Probe) -> None:
    """(2,0) of four, paused: both sides grow and shrink."""
    begin(p, 4)
    hold(p, 2, 0, template(R="2"))
    steady(p)
    p.patch("deployments", "web", {"spec": {"paused": True}})
    p.note("old/new", scaled(p, 6, 4, 2, 4, 1, 4))


def scaling_ten_held_at_a_third(p: Probe) -> None:
    """(3,1) of ten, paused: it drifts by rounding, and the next hold is exact again."""
    begin(p, 10)
    hold(p, 3, 1, template(R="2"))
    steady(p)
    p.patch("deployments", "web", {"spec": {"paused": True}})
    p.note("old/new", scaled(p, 12, 10, 5, 3, 10))
    hold(p, 4, 0, paused=False)
    p.note("unpaused with (4,0)", steady(p))


def scaling_ten_held_by_per_cent(p: Probe) -> None:
    """("30%",1) of ten, running."""
    begin(p, 10)
    hold(p, "30%", 1, template(R="2"))
    steady(p)
    p.note("old/new", scaled(p, 12, 10, 5, 3))


def to_nothing_and_back_is_all_new(p: Probe) -> None:
    """A held Deployment that was scaled to 0 comes back as the new revision alone."""
    begin(p, 2)
    hold(p, 0, "100%", template(R="2"))
    steady(p)
    p.note("old/new", scaled(p, 0, 2))


def a_foreign_template_kills_the_held_new_pods(p: Probe) -> None:
    """While held and not paused, another template deletes all held new pods at once; old ones stay."""
    begin(p, 4)
    hold(p, 2, 0, template(R="2"))
    steady(p)
    p.patch("deployments", "web", {"spec": {"template": template(R="3")}})
    p.note("sizes", steady(p))


def a_foreign_template_waits_while_paused(p: Probe) -> None:
    """While paused, another template is kept and nothing comes of it, not even a ReplicaSet."""
    begin(p, 2)
    hold(p, 0, 2, template(R="2"))
    steady(p)
    p.patch("deployments", "web", {"spec": {"paused": True}})
    steady(p)
    p.patch("deployments", "web", {"spec": {"template": template(R="3")}})
    p.note("sizes", steady(p))
    p.note("updated", p.get("deployments", "web")["status.updatedReplicas"])


def a_paused_hold_over_the_size_grows(p: Probe) -> None:
    """(3,2) of four and then paused: the controller grows the new side to all it may."""
    begin(p, 4)
    hold(p, 3, 2, template(R="2"))
    p.note("running", steady(p))
    p.patch("deployments", "web", {"spec": {"paused": True}})
    p.note("paused", steady(p))


def putting_minreadyseconds_back_ends_a_paused_hold(p: Probe) -> None:
    """A new side of full size is saturated: the old pods go in one step, paused or not."""
    begin(p, 2)
    hold(p, 0, 2, template(R="2"))
    ready(p, 4)
    p.patch("deployments", "web", {"spec": {"paused": True}})
    steady(p)
    p.patch("deployments", "web", {"spec": {"minReadySeconds": 0, "progressDeadlineSeconds": 600}})
    p.until(lambda: sizes(p)["r1"] == 0, "the old side to go")
    p.note("sizes", steady(p))
    p.note("conditions", conditions(p.get("deployments", "web").body))
    p.patch("deployments", "web", {"spec": {"paused": False, "strategy": rolling(0, 1)}})
    steady(p)
    p.note("unpaused", conditions(p.get("deployments", "web").body))


def a_preview_under_size_is_never_saturated(p: Probe) -> None:
    """One of two new pods: minReadySeconds 0 retires nobody while paused."""
    begin(p, 2)
    hold(p, 0, 1, template(R="2"))
    ready(p, 3)
    p.patch("deployments", "web", {"spec": {"paused": True}})
    p.patch("deployments", "web", {"spec": {"minReadySeconds": 0}})
    p.note("sizes", steady(p))


def a_saturated_side_ends_at_its_age(p: Probe) -> None:
    """Paused, with minReadySeconds of some seconds from now: the old pods go together when all new are so old."""
    begin(p, 2)
    hold(p, 0, 2, template(R="2"))
    ready(p, 4)
    p.patch("deployments", "web", {"spec": {"paused": True, "minReadySeconds": 9}})
    p.note("armed", steady(p))
    counts: set[int] = set()

    def gone() -> bool:
        counts.add(sizes(p)["r1"])
        return 0 in counts

    p.until(gone, "the old side to go", 30)
    p.note("old on the way", sorted(counts))


def a_running_hold_pays_one_old_pod_for_each_of_age(p: Probe) -> None:
    """Not paused, each new pod that reaches minReadySeconds retires an old one."""
    begin(p, 2)
    hold(p, 0, 2, template(R="2"))
    ready(p, 4)
    p.patch("deployments", "web", {"spec": {"minReadySeconds": 8}})
    p.until(lambda: sizes(p)["r1"] == 0, "the old side to go", 30)
    p.note("sizes", steady(p))


def going_back_reuses_the_old_replica_set(p: Probe) -> None:
    """The old template again: the same ReplicaSet, its pods untouched, a new number."""
    begin(p, 2)
    old = named(p, "1")["metadata"]["name"]
    before = sorted(one["metadata"]["name"] for one in pods(p))
    hold(p, 1, 1, template(R="2"))
    steady(p)
    kept = {one["metadata"]["name"] for one in pods(p)} & set(before)
    back = named(p, "1")["spec"]["template"]
    del back["metadata"]["labels"]["pod-template-hash"]
    ops = [
        {"op": "add", "path": "/spec/template", "value": back},
        {"op": "add", "path": "/spec/paused", "value": False},
        {"op": "add", "path": "/spec/minReadySeconds", "value": 0},
        {"op": "add", "path": "/spec/progressDeadlineSeconds", "value": 600},
        {"op": "add", "path": "/spec/strategy", "value": rolling(0, "100%")},
    ]
    p.patch("deployments", "web", ops)
    p.until(lambda: sizes(p)["r2"] == 0, "the new side to go")
    ready(p, 2)
    p.note("sizes", sizes(p))
    p.note(
        "the same",
        [named(p, "1")["metadata"]["name"] == old, kept <= {one["metadata"]["name"] for one in pods(p)}],
    )
    p.note("numbers", {rev: named(p, rev)["metadata"]["annotations"] for rev in "12"})


def a_held_pod_that_is_deleted_comes_back_as_it_was(p: Probe) -> None:
    """Each ReplicaSet replaces its own."""
    begin(p, 2)
    hold(p, 1, 1, template(R="2"))
    steady(p)
    for one in pods(p):
        p.delete("pods", one["metadata"]["name"], gracePeriodSeconds=0)
    p.until(lambda: len(pods(p)) == 3, "three pods again")
    p.note("sizes", steady(p))
