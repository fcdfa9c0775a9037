"""Pods: how they come, how they fail, how they go."""

from __future__ import annotations

from typing import Any

from tests.contracts.cluster.objects import APP, ODDS, container, deployment, pod, replica_set, template
from tests.contracts.cluster.probe import Json, Probe
from tests.contracts.cluster.probes.resting import conditions, events


def _container(p: Probe, name: str = "one") -> Json:
    found = p.get("pods", name)["status.containerStatuses.0"]
    return found if isinstance(found, dict) else {}


def _waits(p: Probe, reason: str, name: str = "one") -> bool:
    return bool((_container(p, name).get("state") or {}).get("waiting", {}).get("reason") == reason)


def _ready(p: Probe, name: str = "one") -> bool:
    return bool(_container(p, name).get("ready"))


def _looping(pod: Json) -> Json | None:
    """Give a pod that waits for its second restart, at least."""
    for one in pod["status"].get("containerStatuses") or []:
        if one["restartCount"] and one["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff":
            return pod
    return None


def _failed(p: Probe) -> list[str]:
    """Tell the probes that were answered badly; a busy node has others, that were not answered in time."""
    return [one for one in events(p, "Unhealthy") if "statuscode" in one]


def _app(*, probed: bool = True, **env: str) -> Json:
    one = pod("one", APP)
    one["spec"]["containers"] = [container(APP, probed=probed, **env)]
    return one


def a_ready_pod_is_whole(p: Probe) -> None:
    """Everything of a pod that runs and is ready, as deployctl reads it."""
    p.make("pods", _app())
    p.until(lambda: _ready(p), "a ready pod")
    one = p.get("pods", "one").body
    p.note("conditions", conditions(one))
    p.note("status", {key: value for key, value in one["status"].items() if key != "conditions"})
    p.note("events", sorted({each["reason"] for each in p.items("events")} - {"Unhealthy"}))


def a_pod_that_is_never_ready_runs(p: Probe) -> None:
    """Its phase is Running; Ready and ContainersReady are False and say which container."""
    p.make("pods", _app(NEVER_READY="1"))
    p.until(lambda: _container(p).get("started"), "a started container")
    p.until(lambda: _failed(p), "a failed probe")
    one = p.get("pods", "one").body
    p.note("phase", one["status"]["phase"])
    p.note("conditions", conditions(one))
    p.note("events", _failed(p))


def an_image_that_cannot_be_had_is_told(p: Probe) -> None:
    """ErrImagePull, then ImagePullBackOff; the pod stays Pending."""
    p.make("pods", pod("one", "localhost/none:1"))
    p.until(lambda: _waits(p, "ImagePullBackOff"), "the back-off", 60)
    one = p.get("pods", "one").body
    state = one["status"]["containerStatuses"][0]
    p.note(
        "waiting",
        [state["state"]["waiting"]["reason"], state["ready"], state["started"], state["restartCount"]],
    )
    p.note("phase", one["status"]["phase"])
    p.note("conditions", conditions(one))


def an_image_without_a_name_is_told(p: Probe) -> None:
    """InvalidImageName, for ever."""
    p.make("pods", pod("one", "Not A Name"))
    p.until(lambda: _waits(p, "InvalidImageName"), "the reason")
    p.note("state", _container(p)["state"])


def an_image_that_may_not_be_pulled_is_told(p: Probe) -> None:
    """With imagePullPolicy Never: ErrImageNeverPull."""
    one = pod("one", "localhost/none:1")
    one["spec"]["containers"][0]["imagePullPolicy"] = "Never"
    p.make("pods", one)
    p.until(lambda: _waits(p, "ErrImageNeverPull"), "the reason")
    p.note("state", _container(p)["state"])


def a_crash_is_followed_by_a_longer_wait(p: Probe) -> None:
    """The container is started anew and counted; then CrashLoopBackOff, with its last end beside it."""
    p.make("pods", _app(probed=False, CRASH_AFTER="0s"))
    found = p.until(lambda: _looping(p.get("pods", "one").body), "the back-off", 60)
    one = found["status"]["containerStatuses"][0]
    ended = {
        key: value for key, value in one["lastState"]["terminated"].items() if key in ("exitCode", "reason")
    }
    p.note("last", [ended, one["ready"], one["started"], one["restartCount"]])
    p.note("conditions", conditions(found))
    p.note("phase", found["status"]["phase"])
    p.note("its last words", p.get("pods", "one", "log", previous="true", tailLines=1).raw.decode())
    p.note("events", events(p, "BackOff"))


def a_pod_that_need_not_live_fails(p: Probe) -> None:
    """restartPolicy Never: a bad end is the phase Failed."""
    one = _app(probed=False, CRASH_AFTER="0s")
    one["spec"]["restartPolicy"] = "Never"
    p.make("pods", one)
    p.until(lambda: p.get("pods", "one")["status.phase"] == "Failed", "the end")
    p.note("conditions", conditions(p.get("pods", "one").body))
    ended = _container(p)
    p.note(
        "end",
        [
            ended["state"]["terminated"]["exitCode"],
            ended["state"]["terminated"]["reason"],
            ended["restartCount"],
        ],
    )


def a_container_that_is_not_well_is_restarted(p: Probe) -> None:
    """The liveness probe kills it: the pod stays, the count grows."""
    one = _app(probed=False, HEALTHZ_STATUS="500")
    alive = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 5}
    one["spec"]["containers"][0]["livenessProbe"] = alive
    p.make("pods", one)
    p.until(lambda: _container(p).get("restartCount", 0) >= 1, "a restart")
    p.until(lambda: _failed(p), "a failed probe")
    p.note("events", [_failed(p), events(p, "Killing")])


