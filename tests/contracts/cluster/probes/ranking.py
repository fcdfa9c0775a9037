"""StatefulSets: names, order, the partition, revisions, and what is stuck for ever."""

from __future__ import annotations

from typing import Any

from tests.contracts.cluster.objects import APP, stateful_set, template
from tests.contracts.cluster.probe import Probe

Json = dict[str, Any]
HELD = 2_147_483_647
STUCK_SECONDS = 12.0


def pods(probe: Probe) -> dict[str, str]:
    """Give R of each pod that is not leaving, and a mark on those that are not ready."""
    live = [one for one in probe.items("pods") if "deletionTimestamp" not in one["metadata"]]
    return {
        one["metadata"]["name"]: _told(one) for one in sorted(live, key=lambda it: it["metadata"]["name"])
    }


def _told(pod: Json) -> str:
    env = {one["name"]: one["value"] for one in pod["spec"]["containers"][0].get("env", ())}
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", ())}
    return env.get("R", "1") + ("" if conditions.get("Ready") == "True" else "?")


def settled(p: Probe, wanted: dict[str, str]) -> None:
    """Wait until the pods are so, and see that they stay so."""
    p.until(lambda: pods(p) == wanted, f"{wanted}")
    p.pass_time(2.0)
    assert pods(p) == wanted


def rolling(partition: int) -> Json:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}


def begin(p: Probe, replicas: int, **spec: Any) -> None:
    p.make("statefulsets", stateful_set("web", replicas, **spec))
    settled(p, {f"web-{one}": "1" for one in range(replicas)})


def change(p: Probe, **spec: Any) -> None:
    done = p.patch("statefulsets", "web", {"spec": spec})
    assert done.status == 200, done.body


def revisions(probe: Probe) -> list[int]:
    return sorted(one["revision"] for one in probe.items("controllerrevisions"))


def status(probe: Probe) -> Json:
    """Give the status with its revisions as numbers."""
    held: Json = probe.get("statefulsets", "web").body["status"]
    number = {one["metadata"]["name"]: one["revision"] for one in probe.items("controllerrevisions")}
    return {key: number.get(value, value) if "Revision" in key else value for key, value in held.items()}


def a_stateful_set_has_defaults(p: Probe) -> None:
    """What the server fills in of a StatefulSet."""
    made = p.make("statefulsets", stateful_set("web", 0))
    p.note("spec", {key: one for key, one in made["spec"].items() if key != "template"})
    p.note("status", made["status"])


def a_pod_of_a_stateful_set_has_a_name(p: Probe) -> None:
    """Its name, its ordinal and its revision are labels, and its revision keeps the template."""
    begin(p, 1)
    (pod,) = p.items("pods")
    (revision,) = p.items("controllerrevisions")
    labels = dict(pod["metadata"]["labels"])
    p.note("its revision", labels.pop("controller-revision-hash") == revision["metadata"]["name"])
    p.note("labels", labels)
    p.note("place", {key: pod["spec"].get(key) for key in ("hostname", "subdomain")})
    p.note(
        "owner", {key: pod["metadata"]["ownerReferences"][0][key] for key in ("kind", "name", "controller")}
    )
    p.note("kept", revision["data"]["spec"]["template"]["$patch"])
    p.note("labels of the revision", sorted(revision["metadata"]["labels"]))
    p.note("status", status(p))


def a_partition_parts_the_ordinals(p: Probe) -> None:
    """Those from the partition on get the new template; held above all, none."""
    begin(p, 3)
    change(p, updateStrategy=rolling(HELD), template=template(R="2"))
    for partition in (HELD, 2, 1, 0):
        change(p, updateStrategy=rolling(partition))
        settled(p, {f"web-{one}": "2" if one >= partition else "1" for one in range(3)})
        p.note(f"from {partition}", pods(p))
    p.until(lambda: status(p)["currentRevision"] == 2, "the new revision to be the current one")
    p.note("status", status(p))


def a_deleted_pod_comes_back_on_its_side(p: Probe) -> None:
    """Below the partition as the current revision has it, else of the new template."""
    begin(p, 3)
    change(p, updateStrategy=rolling(2), template=template(R="2"))
    settled(p, {"web-0": "1", "web-1": "1", "web-2": "2"})
    for name in ("web-0", "web-2"):
        before = p.get("pods", name)["metadata.uid"]
        p.delete("pods", name)
        p.until(
            lambda name=name, before=before: p.get("pods", name)["metadata.uid"] not in (None, before), name
        )
    settled(p, {"web-0": "1", "web-1": "1", "web-2": "2"})
    p.note("pods", pods(p))


