"""What a policy will do now, and what stands against it: current metrics to a size, requests, spread, quota."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from deployctl.autoscaling import held
from deployctl.autoscaling.arithmetic import SOURCES, named, policy_of, thousandths
from deployctl.autoscaling.policy import Policy
from deployctl.cluster.api import Api, ApiError, Denied, NotFound, Request
from deployctl.cluster.paths import path
from deployctl.cluster.view import Names
from deployctl.errors import UsageError
from strategies.autoscale import Metric, Now, Pod, Target, largest_of, proposals

Json = dict[str, Any]


def outlook(scaler: Json | None, spec: Json, size: int) -> tuple[str, ...]:
    """Say to what size the metrics as they are now lead, before and after a change of the spec."""
    if "triggers" in spec:
        return ("what KEDA will make of its triggers is known once it has asked them",)
    if scaler is None:
        return (f"now {pods(size)}; no autoscaler has measured {'it' if size == 1 else 'them'} yet",)
    known = dict(_measured(scaler))
    floor = max((one.floor for one in held.holds(scaler)), default=0)
    under = {**spec, "minReplicas": max(spec["minReplicas"], min(floor, spec["maxReplicas"]))}
    before, after = (sized(one, known, size) for one in (scaler["spec"], under))
    lacking = [one.name for one in policy_of({"spec": spec}).metrics if _key(one) not in known]
    told = f"now {pods(size)}: {before} under the policy before, {after} under this one"
    return (told, *(f"{one} has not been measured so yet, and may want more" for one in lacking))


def by_itself(scaler: Json, size: int, ready: int) -> int | None:
    """Give the size that its metrics ask for within the user's own bounds; None where it has measured nothing.

    6 pods at 90 % of what they request and a target of 60 % are 9, also where somebody holds it at 20.
    Its average is one of all `ready` pods: 12 at 45 %, six of them a preview that is idle, are 9 too.
    """
    known = {} if held.keda(scaler) else dict(_measured(scaler))
    if not known:
        return None
    least = held.own(scaler).floor
    return sized({**scaler["spec"], "minReplicas": 1 if least is None else least}, known, size, ready)


def pods(size: int) -> str:
    return "1 pod" if size == 1 else f"{size} pods"


Measured = dict[tuple[str, bool], int]  # by the metric's name, and whether it is per cent; else thousandths


def sized(spec: Json, known: Measured, size: int, ready: int = 0) -> int:
    """Give the size that the metrics ask for, within the bounds, windows and rates aside.

    6 pods at 90 % of what they request: 9 for a target of 60 %, and 6 with a maximum of 6.
    """
    policy = policy_of({"spec": spec})
    metrics = tuple(one for one in policy.metrics if _key(one) in known)
    uses = {one.name: known[_key(one)] for one in metrics if one.of_pods}
    pods = tuple(Pod(str(number), uses, dict.fromkeys(uses, 100)) for number in range(ready or size))
    values = {one.name: _whole(one, known[_key(one)], size) for one in metrics if not one.of_pods}
    wish = largest_of(proposals(replace(policy, metrics=metrics), Now(size, pods, values)), size)
    return max(policy.least, min(size if wish is None else wish, policy.most))


def _key(metric: Metric) -> tuple[str, bool]:
    return metric.name, metric.target is Target.UTILIZATION


def _whole(metric: Metric, value: int, size: int) -> int:
    """Give what a metric of no pod says for all: its average is told a pod."""
    return value * size if metric.target is Target.AVERAGE else value


def _measured(scaler: Json) -> Iterator[tuple[tuple[str, bool], int]]:
    """Give what the autoscaler's status says of each of its metrics."""
    for one in scaler.get("status", {}).get("currentMetrics") or ():
        current = (one.get(SOURCES.get(one.get("type", ""), "")) or {}).get("current") or {}
        if "averageUtilization" in current:
            yield (named(one), True), int(current["averageUtilization"])
        amount = current.get("averageValue", current.get("value"))
        if amount is not None:
            yield (named(one), False), thousandths(amount)


def checked(api: Api, names: Names, policy: Policy, workload: Json) -> Iterator[str]:
    """Say what a policy's owner should know; raise for a share of a request that no container makes."""
    pod = tried(api, names, workload)
    for name in ("cpu", "memory"):
        if (getattr(policy, name) or "").endswith("%"):
            _requested(pod, name)
    if policy.max > 1 and not spread(workload["spec"]["template"]["spec"]):
        yield (
            "the template says no topologySpreadConstraints and no podAntiAffinity: all pods may be on one node"
        )
    yield from short(api, names, pod, policy.max, workload["spec"].get("replicas", 1))


def tried(api: Api, names: Names, workload: Json) -> Json:
    """Give a pod of the template as a server dry run makes it, with what a LimitRange adds; raise where it is refused."""
    template = workload["spec"]["template"]
    meta = {**template.get("metadata", {}), "generateName": f"{names.deployment}-"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    try:
        return api.send(Request("POST", path(names.namespace, "pods"), pod).dry())
    except (ApiError, Denied) as error:
        raise UsageError(
            f"a pod more of {names.deployment} is refused: {error}",
            advice="make room: the quota, the LimitRange or an admission policy says no",
        ) from error


def _requested(pod: Json, resource: str) -> None:
    without = [one["name"] for one in pod["spec"]["containers"] if resource not in _requests(one)]
    if without:
        raise UsageError(
            f"{resource} is aimed at as a share of what is requested, and container {', '.join(without)} requests none",
            advice=f"state resources.requests.{resource} in the template, or an amount a pod instead of a percentage",
        )


def _requests(container: Json) -> Json:
    said: Json = container.get("resources") or {}
    return {**(said.get("limits") or {}), **(said.get("requests") or {})}


def spread(spec: Json) -> bool:
    affinity = spec.get("affinity") or {}
    return bool(spec.get("topologySpreadConstraints") or affinity.get("podAntiAffinity"))


def short(api: Api, names: Names, pod: Json, wanted: int, running: int) -> Iterator[str]:
    """Say by how many pods a quota falls short of a size, and how many would fit."""
    try:
        quotas = api.get(path(names.namespace, "resourcequotas"))["items"]
    except (NotFound, Denied):
        return
    for one in quotas:
        for key, hard, room in rooms(one, pod):
            fits = running + room
            if fits < wanted:
                name = one["metadata"]["name"]
                yield (
                    f"quota {name} ({key} {hard}) has room for {fits} pods, {wanted - fits} short of {wanted}"
                )


def rooms(quota: Json, pod: Json) -> Iterator[tuple[str, str, int]]:
    """Give for each resource that a quota limits how many pods more fit."""
    status = quota.get("status") or {}
    for key, hard in (status.get("hard") or {}).items():
        need = _needed(pod, key)
        if need:
            left = thousandths(hard) - thousandths((status.get("used") or {}).get(key, "0"))
            yield key, str(hard), max(0, left // need)


def _needed(pod: Json, key: str) -> int:
    """Give what one pod takes of what a quota counts, in thousandths: pods, requests.cpu, limits.memory."""
    if key in {"pods", "count/pods"}:
        return 1000
    part, _, resource = key.rpartition(".")
    if part not in {"", "requests", "limits"} or resource not in {"cpu", "memory"}:
        return 0
    where = part or "requests"
    amounts = ((one.get("resources") or {}).get(where) or {} for one in pod["spec"]["containers"])
    return sum(thousandths(one.get(resource, "0")) for one in amounts)
