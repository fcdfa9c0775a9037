"""Quotas: what an object would cost its namespace, and the refusal where that is too much."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from deployctl.sandbox.api import refusals
from deployctl.sandbox.objects.amounts import amount, written
from deployctl.sandbox.resources import Resource
from deployctl.sandbox.store import Store

Json = dict[str, Any]
Costs = dict[str, Decimal]

COMPUTE = ("cpu", "memory", "ephemeral-storage")
ENDED = frozenset({"Succeeded", "Failed"})
COUNTED_BY_NAME = frozenset({"pods", "services", "configmaps", "resourcequotas"})


def spend(store: Store, resource: Resource, one: Json, *, dry: bool = False) -> None:
    """Refuse what exceeds a quota of its namespace; count it, unless it is but a dry run."""
    if not resource.namespaced:
        return
    quotas = store.list("resourcequotas", one["metadata"]["namespace"])
    spent = [(quota, used) for quota in quotas if (used := _used(resource, one, quota))]
    for quota, used in spent if not dry else ():
        status = {**quota["status"], "used": {**quota["status"]["used"], **used}}
        store.update("resourcequotas", {**quota, "status": status}, counted=False)


def _used(resource: Resource, one: Json, quota: Json) -> dict[str, str]:
    """Give what a quota has of each that the object costs, the object included."""
    name, object_name = quota["metadata"]["name"], one["metadata"]["name"]
    status = quota.get("status") or {}
    limits, used = status.get("hard") or {}, status.get("used") or {}
    asked = {key: cost for key, cost in costs(resource, one).items() if key in quota["spec"].get("hard", {})}
    if resource.name == "pods":
        _check_stated(resource, one, quota)
    if unknown := sorted(key for key in asked if key not in limits or key not in used):
        why = f"status unknown for quota: {name}, resources: {','.join(unknown)}"
        raise refusals.forbidden(resource, object_name, why)
    after = {key: amount(used[key]) + cost for key, cost in asked.items()}
    if over := sorted(key for key in asked if after[key] > amount(limits[key])):
        requested = ",".join(f"{key}={_text(key, asked[key])}" for key in over)
        before = ",".join(f"{key}={used[key]}" for key in over)
        limited = ",".join(f"{key}={limits[key]}" for key in over)
        why = f"exceeded quota: {name}, requested: {requested}, used: {before}, limited: {limited}"
        raise refusals.forbidden(resource, object_name, why)
    return {key: _text(key, value) for key, value in after.items()}


def costs(resource: Resource, one: Json) -> Costs:
    """Give what an object costs in the words of quotas: pods, count/pods, requests.cpu, and so on."""
    whole = f"count/{resource.qualified}"
    if resource.name != "pods":
        return {whole: Decimal(1), **({resource.name: Decimal(1)} if _by_name(resource) else {})}
    if (one.get("status") or {}).get("phase") in ENDED:
        return {whole: Decimal(1)}
    spent = {whole: Decimal(1), "pods": Decimal(1)}
    for part in ("requests", "limits"):
        for kind, value in _summed(one["spec"], part).items():
            spent[f"{part}.{kind}"] = value
            if part == "requests":
                spent[kind] = value
    return spent


def _by_name(resource: Resource) -> bool:
    return resource.name in COUNTED_BY_NAME


def _summed(spec: Json, part: str) -> Costs:
    """Add up what the containers ask; an init container counts where it asks more than all of them."""
    total: Costs = {}
    for container in spec["containers"]:
        for kind, value in _asked(container, part):
            total[kind] = total.get(kind, Decimal(0)) + value
    for container in spec.get("initContainers") or []:
        for kind, value in _asked(container, part):
            total[kind] = max(total.get(kind, Decimal(0)), value)
    return total


def _asked(container: Json, part: str) -> Iterable[tuple[str, Decimal]]:
    stated = (container.get("resources") or {}).get(part) or {}
    return ((kind, amount(value)) for kind, value in stated.items())


def _check_stated(resource: Resource, one: Json, quota: Json) -> None:
    """Refuse a pod of which a container does not say what it takes of something that is limited."""
    missing: dict[str, list[str]] = {}
    for key in quota["spec"].get("hard") or {}:
        part, _, kind = key.rpartition(".")
        if kind not in COMPUTE[:2] or part not in {"", "requests", "limits"}:
            continue
        for container in (*one["spec"]["containers"], *one["spec"].get("initContainers", [])):
            if kind not in ((container.get("resources") or {}).get(part or "requests") or {}):
                missing.setdefault(key, []).append(container["name"])
    if missing:
        told = "; ".join(f"{key} for: {','.join(sorted(missing[key]))}" for key in sorted(missing))
        why = f"failed quota: {quota['metadata']['name']}: must specify {told}"
        raise refusals.forbidden(resource, one["metadata"]["name"], why)


def _text(key: str, value: Decimal) -> str:
    return written(value, binary="memory" in key or "storage" in key)