def a_pod_that_fits_nowhere_waits(p: Probe) -> None:
    """Pending, PodScheduled=False with the scheduler's count of nodes."""
    big = pod("big")
    big["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1000"}}
    far = pod("far")
    far["spec"]["nodeSelector"] = {"planet": "mars"}
    for one in (big, far):
        p.make("pods", one)
        name = one["metadata"]["name"]
        p.until(lambda name=name: p.get("pods", name)["status.conditions"], "the scheduler's word")
        p.see(p.get("pods", name), "status")
    p.note("events", events(p, "FailedScheduling"))


def a_pod_with_a_grace_is_told_first(p: Probe) -> None:
    """A delete gives the object with its moment of deletion; it is gone after the grace, not before."""
    one = pod()
    one["spec"]["terminationGracePeriodSeconds"] = 30
    p.make("pods", one)
    p.until(lambda: _ready(p), "a ready pod")
    p.see(
        p.delete("pods", "one", gracePeriodSeconds=20),
        "kind",
        "metadata.deletionTimestamp",
        "metadata.deletionGracePeriodSeconds",
    )
    p.until(lambda: p.get("pods", "one").status == 404, "its end")
    p.note("events", events(p, "Killing"))


def a_pod_that_no_node_has_goes_at_once(p: Probe) -> None:
    """Nobody has to stop it, whatever its grace."""
    far = pod("far")
    far["spec"] |= {"nodeSelector": {"planet": "mars"}, "terminationGracePeriodSeconds": 30}
    p.make("pods", far)
    p.see(p.delete("pods", "far"), "kind", "metadata.deletionGracePeriodSeconds")
    p.see(p.get("pods", "far"), "code")


