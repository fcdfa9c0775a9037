"""kubectl as the on-call person uses it: rollouts, histories, descriptions, events."""

from __future__ import annotations

from tests.contracts.cluster.objects import (
    APP,
    autoscaler,
    budget,
    config_map,
    deployment,
    pod,
    quota,
    service,
    template,
)
from tests.contracts.cluster.probe import Probe
from tests.contracts.cluster.probes.resting import ready, sizes, steady


def _three(p: Probe, replicas: int = 0) -> None:
    """Make a Deployment with three revisions."""
    p.make("deployments", deployment(replicas=replicas))
    steady(p)
    for rev in "23":
        p.patch("deployments", "web", {"spec": {"template": template(R=rev)}})
        steady(p)


def kubectl_follows_a_rollout(p: Probe) -> None:
    """status ends with success when all pods are there; the lines on the way depend on the moment."""
    p.make("deployments", deployment(replicas=2))
    code, out, err = p.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    p.note("end", [code, out.splitlines()[-1], err])
    p.run("rollout", "status", "deployment/web")
    p.run("rollout", "status", "deployment/none")


def kubectl_gives_up_on_a_rollout(p: Probe) -> None:
    """A rollout that does not end in time; one that is past its deadline; one that is paused."""
    never = template(APP, probed=True, NEVER_READY="1")
    p.make("deployments", deployment(replicas=1, pods=never))
    steady(p)
    p.run("rollout", "status", "deployment/web", "--timeout=1s")
    p.run("rollout", "status", "deployment/web", "--watch=false")
    p.patch("deployments", "web", {"spec": {"progressDeadlineSeconds": 1}})

    def late() -> bool:
        found = p.get("deployments", "web")["status.conditions"] or []
        return any(one.get("reason") == "ProgressDeadlineExceeded" for one in found)

    p.until(late, "the deadline")
    p.run("rollout", "status", "deployment/web", "--timeout=5s")


def kubectl_tells_the_history(p: Probe) -> None:
    """Revisions with their change-cause; one of them whole; one that is not there."""
    _three(p)
    p.run("rollout", "history", "deployment/web")
    p.run("rollout", "history", "deployment/web", "--revision=2")
    p.run("rollout", "history", "deployment/web", "--revision=9")
    p.run("annotate", "deployment/web", "kubernetes.io/change-cause=because")
    steady(p)
    p.run("rollout", "history", "deployment/web")


def kubectl_undoes(p: Probe) -> None:
    """To the revision before, to a number, to one that is not there; the same again is skipped."""
    _three(p)
    p.run("rollout", "undo", "deployment/web")
    steady(p)
    p.run("rollout", "undo", "deployment/web", "--to-revision=1")
    steady(p)
    p.run("rollout", "undo", "deployment/web", "--to-revision=77")
    p.run("rollout", "undo", "deployment/web", "--to-revision=5")
    p.run("rollout", "history", "deployment/web")
    p.note("annotations", p.get("deployments", "web")["metadata.annotations"])


def an_undo_brings_annotations_back(p: Probe) -> None:
    """The annotations of the ReplicaSet take the place of the Deployment's."""
    one = deployment(replicas=0)
    one["metadata"]["annotations"] = {"mine": "1"}
    p.make("deployments", one)
    steady(p)
    p.patch(
        "deployments",
        "web",
        {"metadata": {"annotations": {"mine": "2", "more": "2"}}, "spec": {"template": template(R="2")}},
    )
    steady(p)
    p.run("rollout", "undo", "deployment/web")
    steady(p)
    p.note("annotations", p.get("deployments", "web")["metadata.annotations"])


def kubectl_pauses_and_resumes(p: Probe) -> None:
    """Twice is an error; while paused neither undo nor restart."""
    _three(p)
    p.run("rollout", "pause", "deployment/web")
    p.run("rollout", "pause", "deployment/web")
    p.run("rollout", "undo", "deployment/web")
    p.run("rollout", "restart", "deployment/web")
    p.run("rollout", "resume", "deployment/web")
    p.run("rollout", "resume", "deployment/web")


