"""What applying a policy changes: only the fields that it states, of objects that are there, or of new ones.

What was there before is kept in one annotation beside the change, so that `remove` gives it back; an object that we
made goes. `spec.replicas` is never written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployctl.autoscaling import held
from deployctl.autoscaling.held import SCALED_OBJECTS, resource_of
from deployctl.autoscaling.native import budget_spec, scaler_spec
from deployctl.autoscaling.policy import Policy
from deployctl.autoscaling.through import called, scalers_of, targets
from deployctl.cluster.api import MERGE_PATCH, Api, NotFound, Request
from deployctl.cluster.paths import AUTOSCALING, KEDA, POLICY, path
from deployctl.cluster.view import Names
from deployctl.errors import Conflict, UsageError
from deployctl.memory import FIELD_MANAGER
from deployctl.others import shown

Json = dict[str, Any]
ANNOTATION = "deployctl.dev/policy"
BUDGETS = "poddisruptionbudgets"
OPTIONAL = {"behavior", "advanced"}
APIS = {
    "horizontalpodautoscalers": (AUTOSCALING, "HorizontalPodAutoscaler"),
    SCALED_OBJECTS: (KEDA, "ScaledObject"),
    BUDGETS: (POLICY, "PodDisruptionBudget"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One object: create, change, adopt, delete, give back, or same; each field with what it was and becomes."""

    verb: str
    kind: str
    name: str
    request: Request | None = None
    fields: tuple[tuple[str, Any, Any], ...] = ()

    def plain(self) -> Json:
        told = [{"field": where, "was": old, "becomes": new} for where, old, new in self.fields]
        return {"verb": self.verb, "kind": self.kind, "name": self.name, "fields": told}

    @property
    def lines(self) -> tuple[str, ...]:
        told = (f"    {where}: {shown(old)} -> {shown(new)}" for where, old, new in self.fields)
        return (f"  {self.verb} {self.kind} {self.name}", *told)


def scaler(api: Api, names: Names) -> Json | None:
    """Find the one object that scales the app; raise where there are two, for then none of them works."""
    found = list(scalers_of(api, names))
    known = {one["metadata"]["name"] for one in found if held.keda(one)}
    found += [one for one in _scaled_objects(api, names) if one["metadata"]["name"] not in known]
    if len(found) > 1:
        raise UsageError(
            f"{' and '.join(map(called, found))} scale the same {names.kind} {names.deployment}",
            advice="two scalers undo each other: delete one of them, then run this again",
        )
    return found[0] if found else None


def _scaled_objects(api: Api, names: Names) -> Iterator[Json]:
    try:
        every = api.get(path(names.namespace, SCALED_OBJECTS))["items"]
    except NotFound:
        return iter(())
    return (one for one in every if targets(one, names))


def changes(api: Api, names: Names, policy: Policy, workload: Json) -> tuple[Change, ...]:
    """Work out what applying a policy changes, by a dry run of the server's own."""
    told = [_of_scaler(api, names, policy, scaler(api, names))]
    if policy.pdb:
        selector = workload["spec"]["selector"]
        found = _budget(api, names, workload["spec"]["template"]["metadata"]["labels"])
        told.append(_of_object(api, names, BUDGETS, budget_spec(policy.pdb, selector), found))
    return tuple(told)


def _of_scaler(api: Api, names: Names, policy: Policy, found: Json | None) -> Change:
    resource = SCALED_OBJECTS if policy.keda else "horizontalpodautoscalers"
    if found is not None and resource_of(found) != resource:
        raise UsageError(
            f"{called(found)} scales {names.deployment}, and the policy would write a {APIS[resource][1]}",
            advice="delete that one first, or write the policy for it",
        )
    target = {"apiVersion": "apps/v1", "kind": names.kind, "name": names.deployment}
    return _of_object(api, names, resource, scaler_spec(policy, target), found)


def _budget(api: Api, names: Names, labels: Json) -> Json | None:
    every = api.get(path(names.namespace, BUDGETS))["items"]
    found = [one for one in every if _selects(one["spec"].get("selector") or {}, labels)]
    if len(found) > 1:
        both = " and ".join(one["metadata"]["name"] for one in found)
        raise UsageError(
            f"the PodDisruptionBudgets {both} select the same pods, so no eviction is answered",
            advice="delete one of them, then run this again",
        )
    return found[0] if found else None


def _selects(selector: Json, labels: Json) -> bool:
    wanted = selector.get("matchLabels") or {}
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def _of_object(api: Api, names: Names, resource: str, spec: Json, found: Json | None) -> Change:
    kind = APIS[resource][1]
    if found is None:
        request = _creation(names, resource, spec)
        api.send(request.dry())
        fields = tuple((f"spec.{key}", None, value) for key, value in spec.items())
        return Change("create", kind, names.deployment, request, fields)
    request = _patch(found, resource, spec)
    after = api.send(request.dry())
    fields = tuple(differing("spec", found["spec"], after["spec"]))
    known = ANNOTATION in (found["metadata"].get("annotations") or {})
    same = known and not fields and after["metadata"].get("annotations") == found["metadata"]["annotations"]
    verb = "same" if same else "change" if known else "adopt"
    return Change(verb, kind, found["metadata"]["name"], None if same else request, fields)


