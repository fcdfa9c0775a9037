"""What the API server decides about a new object besides its form: its namespace, its address, its quota."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.api import refusals
from deployctl.sandbox.api.spending import spend
from deployctl.sandbox.objects.validation import validate
from deployctl.sandbox.resources import BY_NAME, Resource
from deployctl.sandbox.store import Store

Json = dict[str, Any]

LONGEST_PREFIX = 58  # of a generated name
FIRST_NODE_PORT, LAST_NODE_PORT = 30000, 32767
PORTED = frozenset({"NodePort", "LoadBalancer"})
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
TOKEN_SOURCES: list[Json] = [
    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {
        "downwardAPI": {
            "items": [
                {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
            ]
        }
    },
]
TOLERATED = [
    {
        "key": f"node.kubernetes.io/{what}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for what in ("not-ready", "unreachable")
]


def admitted(store: Store, resource: Resource, one: Json, *, dry: bool = False) -> Json:
    """Give a new object, with its defaults, as it may be stored; count it, unless it is but a dry run."""
    one = _named(store, one)
    admit(store, resource, one)
    one = addressed(store, resource, _pod(store, one) if resource.name == "pods" else one)
    validate(resource.name, one)
    spend(store, resource, one, dry=dry)
    return one


def _named(store: Store, one: Json) -> Json:
    """Give an object a name, where it has but the beginning of one."""
    meta = one["metadata"]
    if meta.get("name") or not meta.get("generateName"):
        return one
    name = meta["generateName"][:LONGEST_PREFIX] + store.suffix()
    return {**one, "metadata": {**meta, "name": name}}


def admit(store: Store, resource: Resource, one: Json) -> None:
    """Refuse what is new in a namespace that is not there or goes."""
    if not resource.namespaced:
        return
    meta = one["metadata"]
    namespace = store.get("namespaces", "", meta["namespace"])
    if namespace is None:
        raise refusals.not_found(BY_NAME["namespaces"], meta["namespace"])
    if "deletionTimestamp" in namespace["metadata"]:
        where = meta["namespace"]
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {where} is being terminated",
            "field": "metadata.namespace",
        }
        why = f"unable to create new content in namespace {where} because it is being terminated"
        raise refusals.forbidden(resource, meta.get("name", ""), why, [cause])


def addressed(store: Store, resource: Resource, one: Json, before: Json | None = None) -> Json:
    """Give a Service its address and its node ports; they stay as long as it lives."""
    if resource.name != "services" or one["spec"].get("type") == "ExternalName":
        return one
    was = before["spec"] if before else {}
    spec = {**one["spec"]}
    if not spec.get("clusterIP"):
        spec["clusterIP"] = was.get("clusterIP") or _free_address(store)
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    if spec.get("type") in PORTED:
        kept = {port.get("name", ""): port.get("nodePort") for port in was.get("ports", [])}
        spec["ports"] = [_ported(store, port, kept.get(port.get("name", ""))) for port in spec["ports"]]
    return {**one, "spec": spec}


def _free_address(store: Store) -> str:
    taken = {one["spec"].get("clusterIP") for one in store.list("services")}
    while True:
        address = f"10.96.{store.chance.randrange(256)}.{store.chance.randrange(2, 255)}"
        if address not in taken:
            return address


def _ported(store: Store, port: Json, kept: int | None) -> Json:
    if port.get("nodePort"):
        return port
    return {**port, "nodePort": kept or store.chance.randint(FIRST_NODE_PORT, LAST_NODE_PORT)}


def _pod(store: Store, one: Json) -> Json:
    """Fill in what the plug-ins for pods do: account, tolerations, priority; and the class that follows."""
    spec = dict(one["spec"])
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    there = spec.get("tolerations") or []
    keys = {each.get("key") for each in there}
    spec["tolerations"] = [*there, *(each for each in TOLERATED if each["key"] not in keys)]
    if spec.get("automountServiceAccountToken", True):
        spec = _mounted(spec, f"kube-api-access-{store.suffix()}")
    status = {**(one.get("status") or {}), "phase": "Pending", "qosClass": quality(spec)}
    return {**one, "spec": spec, "status": status}


def _mounted(spec: Json, name: str) -> Json:
    """Give every container the token of its account, where it has none of its own."""
    mount = {"name": name, "readOnly": True, "mountPath": TOKEN_PATH}
    whole = dict(spec)
    for key in ("containers", "initContainers"):
        if key in spec:
            whole[key] = [_with_mount(one, mount) for one in spec[key]]
    volume = {"name": name, "projected": {"sources": TOKEN_SOURCES, "defaultMode": 0o644}}
    return {**whole, "volumes": [*spec.get("volumes", []), volume]}


def _with_mount(container: Json, mount: Json) -> Json:
    there = container.get("volumeMounts", [])
    if any(one["mountPath"] == TOKEN_PATH for one in there):
        return container
    return {**container, "volumeMounts": [*there, mount]}


def quality(spec: Json) -> str:
    """Give the quality of service class of a pod."""
    every = [each.get("resources") or {} for each in (*spec["containers"], *spec.get("initContainers", []))]
    if not any(each.get("requests") or each.get("limits") for each in every):
        return "BestEffort"
    full = all(
        (each.get("limits") or {}).keys() >= {"cpu", "memory"} and each.get("requests") == each["limits"]
        for each in every
    )
    return "Guaranteed" if full else "Burstable"
