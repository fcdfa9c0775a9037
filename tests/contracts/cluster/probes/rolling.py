"""Deployments and ReplicaSets as everybody uses them: rollouts, revisions, conditions, events, obstacles."""

from __future__ import annotations

from tests.contracts.cluster.objects import APP, deployment, pod, quota, replica_set, template
from tests.contracts.cluster.probe import Probe
from tests.contracts.cluster.probes.resting import conditions, events, named, pods, ready, sizes, steady


def a_rollout_ends_available(p: Probe) -> None:
    """What a Deployment and its ReplicaSet look like at rest, and what was told on the way."""
    p.make("deployments", deployment(pods=template(APP, probed=True, R="1")))
    ready(p, 2)
    p.see(p.get("deployments", "web"), "status", "metadata.annotations", "metadata.generation")
    p.see(p.get("replicasets"), "items")
    p.note("events", events(p, "ScalingReplicaSet"))


def a_new_template_is_a_new_replica_set(p: Probe) -> None:
    """The old one is kept at 0; conditions name the new one; every scaling is an event."""
    p.make("deployments", deployment(strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}))
    ready(p, 2)
    p.patch("deployments", "web", {"spec": {"template": template(R="2")}})
    p.until(lambda: sizes(p).get("r2") == 2 and sizes(p)["r1"] == 0, "the new revision")
    ready(p, 2)
    p.note("conditions", conditions(p.get("deployments", "web").body))
    p.note("old", {key: named(p, "1")[key] for key in ("spec", "status")}["status"])
    p.note("events", events(p, "ScalingReplicaSet"))


def a_replica_set_tells_its_wishes(p: Probe) -> None:
    """desired- and max-replicas are annotations, and follow the scale."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    p.patch("deployments", "web", {"spec": {"replicas": 2}})
    ready(p, 2)
    p.note("annotations", named(p, "1")["metadata"]["annotations"])


def annotations_go_down_and_stay(p: Probe) -> None:
    """A Deployment's annotations are copied to the new ReplicaSet, but for kubectl's; they do not leave it."""
    one = deployment(replicas=0)
    one["metadata"]["annotations"] = {"mine": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    p.make("deployments", one)
    steady(p)
    p.note("at birth", named(p, "1")["metadata"]["annotations"])
    p.patch("deployments", "web", {"metadata": {"annotations": {"mine": None, "more": "2"}}})
    steady(p)
    p.note("later", named(p, "1")["metadata"]["annotations"])
    p.patch("deployments", "web", {"spec": {"template": template(R="2")}})
    steady(p)
    p.note("the next", named(p, "2")["metadata"]["annotations"])


def revisions_are_counted(p: Probe) -> None:
    """Each new template is one more; an old one that comes back is renumbered and remembers its numbers."""
    p.make("deployments", deployment(replicas=0))
    steady(p)
    for one in (template(R="2"), template(R="3"), template(), template(R="2")):
        p.patch("deployments", "web", {"spec": {"template": one}})
        steady(p)
    p.note("numbers", {rev: named(p, rev)["metadata"]["annotations"] for rev in "123"})
    p.note("Deployment", p.get("deployments", "web")["metadata.annotations"])


def old_replica_sets_are_kept_to_a_limit(p: Probe) -> None:
    """revisionHistoryLimit: the oldest go first; at 0 none is kept."""
    p.make("deployments", deployment(replicas=0, revisionHistoryLimit=1))
    steady(p)
    for rev in "234":
        p.patch("deployments", "web", {"spec": {"template": template(R=rev)}})
        steady(p)
    p.until(lambda: len(sizes(p)) == 2, "two to be left")
    p.note("limit 1", sizes(p))
    p.patch("deployments", "web", {"spec": {"revisionHistoryLimit": 0}})
    p.until(lambda: len(sizes(p)) == 1, "one to be left")
    p.note("limit 0", sizes(p))


def a_label_of_the_template_only_is_a_new_revision(p: Probe) -> None:
    """Every change of the template is; one of the Deployment's labels is none."""
    p.make("deployments", deployment(replicas=0))
    steady(p)
    p.patch("deployments", "web", {"metadata": {"labels": {"a": "b"}}})
    steady(p)
    p.note("its own label", len(p.items("replicasets")))
    p.patch("deployments", "web", {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}})
    steady(p)
    p.note("a pod's label", len(p.items("replicasets")))