def differing(where: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """List the fields that differ, as deep as both sides are objects; a list is one field."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from differing(f"{where}.{key}", old.get(key), new.get(key))
    elif old != new:
        yield where, old, new


def _creation(names: Names, resource: str, spec: Json) -> Request:
    version, kind = APIS[resource]
    note = {ANNOTATION: json.dumps({"made": True, "keys": sorted(spec)}, sort_keys=True)}
    meta = {"name": names.deployment, "namespace": names.namespace, "annotations": note}
    group = version.removeprefix("/apis/")
    body = {"apiVersion": group, "kind": kind, "metadata": meta, "spec": spec}
    where = path(names.namespace, resource)
    return Request("POST", where, body, query={"fieldManager": FIELD_MANAGER})


def _patch(found: Json, resource: str, spec: Json) -> Request:
    """Write what the policy states, and give back what it stated and no longer does."""
    note = _note(found)
    wanted = {key: value for key, value in spec.items() if key not in {"scaleTargetRef", "selector"}}
    before = {**{key: found["spec"].get(key) for key in wanted}, **note.get("before", {})}
    if "behavior" in wanted and "behavior" not in note.get("before", {}) and resource != BUDGETS:
        before["behavior"] = _own_behavior(found)
    gone = {key: before.get(key) for key in OPTIONAL & set(note.get("keys", ())) - set(wanted)}
    other = {"minAvailable": "maxUnavailable", "maxUnavailable": "minAvailable"}
    gone |= {other[key]: None for key in wanted if key in other}
    before = {**{other[key]: found["spec"].get(other[key]) for key in wanted if key in other}, **before}
    merging = {key: _exact(value, found["spec"].get(key)) for key, value in {**gone, **wanted}.items()}
    if "minReplicas" in before or "minReplicaCount" in before:
        before = {**before, **({} if note else {_floor(found): held.own(found).floor})}
    kept: Json = {"made": bool(note.get("made")), "keys": sorted(spec), "before": before}
    if kept["made"]:
        del kept["before"]
    body, annotations = held.rewritten(found, merging) if resource != BUDGETS else (merging, {})
    return _merge(found, resource, body, {**annotations, ANNOTATION: json.dumps(kept, sort_keys=True)})


def _floor(found: Json) -> str:
    return "minReplicaCount" if held.keda(found) else "minReplicas"


def _own_behavior(found: Json) -> Json | None:
    """Give the behavior as the user has it, whoever holds the autoscaler."""
    behavior, own = found["spec"].get("behavior"), held.own(found)
    if behavior is None or not own.behavior:
        return None
    return {**behavior, "scaleDown": {**behavior.get("scaleDown", {}), "selectPolicy": own.down or "Max"}}


def _exact(value: Any, there: Any) -> Any:
    """Say in a merge patch what goes: what is there and not in the value."""
    if not isinstance(value, dict) or not isinstance(there, dict):
        return value
    gone = dict.fromkeys(key for key in there if key not in value)
    return {**gone, **{key: _exact(one, there.get(key)) for key, one in value.items()}}


def _merge(found: Json, resource: str, spec: Json, annotations: Json) -> Request:
    meta = found["metadata"]
    guard = "uid" if resource == BUDGETS else "resourceVersion"  # a budget's status changes all the time
    body = {"metadata": {guard: meta[guard], "annotations": annotations}, "spec": spec}
    where = path(meta["namespace"], resource, meta["name"])
    return Request("PATCH", where, body, MERGE_PATCH, {"fieldManager": FIELD_MANAGER})


def removals(api: Api, names: Names, workload: Json) -> tuple[Change, ...]:
    """Work out what taking the policy off changes: what we made goes, what we adopted is as it was before."""
    found = [scaler(api, names), _budget(api, names, workload["spec"]["template"]["metadata"]["labels"])]
    return tuple(_removed(one) for one in found if one is not None and _note(one))


def _removed(found: Json) -> Change:
    note, meta = _note(found), found["metadata"]
    resource = (
        BUDGETS
        if "disruptionsAllowed" in found.get("status", {}) or _is_budget(found)
        else resource_of(found)
    )
    kind = APIS[resource][1]
    if resource != BUDGETS and held.holds(found):
        who = ", ".join(one.holder for one in held.holds(found))
        raise Conflict(
            f"{called(found)} is held by {who}",
            advice=f"deployctl autoscale restore {found['spec']['scaleTargetRef']['name']}, or wait until the release is over",
        )
    if note.get("made"):
        body = {"preconditions": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}}
        return Change(
            "delete",
            kind,
            meta["name"],
            Request("DELETE", path(meta["namespace"], resource, meta["name"]), body),
        )
    before = {key: _exact(value, found["spec"].get(key)) for key, value in note["before"].items()}
    told = (differing(f"spec.{key}", found["spec"].get(key), was) for key, was in note["before"].items())
    fields = tuple(one for each in told for one in each)
    request = _merge(found, resource, before, {ANNOTATION: None, held.ANNOTATION: None})
    return Change("give back", kind, meta["name"], request, fields)


def _is_budget(found: Json) -> bool:
    return "scaleTargetRef" not in found["spec"]


def _note(found: Json) -> Json:
    text = (found["metadata"].get("annotations") or {}).get(ANNOTATION)
    note: Json = json.loads(text) if text else {}
    return note
