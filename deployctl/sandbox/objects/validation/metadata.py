"""Names, labels, annotations, owners: what every object has, on its creation and on its change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployctl.sandbox.objects.validation.syntax import (
    Messages,
    dns_1035,
    dns_label,
    label_key,
    label_value,
    subdomain,
)
from deployctl.sandbox.objects.validation.words import (
    Causes,
    each,
    forbidden,
    invalid,
    not_negative,
    required,
    too_long,
)
from deployctl.sandbox.resources import Resource

Json = dict[str, Any]

ANNOTATION_BYTES = 256 * 1024
KEPT = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
OPERATORS = {"In", "NotIn", "Exists", "DoesNotExist"}
FINALIZERS = {"kubernetes", "orphan", "foregroundDeletion"}
PLAIN_FINALIZERS = {"leases", "poddisruptionbudgets", "endpointslices"}
EMPTY_SEGMENTS = (".", "..")


def _segment(name: str) -> Messages:
    """Check what the path of a URL can hold."""
    if name in EMPTY_SEGMENTS:
        return (f"may not be '{name}'",)
    return tuple(f"may not contain '{sign}'" for sign in "/%" if sign in name)


NAMES: dict[str, Callable[[str], Messages]] = {
    "namespaces": dns_label,
    "services": dns_1035,
    "statefulsets": dns_label,
    "poddisruptionbudgets": _segment,
    "events": _segment,
}


def created(resource: Resource, one: Json) -> Causes:
    """Check the metadata of a new object."""
    meta = one["metadata"]
    rule = NAMES.get(resource.name, subdomain)
    if prefix := meta.get("generateName"):
        yield from each("metadata.generateName", prefix, rule(_masked(prefix)))
    if name := meta.get("name"):
        yield from each("metadata.name", name, rule(name))
    else:
        yield required("metadata.name", "name or generateName is required")
    yield from _placed(resource, meta)
    yield from not_negative(meta.get("generation"), "metadata.generation")
    yield from marked(meta)
    yield from _finalizers(resource, meta)


def _finalizers(resource: Resource, meta: Json) -> Causes:
    told = "name is neither a standard finalizer name nor is it fully qualified"
    names = meta.get("finalizers") or []
    for name in names:
        yield from each("metadata.finalizers", name, label_key(name))
    for at, name in enumerate(names):
        if "/" not in name and name not in FINALIZERS and resource.name not in PLAIN_FINALIZERS:
            yield invalid(f"metadata.finalizers[{at}]", name, told)


def _masked(prefix: str) -> str:
    return prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix


def _placed(resource: Resource, meta: Json) -> Causes:
    namespace = meta.get("namespace", "")
    if resource.namespaced and not namespace:
        yield required("metadata.namespace")
    elif resource.namespaced:
        yield from each("metadata.namespace", namespace, dns_label(namespace))
    elif namespace:
        yield forbidden("metadata.namespace", "not allowed on this type")


def marked(meta: Json) -> Causes:
    yield from labels(meta.get("labels"), "metadata.labels")
    yield from notes(meta.get("annotations"), "metadata.annotations")
    yield from _owners(meta.get("ownerReferences") or [])


def changed(resource: Resource, one: Json, before: Json) -> Causes:
    """Check the metadata of an object against what it was."""
    meta, was = one["metadata"], before["metadata"]
    if "deletionTimestamp" in was:
        extra = sorted(set(meta.get("finalizers") or []) - set(was.get("finalizers") or []))
        listed = ", ".join(f'"{name}"' for name in extra)
        told = "no new finalizers can be added if the object is being deleted, found new finalizers "
        if extra:
            yield forbidden("metadata.finalizers", f"{told}[]string{{{listed}}}")
    if not meta.get("resourceVersion", was.get("resourceVersion")):
        yield invalid("metadata.resourceVersion", "", "must be specified for an update")
    for key in KEPT:
        if meta.get(key) != was.get(key):
            empty = "" if key in {"name", "namespace", "uid"} else None
            yield invalid(f"metadata.{key}", meta.get(key, empty), "field is immutable")
    yield from marked(meta)
    if meta.get("finalizers") != was.get("finalizers"):
        yield from _finalizers(resource, meta)


def labels(some: Json | None, field: str) -> Causes:
    for key, value in (some or {}).items():
        yield from each(field, key, label_key(key))
        yield from each(field, value, label_value(value))


def notes(some: Json | None, field: str) -> Causes:
    for key in some or {}:
        yield from each(field, key, label_key(key.lower()))
    if sum(len(key.encode()) + len(value.encode()) for key, value in (some or {}).items()) > ANNOTATION_BYTES:
        yield too_long(field, ANNOTATION_BYTES)


def _owners(owners: list[Json]) -> Causes:
    field = "metadata.ownerReferences"
    for owner in owners:
        if not owner.get("apiVersion"):
            yield invalid(f"{field}.apiVersion", "", "version must not be empty")
        for key in ("kind", "name", "uid"):
            if not owner.get(key):
                yield invalid(f"{field}.{key}", "", "must not be empty")
    controllers = [f"{owner.get('kind')}/{owner.get('name')}" for owner in owners if owner.get("controller")]
    for other in controllers[1:]:
        told = 'Only one reference can have Controller set to true. Found "true" in references for '
        yield invalid(field, owners, f"{told}{controllers[0]} and {other}")


def selector(one: Json | None, field: str) -> Causes:
    """Check a label selector."""
    yield from labels((one or {}).get("matchLabels"), f"{field}.matchLabels")
    for at, rule in enumerate((one or {}).get("matchExpressions") or []):
        yield from _requirement(rule, f"{field}.matchExpressions[{at}]")


def _requirement(rule: Json, field: str) -> Causes:
    operator, values = rule.get("operator", ""), rule.get("values") or []
    if operator not in OPERATORS:
        yield invalid(f"{field}.operator", operator, "not a valid selector operator")
    elif operator in {"In", "NotIn"} and not values:
        yield required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in {"Exists", "DoesNotExist"} and values:
        yield forbidden(
            f"{field}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        )
    yield from each(f"{field}.key", rule.get("key", ""), label_key(rule.get("key", "")))
    for at, value in enumerate(values):
        yield from each(f"{field}.values[{at}]", value, label_value(value))


def matches(one: Json, some: Json) -> bool:
    """Say whether labels are what a selector selects."""
    if any(some.get(key) != value for key, value in (one.get("matchLabels") or {}).items()):
        return False
    return all(_meets(rule, some) for rule in one.get("matchExpressions") or [])


def _meets(rule: Json, some: Json) -> bool:
    key, values = rule["key"], rule.get("values") or []
    match rule["operator"]:
        case "In":
            return key in some and some[key] in values
        case "NotIn":
            return some.get(key) not in values
        case "Exists":
            return key in some
    return key not in some