def a_replica_set_has_hash_labels_and_an_owner(p: Probe) -> None:
    """The hash is on the ReplicaSet, in its selector and on its pods; each names who controls it."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    one = named(p, "1")
    p.note("ReplicaSet", {key: one["metadata"][key] for key in ("name", "labels", "ownerReferences")})
    p.note("selector", one["spec"]["selector"])
    meta = pods(p)[0]["metadata"]
    p.note("pod", {key: meta[key] for key in ("generateName", "labels", "ownerReferences")})
    p.note("one hash", one["metadata"]["name"] == f"web-{meta['labels']['pod-template-hash']}")


def a_rollout_that_does_not_progress_says_so(p: Probe) -> None:
    """After progressDeadlineSeconds: Progressing=False, and nothing else happens."""
    p.make(
        "deployments",
        deployment(replicas=1, pods=template(APP, probed=True, NEVER_READY="1"), progressDeadlineSeconds=3),
    )

    def failed() -> bool:
        found = conditions(p.get("deployments", "web").body)
        return any(each.get("reason") == "ProgressDeadlineExceeded" for each in found)

    p.until(failed, "the deadline")
    p.see(p.get("deployments", "web"), "status")
    p.note("sizes", sizes(p))


def a_bad_rollout_stops_half_way(p: Probe) -> None:
    """With maxUnavailable 0 the old pods stay; the deadline names the new ReplicaSet."""
    room = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    p.make("deployments", deployment(strategy=room, progressDeadlineSeconds=3))
    ready(p, 2)
    p.patch("deployments", "web", {"spec": {"template": template(APP, probed=True, NEVER_READY="1", R="2")}})

    def failed() -> bool:
        found = conditions(p.get("deployments", "web").body)
        return any(each.get("reason") == "ProgressDeadlineExceeded" for each in found)

    p.until(failed, "the deadline")
    p.note("conditions", conditions(p.get("deployments", "web").body))
    p.note("sizes", steady(p))
    p.patch("deployments", "web", {"spec": {"template": template(R="3")}})
    p.until(lambda: sizes(p).get("r3") == 2, "the third revision")
    ready(p, 2)
    p.note("mended", [sizes(p), conditions(p.get("deployments", "web").body)])


def unhealthy_old_pods_go_first(p: Probe) -> None:
    """Old pods that are not ready are no loss: they are taken away beyond maxUnavailable."""
    room = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    p.make("deployments", deployment(pods=template(APP, probed=True, NEVER_READY="1"), strategy=room))
    steady(p)
    p.patch("deployments", "web", {"spec": {"template": template(APP, probed=True, NEVER_READY="1", R="2")}})
    p.note("sizes", steady(p))


def recreate_stops_all_first(p: Probe) -> None:
    """The new pods begin when the old ones are gone."""
    p.make("deployments", deployment(strategy={"type": "Recreate"}))
    ready(p, 2)
    p.patch("deployments", "web", {"spec": {"template": template(R="2")}})
    p.until(lambda: sizes(p).get("r2") == 2, "the new revision")
    ready(p, 2)
    p.note("sizes", sizes(p))
    p.note("events", events(p, "ScalingReplicaSet"))


def a_paused_deployment_says_so(p: Probe) -> None:
    """Paused and resumed are reasons of Progressing; a template waits; scaling goes on."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    p.patch("deployments", "web", {"spec": {"paused": True}})
    steady(p)
    p.note("paused", conditions(p.get("deployments", "web").body))
    p.patch("deployments", "web", {"spec": {"template": template(R="2"), "replicas": 2}})
    ready(p, 2)
    p.note("scaled", [sizes(p), conditions(p.get("deployments", "web").body)])
    p.patch("deployments", "web", {"spec": {"paused": False}})
    p.until(lambda: sizes(p).get("r2") == 2 and sizes(p)["r1"] == 0, "the new revision")
    ready(p, 2)
    p.note("resumed", conditions(p.get("deployments", "web").body))


def born_paused_it_makes_nothing(p: Probe) -> None:
    """A Deployment that is born paused has no ReplicaSet."""
    p.make("deployments", deployment(paused=True))
    p.until(lambda: p.get("deployments", "web")["status.observedGeneration"], "the controller")
    p.note("ReplicaSets", p.items("replicasets"))
    p.see(p.get("deployments", "web"), "status", "metadata.annotations")


def a_quota_in_the_way_is_told(p: Probe) -> None:
    """The ReplicaSet has ReplicaFailure with the server's words, the Deployment too; both go when there is room."""
    p.make("resourcequotas", quota(pods="1"))
    p.until(lambda: p.get("resourcequotas", "small")["status.hard"], "the quota's status")
    p.make("deployments", deployment())

    def failing() -> bool:
        return any(each["type"] == "ReplicaFailure" for each in conditions(p.get("deployments", "web").body))

    p.until(failing, "ReplicaFailure")
    p.until(lambda: p.items("replicasets")[0]["status"].get("readyReplicas") == 1, "the pod that has room")
    p.note("ReplicaSet", conditions(named(p, "1")))
    p.note(
        "Deployment",
        [each for each in conditions(p.get("deployments", "web").body) if each["type"] != "Progressing"],
    )
    p.note("events", events(p, "FailedCreate")[:1])
    p.patch("resourcequotas", "small", {"spec": {"hard": {"pods": "5"}}})
    ready(p, 2)
    p.note("with room", [conditions(named(p, "1")), conditions(p.get("deployments", "web").body)])


