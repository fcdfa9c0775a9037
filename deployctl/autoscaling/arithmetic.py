"""Reads a HorizontalPodAutoscaler (autoscaling/v2) into what `strategies/autoscale.py` does its sums on."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from strategies.autoscale import DOWN, TOLERANCE, UP, Metric, Policy, Rate, Rules, Target

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
