"""Writes of the API server: create, replace and patch, from what was sent to what is stored."""

from __future__ import annotations

import uuid
from typing import Any

from deployctl.sandbox.api import admission, refusals
from deployctl.sandbox.api.reading import held
from deployctl.sandbox.api.sent import Write
from deployctl.sandbox.calls import Answer, Refused
from deployctl.sandbox.objects.ownership import managed
from deployctl.sandbox.objects.validation import validate
from deployctl.sandbox.resources import Resource
from deployctl.sandbox.store import specified, stamp

Json = dict[str, Any]

SENT = ("name", "generateName", "namespace", "labels", "annotations", "ownerReferences", "finalizers")
GIVEN = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)
MADE_BY_PUT = frozenset({"services", "events", "leases"})  # AllowCreateOnUpdate
VERSION_REQUIRED = frozenset({"poddisruptionbudgets", "leases"})  # not AllowUnconditionalUpdate
BEGINNING: dict[str, Json] = {  # a status before any controller has seen the object
    "namespaces": {"phase": "Active"},
    "pods": {"phase": "Pending"},
    "services": {"loadBalancer": {}},
    "deployments": {},
    "replicasets": {"replicas": 0},
    "statefulsets": {"replicas": 0, "availableReplicas": 0},
    "horizontalpodautoscalers": {"desiredReplicas": 0, "currentMetrics": None},
    "poddisruptionbudgets": {
        "disruptionsAllowed": 0,
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "expectedPods": 0,
    },
    "resourcequotas": {},
}


def create(write: Write) -> Answer:
    """Answer a POST of a collection."""
    return write.answer(added(write, write.sent()), 201)


def added(write: Write, one: Json) -> Json:
    """Store a new object: defaults, admission, validation, quota, and only then its name may be taken."""
    resource, store = write.resource, write.store
    if one["metadata"].get("resourceVersion"):
        raise Refused(500, "", "resourceVersion should not be set on objects to be created")
    one = admission.admitted(
        store, resource, _begun(_owned(write, None, _fresh(write, one)), resource), dry=write.dry
    )
    name, namespace = one["metadata"]["name"], one["metadata"].get("namespace", "")
    if there := store.get(resource.name, namespace, name):
        raise refusals.exists(resource, name, going="deletionTimestamp" in there["metadata"])
    return _imagined(write, one) if write.dry else store.create(resource.name, one)


def _fresh(write: Write, one: Json) -> Json:
    """Give a new object its name, its namespace and the status it begins with; drop what only the server gives."""
    sent = one["metadata"]
    meta = {key: sent[key] for key in SENT if sent.get(key)}
    meta |= _placed(write, meta)
    return {**one, "metadata": meta}


def _begun(one: Json, resource: Resource) -> Json:
    """Give a new object the status it begins with, whatever was sent."""
    if resource.name == "namespaces":
        one = {**one, "spec": {"finalizers": ["kubernetes"]}}
    return {**one, "status": BEGINNING[resource.name]} if resource.name in BEGINNING else one


def _placed(write: Write, meta: Json) -> Json:
    namespace = write.at.namespace
    if not write.resource.namespaced:
        meta.pop("namespace", None)
        return {}
    if meta.get("namespace", namespace) != namespace:
        raise refusals.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return {"namespace": namespace}


def _imagined(write: Write, one: Json) -> Json:
    """Give a new object as it would be stored."""
    given: Json = {
        "uid": str(uuid.UUID(int=write.store.chance.getrandbits(128), version=4)),
        "creationTimestamp": stamp(write.store.clock()),
    }
    if write.resource.generation:
        given["generation"] = 1
    return {**one, "metadata": {**one["metadata"], **given}}


def _owned(write: Write, before: Json | None, after: Json) -> Json:
    at = stamp(write.store.clock())
    seen = _without_families(write, after) if before is None and write.resource.name == "services" else after
    kept = managed(before, seen, write.manager, write.resource.api_version, at, write.at.sub)
    return {**after, "metadata": {**after["metadata"], "managedFields": kept}}


def _without_families(write: Write, one: Json) -> Json:
    """Leave out of a Service what the server sets after it has noted who owns what."""
    sent = (write.call.body or {}).get("spec") or {}
    late = {"ipFamilies", "ipFamilyPolicy"} - sent.keys()
    return {**one, "spec": {key: value for key, value in one["spec"].items() if key not in late}}


