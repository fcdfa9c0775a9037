"""Reads a HorizontalPodAutoscaler (autoscaling/v2) into what `strategies/autoscale.py` does its sums on."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from strategies.autoscale import DOWN, TOLERANCE, UP, Metric, Pod, Policy, Rate, Rules, Target

Json = dict[str, Any]
SUFFIXES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{suffix: Fraction(1000**at) for at, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Fraction(1024**at) for at, suffix in enumerate("KMGTPE", 1)},
}
SOURCES = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}
OF_PODS = frozenset({"Resource", "ContainerResource", "Pods"})


def thousandths(quantity: str | float) -> int:
    """Read a Kubernetes quantity, rounded up to a thousandth as its MilliValue is: 1.5 is 1500, 2Ki is 2048000."""
    text = str(quantity)
    number = text.rstrip("numkMGTPEKi")
    return math.ceil(Fraction(number) * SUFFIXES[text[len(number) :]] * 1000)


def policy_of(scaler: Json) -> Policy:
    """Give the bounds, metrics and behaviour of an autoscaler."""
    spec = scaler["spec"]
    behaviour = spec.get("behavior") or {}
    return Policy(
        least=spec.get("minReplicas", 1),
        most=spec["maxReplicas"],
        metrics=tuple(metric_of(one) for one in spec.get("metrics") or ()),
        up=_rules(behaviour.get("scaleUp") or {}, UP),
        down=_rules(behaviour.get("scaleDown") or {}, DOWN),
        plain=spec.get("behavior") is None,
    )


def metric_of(metric: Json) -> Metric:
    """Give one metric with its target: per cent, or thousandths."""
    source = metric[SOURCES[metric["type"]]]
    target = source["target"]
    share = target.get("averageUtilization")
    kind = (
        Target.UTILIZATION
        if share is not None
        else Target.AVERAGE
        if "averageValue" in target
        else Target.VALUE
    )
    amount = target.get("averageValue") or target.get("value") or "0"
    return Metric(
        name=named(metric),
        target=kind,
        wanted=share if share is not None else thousandths(amount),
        of_pods=metric["type"] in OF_PODS,
        cpu=source.get("name") == "cpu",
    )


def named(metric: Json) -> str:
    """Name a metric as people do: cpu, cpu of app, requests_per_second."""
    source = metric[SOURCES[metric["type"]]]
    if metric["type"] == "ContainerResource":
        return f"{source['name']} of {source['container']}"
    return str(source["name"] if "name" in source else source["metric"]["name"])


def _rules(given: Json, default: Rules) -> Rules:
    rates = given.get("policies")
    window = given.get("stabilizationWindowSeconds")
    return Rules(
        window_seconds=default.window_seconds if window is None else float(window),
        select=given.get("selectPolicy") or default.select,
        rates=default.rates if rates is None else tuple(map(_rate, rates)),
        tolerance=thousandths(given["tolerance"]) / 1000 if given.get("tolerance") else TOLERANCE,
    )


def _rate(policy: Json) -> Rate:
    return Rate(policy["value"], float(policy["periodSeconds"]), percent=policy["type"] == "Percent")


def pods_seen(scaler: Json, pods: Iterable[Json], usage: Mapping[str, Json]) -> tuple[Pod, ...]:
    """State pods as the autoscaler sees them; `usage` are PodMetrics (metrics.k8s.io) by the pod's name."""
    metrics = [one for one in scaler["spec"].get("metrics") or () if one["type"] != "Pods"]
    resources = [one for one in metrics if one["type"] in OF_PODS]
    return tuple(_pod(one, usage.get(one["metadata"]["name"]), resources) for one in pods)


def _pod(pod: Json, told: Json | None, metrics: list[Json]) -> Pod:
    status = pod.get("status", {})
    ready = next((one for one in status.get("conditions") or () if one["type"] == "Ready"), None)
    return Pod(
        name=pod["metadata"]["name"],
        uses=dict(_amounts(metrics, (told or {}).get("containers") or (), "usage")),
        requests=dict(_amounts(metrics, _containers(pod), "requests")),
        phase=status.get("phase", "Pending"),
        ready=bool(ready and ready["status"] == "True"),
        leaving="deletionTimestamp" in pod["metadata"],
        started=moment(status["startTime"]) if "startTime" in status else None,
        changed=moment(ready["lastTransitionTime"]) if ready else None,
        measured=moment(told["timestamp"]) if told else -math.inf,
        window_seconds=_seconds(told["window"]) if told else 0.0,
    )


def _amounts(metrics: list[Json], boxes: Iterable[Json], kind: str) -> Iterator[tuple[str, int]]:
    """Add up what containers use or request of each metric; nothing where one of them does not say."""
    boxes = tuple(boxes)
    for metric in metrics:
        source = metric[SOURCES[metric["type"]]]
        mine = [one for one in boxes if source.get("container", one["name"]) == one["name"]]
        amounts = [one[kind].get(source["name"]) for one in mine]
        if amounts and None not in amounts:
            yield named(metric), sum(map(thousandths, amounts))


def _containers(pod: Json) -> Iterator[Json]:
    """Give the containers that run beside each other, with what they request."""
    beside = (one for one in pod["spec"].get("initContainers") or () if one.get("restartPolicy") == "Always")
    for one in (*pod["spec"]["containers"], *beside):
        yield {"name": one["name"], "requests": (one.get("resources") or {}).get("requests") or {}}


def moment(text: str) -> float:
    """Read a moment of the API as seconds since 1970."""
    return dt.datetime.fromisoformat(text).timestamp()


def _seconds(window: str) -> float:
    """Read a Go duration such as 10.009s or 1m0.5s."""
    minutes, _, rest = (
        window.rpartition("m") if "m" in window and not window.endswith("ms") else ("0", "", window)
    )
    return float(minutes or 0) * 60 + float(rest.removesuffix("s"))