def ordered_ready_is_stuck_for_ever(p: Probe) -> None:
    """A pod that never comes is not replaced by putting the template back, but by deleting it."""
    begin(p, 2, pods=template(APP, probed=True, R="1"))
    change(p, template=template(APP, probed=True, R="2", NEVER_READY="1"))
    settled(p, {"web-0": "1", "web-1": "2?"})
    change(p, template=template(APP, probed=True, R="1"))
    p.pass_time(STUCK_SECONDS)
    p.note("put back", pods(p))
    p.note("revisions", revisions(p))
    p.delete("pods", "web-1")
    settled(p, {"web-0": "1", "web-1": "1"})
    p.note("deleted", pods(p))


def parallel_is_not_stuck(p: Probe) -> None:
    """With Parallel the template put back is enough."""
    begin(p, 2, pods=template(APP, probed=True, R="1"), podManagementPolicy="Parallel")
    change(p, template=template(APP, probed=True, R="2", NEVER_READY="1"))
    settled(p, {"web-0": "1", "web-1": "2?"})
    change(p, template=template(APP, probed=True, R="1"))
    settled(p, {"web-0": "1", "web-1": "1"})
    p.note("put back", pods(p))


def on_delete_acts_on_nothing(p: Probe) -> None:
    """Only what somebody deletes is made anew, of the new template; the current revision stays."""
    begin(p, 2)
    change(
        p,
        updateStrategy={"type": "OnDelete", "rollingUpdate": None},
        template=template(R="2"),
    )
    settled(p, {"web-0": "1", "web-1": "1"})
    p.delete("pods", "web-0")
    settled(p, {"web-0": "2", "web-1": "1"})
    p.note("pods", pods(p))
    p.note("current", status(p)["currentRevision"])


def scaling_goes_by_ordinals(p: Probe) -> None:
    """The highest go, and come; new ones are of the new template, from the partition on."""
    begin(p, 3)
    change(p, updateStrategy=rolling(3), template=template(R="2"))
    for count in (1, 4):
        p.patch("statefulsets", "web", {"spec": {"replicas": count}}, sub="scale")
        p.until(lambda count=count: len(pods(p)) == count and "?" not in str(pods(p)), f"{count} pods")
        p.note(f"of {count}", pods(p))


def what_a_stateful_set_may_not_change(p: Probe) -> None:
    """All but a few fields are fixed."""
    p.make("statefulsets", stateful_set("web", 0))
    p.see(p.patch("statefulsets", "web", {"spec": {"serviceName": "others"}}))
    p.see(p.patch("statefulsets", "web", {"spec": {"podManagementPolicy": "Parallel"}}))


def what_a_stateful_set_may_not_be(p: Probe) -> None:
    """Values that are refused."""
    p.see(p.post("statefulsets", stateful_set("web", 1, podManagementPolicy="Random")))
    p.see(p.post("statefulsets", stateful_set("web", -1)))
    p.see(p.post("statefulsets", stateful_set("web", 1, updateStrategy=rolling(-1))))
    p.see(p.post("statefulsets", stateful_set("Web", 1)))


def the_history_has_an_end(p: Probe) -> None:
    """The oldest revisions beyond revisionHistoryLimit are deleted."""
    begin(p, 1, revisionHistoryLimit=1)
    for number in (2, 3, 4):
        change(p, template=template(R=str(number)))
        settled(p, {"web-0": str(number)})
    p.until(lambda: len(revisions(p)) == 2, "two revisions")
    p.note("revisions", revisions(p))


def a_template_that_was_there_is_found_again(p: Probe) -> None:
    """Its revision gets a new number; its name, and so the label of its pods, stay."""
    begin(p, 1)
    (first,) = p.items("controllerrevisions")
    change(p, template=template(R="2"))
    settled(p, {"web-0": "2"})
    change(p, template=template())
    settled(p, {"web-0": "1"})
    again = p.get("controllerrevisions", first["metadata"]["name"])
    p.note("numbers", [first["revision"], again["revision"]])
    p.note("all", revisions(p))