def replace(write: Write) -> Answer:
    """Answer a PUT of an object."""
    one = write.sent()
    _check_name(write, one)
    before = write.store.get(write.resource.name, write.at.namespace, write.at.name)
    if before is None and write.resource.name in MADE_BY_PUT and not write.at.sub:
        return write.answer(added(write, one), 201)
    if before is None:
        raise refusals.not_found(write.resource, write.at.name)
    return write.answer(changed(write, before, one))


def patch(write: Write) -> Answer:
    """Answer a PATCH of an object."""
    before = held(write.store, write.at)
    one = write.patched(before)
    _check_name(write, one)
    return write.answer(changed(write, before, one))


def _check_name(write: Write, one: Json) -> None:
    name, url = one["metadata"].get("name", ""), write.at.name
    if not name:
        raise refusals.bad_request(
            f"the name of the object ({url} based on URL) was undeterminable: name must be provided"
        )
    if name != url:
        raise refusals.bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({url})"
        )
    namespace = one["metadata"].get("namespace", write.at.namespace)
    if write.at.namespace and namespace != write.at.namespace:
        raise refusals.bad_request(
            f"the namespace of the object ({namespace}) does not match the namespace on the request "
            f"({write.at.namespace})"
        )


def changed(write: Write, before: Json, one: Json) -> Json:
    """Store a new state of an object; what is as it was keeps its version."""
    resource, store = write.resource, write.store
    _check_version(resource, before, one)
    of_status = write.at.sub == "status"
    whole = _status_of(before, one) if of_status else _rest_of(resource, before, one)
    if not of_status:
        whole = admission.addressed(store, resource, whole, before)
    validate(resource.name, whole, before)
    if _same(before, whole):
        return before
    whole = _owned(write, before, whole)
    if write.dry:
        return whole if of_status else _counted(resource, before, whole)
    if _ended(whole):
        store.remove(resource.name, write.at.namespace, write.at.name)
        return whole
    return store.update(resource.name, whole, counted=not of_status)


def _counted(resource: Resource, before: Json, after: Json) -> Json:
    """Give the generation that an object would be stored with."""
    if not resource.generation:
        return after
    meta = after["metadata"]
    generation = meta["generation"] + specified(resource.name, after, before)
    return {**after, "metadata": {**meta, "generation": generation}}


def _check_version(resource: Resource, before: Json, one: Json) -> None:
    was, meta = before["metadata"], one["metadata"]
    if meta.get("uid") and meta["uid"] != was["uid"]:
        key = "/".join(filter(None, ("/registry", resource.name, was.get("namespace"), was["name"])))
        raise refusals.conflict(
            resource,
            was["name"],
            f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {was['uid']}",
        )
    version = meta.get("resourceVersion") or ""
    if not version and resource.name in VERSION_REQUIRED:
        cause = ("FieldValueInvalid", "Invalid value: 0: must be specified for an update")
        raise refusals.invalid(
            resource.name, resource.group, was["name"], [(*cause, "metadata.resourceVersion")]
        )
    if version and version != was["resourceVersion"]:
        raise refusals.conflict(resource, was["name"])


def _status_of(before: Json, one: Json) -> Json:
    """Take the status of what was sent and nothing else but annotations."""
    meta = _without_empty({**before["metadata"], "annotations": one["metadata"].get("annotations")})
    return {**before, "metadata": meta, "status": one.get("status") or {}}


def _rest_of(resource: Resource, before: Json, one: Json) -> Json:
    """Take all but the status, and of the metadata what clients may change."""
    was, sent = before["metadata"], one["metadata"]
    meta = {key: sent[key] for key in SENT if sent.get(key)}
    if resource.namespaced:
        meta["namespace"] = was["namespace"]
    meta |= {key: was[key] for key in (*GIVEN, "resourceVersion", "managedFields") if key in was}
    whole = {**one, "metadata": meta}
    if "status" in resource.subresources:
        whole.pop("status", None)
        whole |= {"status": before["status"]} if "status" in before else {}
    return whole


def _without_empty(meta: Json) -> Json:
    return {key: value for key, value in meta.items() if value not in (None, {}, [])}


def _same(before: Json, after: Json) -> bool:
    return {**before, "metadata": _bare(before)} == {**after, "metadata": _bare(after)}


def _bare(one: Json) -> Json:
    return {key: value for key, value in one["metadata"].items() if key != "managedFields"}


def _ended(one: Json) -> bool:
    """Say whether the last finalizer of an object that is being deleted has gone."""
    meta = one["metadata"]
    going = "deletionTimestamp" in meta and not meta.get("deletionGracePeriodSeconds")
    return going and not meta.get("finalizers") and not (one.get("spec") or {}).get("finalizers")
