"""Deployments, ReplicaSets, StatefulSets and their ControllerRevisions."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.objects.validation.metadata import labels, matches, notes, selector
from deployctl.sandbox.objects.validation.pods import deletion_cost, pod_spec
from deployctl.sandbox.objects.validation.syntax import dns_label, percent
from deployctl.sandbox.objects.validation.words import (
    Causes,
    each,
    forbidden,
    invalid,
    not_negative,
    required,
    unsupported,
)

Json = dict[str, Any]

STRATEGIES = ("Recreate", "RollingUpdate")
CHANGEABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
FIXED = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def deployment(one: Json, before: Json | None) -> Causes:
    spec = one["spec"]
    yield from not_negative(spec.get("replicas"), "spec.replicas")
    yield from _selection(spec, (before or {}).get("spec", {}))
    yield from _strategy(spec.get("strategy") or {})
    for key in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        yield from not_negative(spec.get(key), f"spec.{key}")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    yield from _kept(spec, before)


def replica_set(one: Json, before: Json | None) -> Causes:
    spec = one["spec"]
    yield from not_negative(spec.get("replicas"), "spec.replicas")
    yield from not_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    yield from _selection(spec, (before or {}).get("spec", {}))
    yield from _kept(spec, before)


def stateful_set(one: Json, before: Json | None) -> Causes:
    spec = one["spec"]
    if (policy := spec["podManagementPolicy"]) not in {"OrderedReady", "Parallel"}:
        yield invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")
    yield from _update_strategy(spec["updateStrategy"])
    if spec.get("volumeClaimTemplates"):
        yield forbidden("spec.volumeClaimTemplates", "this practice cluster has no volumes")
    for key in ("replicas", "minReadySeconds"):
        yield from not_negative(spec.get(key), f"spec.{key}")
    yield from not_negative((spec.get("ordinals") or {}).get("start"), "spec.ordinals.start")
    if before is None and spec.get("serviceName"):
        yield from each("spec.serviceName", spec["serviceName"], dns_label(spec["serviceName"]))
    yield from _selection(spec, (before or {}).get("spec", {}), "StatefulSet")
    if before and _fixed(before["spec"]) != _fixed(spec):
        yield forbidden("spec", FIXED)


def _fixed(spec: Json) -> Json:
    return {key: value for key, value in spec.items() if key not in CHANGEABLE}


def _update_strategy(strategy: Json) -> Causes:
    rolling, field = strategy.get("rollingUpdate"), "spec.updateStrategy"
    match strategy["type"]:
        case "OnDelete":
            if rolling is not None:
                yield invalid(
                    f"{field}.rollingUpdate",
                    {"Partition": rolling.get("partition", 0), "MaxUnavailable": None},
                    "only allowed for updateStrategy 'RollingUpdate'",
                )
        case "RollingUpdate":
            yield from not_negative((rolling or {}).get("partition"), f"{field}.rollingUpdate.partition")
        case other:
            known = {"Type": other, "RollingUpdate": rolling}
            yield invalid(field, known, "must be 'RollingUpdate' or 'OnDelete'")


def controller_revision(one: Json, before: Json | None) -> Causes:
    yield from not_negative(one.get("revision"), "revision")
    if before is None and one.get("data") is None:
        yield required("data", "data is mandatory")
    if before is not None and before.get("data") != one.get("data"):
        yield invalid("data", one.get("data"), "field is immutable")


def _kept(spec: Json, before: Json | None) -> Causes:
    if before and before["spec"].get("selector") != spec.get("selector"):
        yield invalid("spec.selector", spec.get("selector"), "field is immutable")


def _selection(spec: Json, before: Json, kind: str = "ReplicaSet") -> Causes:
    """Check the selector, and the template that it must select, where they are new."""
    wanted = spec.get("selector")
    if before.get("selector") == wanted and before.get("template") == spec["template"]:
        return
    if wanted is None:
        yield required("spec.selector")
    else:
        wrong = list(selector(wanted, "spec.selector"))
        yield from wrong
        if not (wanted.get("matchLabels") or wanted.get("matchExpressions")):
            whose = "statefulset" if kind == "StatefulSet" else "deployment"
            yield invalid("spec.selector", wanted, f"empty selector is invalid for {whose}")
        if wrong:
            yield invalid("spec.selector", wanted, "invalid label selector")
            return
    yield from _template(spec["template"], wanted, kind)


def _template(template: Json, wanted: Json | None, kind: str) -> Causes:
    meta, spec, field = template.get("metadata") or {}, template["spec"], "spec.template"
    carried = meta.get("labels")
    if wanted is None or not matches(wanted, carried or {}):
        yield invalid(f"{field}.metadata.labels", carried, "`selector` does not match template `labels`")
    yield from labels(carried, f"{field}.labels")
    yield from notes(meta.get("annotations"), f"{field}.annotations")
    yield from deletion_cost(meta, f"{field}.annotations")
    yield from pod_spec(spec, f"{field}.spec")
    if spec.get("restartPolicy") != "Always":
        yield unsupported(f"{field}.spec.restartPolicy", spec.get("restartPolicy", ""), ["Always"])
    if "activeDeadlineSeconds" in spec:
        told = f"activeDeadlineSeconds in {kind} is not Supported"
        yield forbidden(f"{field}.spec.activeDeadlineSeconds", told)


def _strategy(strategy: Json) -> Causes:
    rolling = strategy.get("rollingUpdate")
    match strategy.get("type", ""):
        case "Recreate":
            if rolling is not None:
                told = "may not be specified when strategy `type` is 'Recreate'"
                yield forbidden("spec.strategy.rollingUpdate", told)
        case "RollingUpdate":
            yield from _rolling(rolling or {})
        case other:
            yield unsupported(
                "spec.strategy", {"Type": other, "RollingUpdate": _internal(rolling)}, STRATEGIES
            )


def _internal(rolling: Json | None) -> Json | None:
    return rolling and {
        "MaxUnavailable": rolling.get("maxUnavailable", 0),
        "MaxSurge": rolling.get("maxSurge", 0),
    }


def _rolling(rolling: Json) -> Causes:
    field = "spec.strategy.rollingUpdate"
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    yield from share(unavailable, f"{field}.maxUnavailable")
    yield from share(surge, f"{field}.maxSurge")
    if not _number(unavailable) and not _number(surge):
        yield invalid(f"{field}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
    yield from within(unavailable, f"{field}.maxUnavailable")


def _number(share_of: int | str) -> int:
    """Give the number of a share: of 25% it is 25, of what is no percentage 0."""
    if isinstance(share_of, int):
        return share_of
    return 0 if percent(share_of) else int(share_of[:-1])


def share(value: int | str, field: str) -> Causes:
    """Check a number of pods, or a share of them."""
    if isinstance(value, int):
        yield from not_negative(value, field)
    else:
        yield from each(field, value, percent(value))


def within(value: int | str, field: str) -> Causes:
    if isinstance(value, str) and _number(value) > 100:
        yield invalid(field, value, "must not be greater than 100%")