def kubectl_restarts(p: Probe) -> None:
    """An annotation of the template, so new pods."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    p.run("rollout", "restart", "deployment/web")
    p.until(lambda: len(p.items("replicasets")) == 2, "the second ReplicaSet")
    p.note("template", p.get("deployments", "web")["spec.template.metadata"])
    p.run("rollout", "restart", "deployment/none")


def kubectl_describes_a_deployment(p: Probe) -> None:
    """All that a person reads, events too."""
    p.make("deployments", deployment(replicas=1, pods=template(APP, probed=True, A="b")))
    ready(p, 1)
    p.run("describe", "deployment", "web")
    p.run("describe", "rs", "-l", "app=web")
    p.run("describe", "deployment", "none")


def kubectl_describes_a_pod(p: Probe) -> None:
    """Of a pod that waits for a node."""
    far = pod("one")
    far["spec"]["nodeSelector"] = {"planet": "mars"}
    p.make("pods", far)
    p.until(
        lambda: [one for one in p.items("events") if one["reason"] == "FailedScheduling"],
        "the scheduler's word",
    )
    p.run("describe", "pod", "one")


def kubectl_describes_the_others(p: Probe) -> None:
    """Services, ConfigMaps, quotas, budgets."""
    p.make("services", service())
    p.make("configmaps", config_map(a="1"))
    p.make("resourcequotas", quota(pods="3"))
    p.make("poddisruptionbudgets", budget(minAvailable=1))
    p.until(lambda: p.get("resourcequotas", "small")["status.hard"], "the quota's status")
    p.until(lambda: p.get("poddisruptionbudgets", "web")["status.observedGeneration"], "the budget's status")
    p.run("describe", "svc", "web")
    p.run("describe", "cm", "notes")
    p.run("describe", "quota", "small")
    p.run("describe", "pdb", "web")


def kubectl_shows_events(p: Probe) -> None:
    """What happened to a Deployment, by `get events` and by `events`."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    p.patch("deployments", "web", {"spec": {"replicas": 0}})
    p.until(lambda: sizes(p)["r1"] == 0, "none")
    steady(p)
    p.run(
        "get",
        "events",
        "--field-selector",
        "involvedObject.kind=Deployment",
        "-o",
        "custom-columns=T:.type,R:.reason,M:.message,K:.involvedObject.kind,C:.source.component,N:.count",
    )
    p.run(
        "get",
        "events",
        "--field-selector",
        "reason=SuccessfulCreate",
        "--no-headers",
        "-o",
        "custom-columns=T:.type,M:.message",
    )
    p.run("get", "events", "--field-selector", "involvedObject.name=none")


def kubectl_shows_an_autoscaler(p: Probe) -> None:
    """Targets without metrics are unknown."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    p.make("horizontalpodautoscalers", autoscaler())
    p.until(lambda: p.get("horizontalpodautoscalers", "web")["status.conditions"], "its status")
    p.run("get", "hpa")


def kubectl_shows_failing_pods(p: Probe) -> None:
    """The STATUS column tells why."""
    p.make("pods", pod("a", "Not A Name"))
    p.make("pods", pod("b", "localhost/none:1"))
    p.until(
        lambda: (
            (p.get("pods", "a")["status.containerStatuses.0.state.waiting.reason"] or "")
            == "InvalidImageName"
        ),
        "a reason",
    )
    p.until(
        lambda: (
            (p.get("pods", "b")["status.containerStatuses.0.state.waiting.reason"] or "")
            == "ImagePullBackOff"
        ),
        "a reason",
    )
    p.run("get", "pods")
    p.run("logs", "a")


def kubectl_prints_logs(p: Probe) -> None:
    """Of a pod, of a Deployment, the last lines."""
    p.make("deployments", deployment(replicas=1, pods=template(APP, probed=True, SERVICE="web")))
    ready(p, 1)
    p.run("logs", "deploy/web")
    p.run("logs", "deploy/web", "-c", "none")
    p.run("logs", "-l", "app=web", "--tail=1")
    p.run("logs", "deploy/none")
