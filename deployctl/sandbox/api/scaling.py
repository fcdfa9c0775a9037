"""The `scale` of a Deployment, ReplicaSet or StatefulSet: autoscaling/v1, how many replicas are wanted and there."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.api import refusals
from deployctl.sandbox.api.decoding import check_kind
from deployctl.sandbox.api.reading import held
from deployctl.sandbox.api.routing import Target
from deployctl.sandbox.api.sent import Write, applied, media
from deployctl.sandbox.api.writing import changed
from deployctl.sandbox.calls import STRATEGIC_PATCH, Answer, Call
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.objects.fields import WORDS
from deployctl.sandbox.objects.patching import merge_patch

Json = dict[str, Any]

KIND, VERSION = "Scale", "autoscaling/v1"
META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale(one: Json) -> Json:
    """Give the scale of an object."""
    wanted, there = one["spec"].get("replicas", 0), (one.get("status") or {}).get("replicas", 0)
    return {
        "kind": KIND,
        "apiVersion": VERSION,
        "metadata": {key: one["metadata"][key] for key in META if key in one["metadata"]},
        "spec": {"replicas": wanted} if wanted else {},
        "status": {"replicas": there, "selector": written(one["spec"].get("selector") or {})},
    }


def written(selector: Json) -> str:
    """Write a label selector as one line, in the order of its keys."""
    parts = {key: f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()}
    for rule in selector.get("matchExpressions") or []:
        parts[rule["key"]] = _rule(rule["key"], rule["operator"], rule.get("values") or [])
    return ",".join(parts[key] for key in sorted(parts))


def _rule(key: str, operator: str, values: list[str]) -> str:
    match operator:
        case "Exists":
            return key
        case "DoesNotExist":
            return f"!{key}"
        case _:
            return f"{key} {operator.lower()} ({','.join(sorted(values))})"


def replace_scale(cluster: Cluster, at: Target, call: Call) -> Answer:
    """Answer a PUT of a scale."""
    return _scaled(Write(cluster, at, call), call.body)


def patch_scale(cluster: Cluster, at: Target, call: Call) -> Answer:
    """Answer a PATCH of a scale; no list is in it, so a strategic patch is a merge patch."""
    now, how = scale(held(cluster.store, at)), media(call)
    after = merge_patch(now, call.body) if how == STRATEGIC_PATCH else applied(how, KIND, now, call.body)
    return _scaled(Write(cluster, at, call), after)


def _scaled(write: Write, sent: Any) -> Answer:
    check_kind(KIND, VERSION, sent)
    before, meta = held(write.store, write.at), sent.get("metadata") or {}
    if meta.get("name", write.at.name) != write.at.name:
        raise refusals.bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({write.at.name})"
        )
    known = {key: meta[key] for key in ("uid", "resourceVersion") if meta.get(key)}
    wanted = {
        **before,
        "metadata": {**before["metadata"], "resourceVersion": "", **known},
        "spec": {**before["spec"], "replicas": _replicas(write.at.name, sent)},
    }
    after = changed(write, before, wanted)
    return Answer(200, scale(_parted(write, before) if after is before else after))


def _parted(write: Write, one: Json) -> Json:
    """Part `replicas` from the other fields of its owner: the server does where a scale is written as it is."""
    entries = one["metadata"].get("managedFields") or []
    parted = [part for entry in entries for part in _parts(entry)]
    if write.dry or parted == entries:
        return one
    return write.store.update(
        write.resource.name, {**one, "metadata": {**one["metadata"], "managedFields": parted}}
    )


def _parts(entry: Json) -> list[Json]:
    owned = entry["fieldsV1"]
    spec = owned.get("f:spec", {})
    if "f:replicas" not in spec or (len(spec), len(owned)) == (1, 1):
        return [entry]
    rest = {key: value for key, value in spec.items() if key != "f:replicas"}
    others = {**owned, "f:spec": rest} if rest else {k: v for k, v in owned.items() if k != "f:spec"}
    alone = {key: value for key, value in entry.items() if key != "time"}
    return [{**entry, "fieldsV1": others}, {**alone, "fieldsV1": {"f:spec": {"f:replicas": {}}}}]


def _replicas(name: str, sent: Json) -> int:
    """Read how many are wanted; none where nothing is said."""
    replicas = (sent.get("spec") or {}).get("replicas") or 0
    if type(replicas) is not int:
        told = f"json: cannot unmarshal {_go(replicas)} into Go struct field ScaleSpec.spec.replicas of type int32"
        raise refusals.bad_request(f'Scale in version "v1" cannot be handled as a Scale: {told}')
    if replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise refusals.invalid(KIND, "autoscaling", name, [("FieldValueInvalid", why, "spec.replicas")])
    return replicas


def _go(value: Any) -> str:
    return f"number {value}" if isinstance(value, float) else WORDS[type(value)]
