"""HorizontalPodAutoscalers and PodDisruptionBudgets."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.objects.amounts import amount
from deployctl.sandbox.objects.validation.metadata import selector
from deployctl.sandbox.objects.validation.words import Causes, forbidden, invalid, required, unsupported
from deployctl.sandbox.objects.validation.workloads import share, within

Json = dict[str, Any]

SOURCES = ("ContainerResource", "External", "Object", "Pods", "Resource")
TARGETS = {"Utilization": "averageUtilization", "Value": "value", "AverageValue": "averageValue"}
SELECT = ("Disabled", "Max", "Min")
EVICTION = ("AlwaysAllow", "IfHealthyBudget")
HOUR = 3600
HALF_HOUR = 1800
MUST_SAY = "must populate information for the given metric source"


def autoscaler(one: Json, _before: Json | None) -> Causes:
    """Check an autoscaler."""
    spec = one["spec"]
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if least < 1:
        yield invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield invalid("spec.maxReplicas", most, "must be greater than 0")
    if most < least:
        yield invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    for key in ("kind", "name"):
        if not spec["scaleTargetRef"].get(key):
            yield required(f"spec.scaleTargetRef.{key}")
    if "/" not in spec["scaleTargetRef"].get("apiVersion", ""):
        told = "apiVersion must specify API group"
        yield invalid("spec.scaleTargetRef.apiVersion", spec["scaleTargetRef"].get("apiVersion", ""), told)
    for at, metric in enumerate(spec.get("metrics") or []):
        yield from _metric(metric, f"spec.metrics[{at}]")
    if least == 0 and not {"Object", "External"} & {
        metric.get("type") for metric in spec.get("metrics") or []
    }:
        told = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield forbidden("spec.metrics", told)
    for key, rules in (spec.get("behavior") or {}).items():
        yield from _rules(rules, f"spec.behavior.{key}")


def _metric(one: Json, field: str) -> Causes:
    kind = one.get("type", "")
    if not kind:
        yield required(f"{field}.type", "must specify a metric source type")
    if kind not in SOURCES:
        yield unsupported(f"{field}.type", kind, SOURCES)
        yield unsupported(f"{field}.type", kind, SOURCES)
        return
    key = kind[0].lower() + kind[1:]
    others = [other for other in one if other not in {"type", key}]
    if key in one:
        yield from _source(one[key], kind, f"{field}.{key}")
    else:
        yield required(f"{field}.{key}", MUST_SAY)
    yield from (
        forbidden(f"{field}.{other}", "must populate the given metric source only") for other in others
    )


def _source(one: Json, kind: str, field: str) -> Causes:
    if kind in {"Resource", "ContainerResource"} and not one.get("name"):
        yield required(f"{field}.name", "must specify a resource name")
    target = one.get("target") or {}
    there = f"{field}.target"
    if not target.get("type"):
        yield required(f"{there}.type", "must specify a metric target type")
    elif target["type"] not in TARGETS:
        yield invalid(f"{there}.type", target["type"], "must be either Utilization, Value, or AverageValue")
    used = target.get("averageUtilization")
    if used is not None and used < 1:
        yield invalid(f"{there}.averageUtilization", used, "must be greater than 0")
    for key in ("value", "averageValue"):
        if key in target and amount(target[key]) <= 0:
            yield invalid(f"{there}.{key}", target[key], "must be positive")
    if kind == "Resource" and used is None and "averageValue" not in target:
        yield required(
            f"{there}.averageUtilization", "must set either a target raw value or a target utilization"
        )


def _rules(one: Json, field: str) -> Causes:
    window = one.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        yield invalid(f"{field}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > HOUR:
        yield invalid(f"{field}.stabilizationWindowSeconds", window, f"must be less than or equal to {HOUR}")
    if one.get("selectPolicy", "Max") not in SELECT:
        yield unsupported(f"{field}.selectPolicy", one["selectPolicy"], SELECT)
    if not one.get("policies"):
        yield required(f"{field}.policies", "must specify at least one Policy")
    for at, policy in enumerate(one.get("policies") or []):
        yield from _policy(policy, f"{field}.policies[{at}]")


def _policy(one: Json, field: str) -> Causes:
    if one.get("type") not in {"Pods", "Percent"}:
        yield unsupported(f"{field}.type", one.get("type", ""), ["Percent", "Pods"])
    for key in ("value", "periodSeconds"):
        if one.get(key, 0) <= 0:
            yield invalid(f"{field}.{key}", one.get(key, 0), "must be greater than zero")
    if one.get("periodSeconds", 0) > HALF_HOUR:
        told = f"must be less than or equal to {HALF_HOUR}"
        yield invalid(f"{field}.periodSeconds", one["periodSeconds"], told)


def budget(one: Json, _before: Json | None) -> Causes:
    """Check a disruption budget."""
    spec = one.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield invalid("spec", _internal(spec), "minAvailable and maxUnavailable cannot be both set")
    for key in ("minAvailable", "maxUnavailable"):
        if key in spec:
            yield from share(spec[key], f"spec.{key}")
            yield from within(spec[key], f"spec.{key}")
    yield from selector(spec.get("selector"), "spec.selector")
    eviction = spec.get("unhealthyPodEvictionPolicy")
    if eviction is not None and eviction not in EVICTION:
        yield unsupported("spec.unhealthyPodEvictionPolicy", eviction, EVICTION)


def _internal(spec: Json) -> Json:
    """Give a budget as the server's own type has it."""
    return {
        "MinAvailable": spec.get("minAvailable"),
        "Selector": spec.get("selector"),
        "MaxUnavailable": spec.get("maxUnavailable"),
        "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
    }
