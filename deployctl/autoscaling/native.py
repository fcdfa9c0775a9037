"""A policy as native objects: a HorizontalPodAutoscaler or a ScaledObject of KEDA, and a PodDisruptionBudget.

What the API server would fill in is stated, so that what is written compares with what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployctl.autoscaling.held import DEFAULT_DOWN, DEFAULT_UP
from deployctl.autoscaling.policy import (
    Behavior,
    Budget,
    ContainerMetric,
    Cron,
    ExternalMetric,
    Kafka,
    Metric,
    ObjectMetric,
    Policy,
    Query,
    RabbitMQ,
    Side,
    Trigger,
)
from strategies.quantities import Amount

Json = dict[str, Any]


def scaler_spec(policy: Policy, target: Json) -> Json:
    """Give the spec of the object that scales `target`, which is a `scaleTargetRef`."""
    return keda_spec(policy, target) if policy.keda else hpa_spec(policy, target)


def hpa_spec(policy: Policy, target: Json) -> Json:
    """Give the spec of a HorizontalPodAutoscaler (autoscaling/v2); without `behavior` where none is said."""
    spec = {
        "scaleTargetRef": target,
        "minReplicas": policy.min,
        "maxReplicas": policy.max,
        "metrics": [*_resources(policy), *map(_metric, policy.metrics)],
    }
    return {**spec, "behavior": behavior(policy.behavior)} if policy.behavior else spec


def keda_spec(policy: Policy, target: Json) -> Json:
    """Give the spec of a ScaledObject (keda.sh/v1alpha1)."""
    spec: Json = {
        "scaleTargetRef": target,
        "minReplicaCount": policy.min,
        "maxReplicaCount": policy.max,
        "triggers": [*_used(policy), *map(_trigger, policy.keda)],
    }
    if policy.behavior:
        spec["advanced"] = {"horizontalPodAutoscalerConfig": {"behavior": behavior(policy.behavior)}}
    return spec


def budget_spec(budget: Budget, selector: Json) -> Json:
    """Give the spec of a PodDisruptionBudget (policy/v1)."""
    if budget.min_available is not None:
        return {"selector": selector, "minAvailable": _amount(budget.min_available)}
    return {"selector": selector, "maxUnavailable": _amount(budget.max_unavailable or Amount(0))}


def behavior(said: Behavior) -> Json:
    return {"scaleUp": _side(said.up, DEFAULT_UP), "scaleDown": _side(said.down, DEFAULT_DOWN)}


def _side(side: Side, default: Json) -> Json:
    rules = [_rule(one.percent, one.pods, one.every_seconds) for one in side.policies]
    given: Json = {"selectPolicy": side.select.capitalize(), "policies": rules or default["policies"]}
    if side.window_seconds is not None:
        given["stabilizationWindowSeconds"] = int(side.window_seconds)
    return {**default, **given}


def _rule(percent: int | None, pods: int | None, every: float) -> Json:
    kind, value = ("Percent", percent) if percent is not None else ("Pods", pods)
    return {"type": kind, "value": value, "periodSeconds": int(every)}


def _resources(policy: Policy) -> Iterator[Json]:
    for name in ("cpu", "memory"):
        if said := getattr(policy, name):
            yield {"type": "Resource", "resource": {"name": name, "target": _target(said)}}


def _target(said: str) -> Json:
    """Give what is aimed at: a percentage of what is requested, or a quantity a pod."""
    if said.endswith("%"):
        return {"type": "Utilization", "averageUtilization": int(said[:-1])}
    return {"type": "AverageValue", "averageValue": said}


def _metric(metric: Metric) -> Json:
    match metric:
        case Metric(container=ContainerMetric() as one):
            name, said = ("cpu", one.cpu) if one.cpu else ("memory", one.memory)
            body = {"name": name, "container": one.name, "target": _target(said or "")}
            return {"type": "ContainerResource", "containerResource": body}
        case Metric(object=ObjectMetric() as one):
            described = {"apiVersion": one.api_version, "kind": one.kind, "name": one.name}
            body = {
                "metric": _named(one.metric, one.selector),
                "describedObject": described,
                "target": _value(one),
            }
            return {"type": "Object", "object": body}
        case Metric(external=ExternalMetric() as one):
            body = {"metric": _named(one.metric, one.selector), "target": _value(one)}
            return {"type": "External", "external": body}
    pods = metric.pods
    assert pods is not None  # noqa: S101 - exactly one of the four is given
    target = {"type": "AverageValue", "averageValue": pods.average}
    return {"type": "Pods", "pods": {"metric": _named(pods.metric, pods.selector), "target": target}}


def _named(metric: str, selector: dict[str, str]) -> Json:
    return {"name": metric, "selector": {"matchLabels": selector}} if selector else {"name": metric}


def _value(one: ObjectMetric | ExternalMetric) -> Json:
    if one.value is not None:
        return {"type": "Value", "value": one.value}
    return {"type": "AverageValue", "averageValue": one.average}


def _used(policy: Policy) -> Iterator[Json]:
    """Give cpu and memory as triggers of KEDA."""
    for one in _resources(policy):
        target = one["resource"]["target"]
        value = target.get("averageUtilization", target.get("averageValue"))
        yield {
            "type": one["resource"]["name"],
            "metricType": target["type"],
            "metadata": {"value": str(value)},
        }


def _trigger(trigger: Trigger) -> Json:
    kind, metadata = _scaled_by(trigger)
    whole: Json = {"type": kind, "metadata": {key: str(value) for key, value in metadata.items() if value}}
    if trigger.authentication:
        whole["authenticationRef"] = {"name": trigger.authentication}
    return whole


def _scaled_by(trigger: Trigger) -> tuple[str, Json]:
    """Give a trigger's type and metadata, which KEDA takes as text alone."""
    match trigger:
        case Trigger(kafka=Kafka() as one):
            where = {"bootstrapServers": one.brokers, "consumerGroup": one.group, "topic": one.topic}
            return "kafka", {**where, "lagThreshold": one.lag}
        case Trigger(rabbitmq=RabbitMQ() as one):
            mode = "QueueLength" if one.length else "MessageRate"
            where = {"queueName": one.queue, "hostFromEnv": one.host_from_env}
            return "rabbitmq", {**where, "mode": mode, "value": one.length or one.rate}
        case Trigger(prometheus=Query() as one):
            return "prometheus", {
                "serverAddress": one.url,
                "query": one.query,
                "threshold": one.threshold,
            }
    cron = trigger.cron
    assert isinstance(cron, Cron)  # noqa: S101 - exactly one of the four is given
    hours = {"timezone": cron.timezone, "start": cron.start, "end": cron.end}
    return "cron", {**hours, "desiredReplicas": cron.replicas}


def _amount(amount: Amount) -> int | str:
    return str(amount) if amount.percent else amount.value