def a_replica_set_takes_in_who_matches(p: Probe) -> None:
    """A pod without an owner that its selector chooses is adopted; one too many goes."""
    p.make("pods", pod("stray"))
    p.make("replicasets", replica_set(replicas=1))
    p.until(lambda: p.get("pods", "stray")["metadata.ownerReferences"], "the adoption")
    p.note("owner", p.get("pods", "stray")["metadata.ownerReferences"])
    p.until(lambda: p.get("replicasets", "web")["status.replicas"] == 1, "its count")
    p.note("pods", [one["metadata"]["name"] for one in p.items("pods")])


def a_replica_set_lets_go_who_no_longer_matches(p: Probe) -> None:
    """A pod whose label is taken away loses its owner, lives on, and is replaced."""
    p.make("replicasets", replica_set(replicas=1))
    p.until(lambda: p.get("replicasets", "web")["status.readyReplicas"] == 1, "a ready pod")
    name = p.items("pods")[0]["metadata"]["name"]
    p.patch("pods", name, {"metadata": {"labels": {"app": "away"}}})
    p.until(
        lambda: p.get("replicasets", "web")["status.readyReplicas"] == 1 and len(p.items("pods")) == 2,
        "another",
    )
    p.until(lambda: p.get("pods", name)["metadata.ownerReferences"] is None, "the release")
    p.note("pods", len(p.items("pods", "app=web")))


def a_replica_set_alone_has_its_status(p: Probe) -> None:
    """Counts, and fullyLabeledReplicas; scaled to none it keeps the zeros it must."""
    p.make("replicasets", replica_set(replicas=1))
    p.until(lambda: p.get("replicasets", "web")["status.availableReplicas"] == 1, "an available pod")
    p.see(p.get("replicasets", "web"), "status")
    p.patch("replicasets", "web", {"spec": {"replicas": 0}}, sub="scale")
    p.until(lambda: p.get("replicasets", "web")["status.replicas"] == 0, "none")
    p.see(p.get("replicasets", "web"), "status", "metadata.generation")
    p.note("events", [events(p, "SuccessfulCreate"), events(p, "SuccessfulDelete")])


def a_pod_that_costs_least_goes_first(p: Probe) -> None:
    """controller.kubernetes.io/pod-deletion-cost: deployctl picks by it which pods a scale-down takes."""
    p.make("deployments", deployment(replicas=3))
    ready(p, 3)
    names = sorted(one["metadata"]["name"] for one in pods(p))
    cost = "controller.kubernetes.io/pod-deletion-cost"
    p.patch("pods", names[0], {"metadata": {"annotations": {cost: "-1000"}}})
    p.patch("pods", names[1], {"metadata": {"annotations": {cost: "5"}}})
    p.pass_time(0.5)
    p.patch("deployments", "web", {"spec": {"replicas": 2}}, sub="scale")
    ready(p, 2)
    p.note("after one", [one in {each["metadata"]["name"] for each in pods(p)} for one in names])
    p.patch("deployments", "web", {"spec": {"replicas": 1}}, sub="scale")
    ready(p, 1)
    p.note("after two", [one in {each["metadata"]["name"] for each in pods(p)} for one in names])
    p.see(p.patch("pods", names[1], {"metadata": {"annotations": {cost: "cheap"}}}))


def a_pod_that_is_not_ready_goes_before_a_cheap_one(p: Probe) -> None:
    """Readiness counts before the cost: a detached pod may survive one that is not ready."""
    p.make("replicasets", replica_set(replicas=1, pods=template(APP, probed=True)))
    p.until(lambda: p.get("replicasets", "web")["status.readyReplicas"] == 1, "a ready pod")
    name = p.items("pods")[0]["metadata"]["name"]
    cheap = {"controller.kubernetes.io/pod-deletion-cost": "-1000"}
    p.patch("pods", name, {"metadata": {"annotations": cheap}})
    p.patch(
        "replicasets",
        "web",
        {"spec": {"template": template(APP, probed=True, NEVER_READY="1"), "replicas": 2}},
    )
    p.until(lambda: p.get("replicasets", "web")["status.replicas"] == 2, "a second pod")
    p.pass_time(0.5)
    p.patch("replicasets", "web", {"spec": {"replicas": 1}})
    p.until(lambda: p.get("replicasets", "web")["status.replicas"] == 1 and len(pods(p)) == 1, "one pod")
    p.note("the cheap one lives", [one["metadata"]["name"] == name for one in pods(p)])


def scaling_in_mid_rollout_is_proportional(p: Probe) -> None:
    """A rollout that is stuck is scaled on both sides by their sizes."""
    room = {"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}}
    p.make("deployments", deployment(replicas=4, strategy=room))
    ready(p, 4)
    p.patch("deployments", "web", {"spec": {"template": template(APP, probed=True, NEVER_READY="1", R="2")}})
    p.note("stuck", steady(p))
    told = []
    for count in (8, 4, 2):
        p.patch("deployments", "web", {"spec": {"replicas": count}})
        told.append([count, steady(p)])
    p.note("scaled", told)