def a_pre_stop_keeps_a_pod_serving(p: Probe) -> None:
    """A pod that sleeps before it stops is terminating, still ready, and answers."""
    one = _app()
    one["spec"]["terminationGracePeriodSeconds"] = 10
    one["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 3}}}
    p.make("pods", one)
    p.until(lambda: _ready(p), "a ready pod")
    p.delete("pods", "one")
    p.pass_time(1)
    p.note("while it sleeps", [p.get("pods", "one:8080", "proxy", "healthz").status, _ready(p)])
    p.see(p.get("pods", "one"), "metadata.deletionGracePeriodSeconds", "status.phase")
    p.until(lambda: p.get("pods", "one").status == 404, "its end")


def a_deleted_pod_is_replaced_at_once(p: Probe) -> None:
    """The ReplicaSet does not wait for the end of the old one; it counts it as terminating."""
    pods = template()
    pods["spec"]["terminationGracePeriodSeconds"] = 10
    pods["spec"]["containers"][0] = {**container(APP), "lifecycle": {"preStop": {"sleep": {"seconds": 4}}}}
    p.make("replicasets", replica_set(replicas=1, pods=pods))
    p.until(lambda: p.get("replicasets", "web")["status.readyReplicas"] == 1, "a ready pod")
    p.delete("pods", p.items("pods")[0]["metadata"]["name"])
    p.until(lambda: len(p.items("pods")) == 2, "the other one")
    p.until(lambda: p.get("replicasets", "web")["status.readyReplicas"] == 1, "a ready pod")
    p.see(p.get("replicasets", "web"), "status")
    p.until(lambda: len(p.items("pods")) == 1, "the end of the first")
    p.until(lambda: p.get("replicasets", "web")["status.terminatingReplicas"] in (0, None), "the count")
    p.see(p.get("replicasets", "web"), "status")


def an_old_pod_counts_as_available_after_its_time(p: Probe) -> None:
    """minReadySeconds: ready at once, available later."""
    p.make("deployments", deployment(replicas=1, minReadySeconds=3))
    p.until(lambda: p.get("deployments", "web")["status.readyReplicas"] == 1, "a ready pod")
    p.note("ready", p.get("deployments", "web")["status.availableReplicas"])
    p.until(lambda: p.get("deployments", "web")["status.availableReplicas"] == 1, "an available pod")
    p.note("available", conditions(p.get("deployments", "web").body))


def a_pod_takes_its_template(p: Probe) -> None:
    """The pod of a ReplicaSet is the template completed: names, labels, owner, and what admission adds."""
    p.make("deployments", deployment(replicas=1, pods=template(APP, probed=True, A="b")))
    p.until(lambda: p.get("deployments", "web")["status.readyReplicas"] == 1, "a ready pod")
    found: Any = p.items("pods")[0]
    p.note("pod", {key: found[key] for key in ("metadata", "spec")})


def a_probe_by_grpc_is_answered_by_odds_alone(p: Probe) -> None:
    """It serves where it is ready, knows two names of itself, and nobody listens in an app that speaks no gRPC."""
    for name, image, port, service, env in (
        ("serves", ODDS, 9090, "", {"SERVICE": "odds"}),
        ("named", ODDS, 9090, "Odds", {"SERVICE": "odds"}),
        ("unready", ODDS, 9090, "", {"SERVICE": "odds", "NEVER_READY": "1"}),
        ("unknown", ODDS, 9090, "Wallet", {"SERVICE": "odds"}),
        ("elsewhere", ODDS, 9091, "", {"SERVICE": "odds"}),
        ("silent", APP, 9090, "", {"SERVICE": "balances"}),
    ):
        one = pod(name, image, **env)
        box = one["spec"]["containers"][0]
        box["readinessProbe"] = {"grpc": {"port": port, "service": service}, "periodSeconds": 1}
        p.make("pods", one)
    p.until(lambda: _ready(p, "serves") and _ready(p, "named"), "two ready pods", 60)
    for name in ("unready", "unknown", "elsewhere", "silent"):
        p.until(lambda name=name: _unhealthy(p, name), f"a failed probe of {name}", 60)
        p.note(name, [_ready(p, name), _unhealthy(p, name)])


def _unhealthy(p: Probe, name: str) -> str:
    """Say how a pod's probe failed last, but for its address and for what only its start explains."""
    told = [
        one["message"].replace(p.get("pods", name)["status.podIP"] or "?", "IP")
        for one in p.items("events")
        if one["reason"] == "Unhealthy" and one["involvedObject"]["name"] == name
    ]
    last = {"unready": "NOT_SERVING", "unknown": "NotFound"}.get(name, "failed to connect")
    return next((one for one in told if last in one), "")
