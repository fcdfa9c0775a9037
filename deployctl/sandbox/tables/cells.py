"""The cells of `kubectl get`, kind by kind; those of pods are in pod_cells."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.tables.ages import age

Json = dict[str, Any]
NONE = "<none>"
UNKNOWN = "<unknown>"
MOST = 3  # ports or addresses of an EndpointSlice that are shown
ROLE = "node-role.kubernetes.io/"
OPERATORS = {"In": "in", "NotIn": "notin"}


def _age(one: Json, now: float) -> str:
    return age(one["metadata"].get("creationTimestamp"), now)


def deployment(one: Json, now: float) -> list[Any]:
    spec, status = one["spec"], one.get("status") or {}
    return [
        one["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        _age(one, now),
        *_containers(spec),
        selector(spec.get("selector"), every=""),
    ]


def replica_set(one: Json, now: float) -> list[Any]:
    spec, status = one["spec"], one.get("status") or {}
    numbers = [spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0)]
    wide = [*_containers(spec), selector(spec.get("selector"), every=NONE)]
    return [one["metadata"]["name"], *numbers, _age(one, now), *wide]


def stateful_set(one: Json, now: float) -> list[Any]:
    spec, ready = one["spec"], (one.get("status") or {}).get("readyReplicas", 0)
    return [
        one["metadata"]["name"],
        f"{ready}/{spec.get('replicas', 1)}",
        _age(one, now),
        *_containers(spec),
    ]


def controller_revision(one: Json, now: float) -> list[Any]:
    owners = one["metadata"].get("ownerReferences") or ()
    owner = next((each for each in owners if each.get("controller")), None)
    return [one["metadata"]["name"], _named(owner), str(one["revision"]), _age(one, now)]


def _named(owner: Json | None) -> str:
    """Name an owner as kubectl does: `statefulset.apps/web`."""
    if owner is None:
        return NONE
    group = owner["apiVersion"].rpartition("/")[0]
    kind = owner["kind"].lower()
    return f"{kind}.{group}/{owner['name']}" if group else f"{kind}/{owner['name']}"


def _containers(spec: Json) -> list[str]:
    containers = spec["template"]["spec"].get("containers") or []
    return [",".join(one["name"] for one in containers), ",".join(one.get("image", "") for one in containers)]


def selector(one: Json | None, every: str) -> str:
    """Write a selector as `app=wallet,tier in (a,b)`; `every` where it selects everything."""
    if one is None:
        return NONE if every else ""
    labels = {key: f"{key}={value}" for key, value in (one.get("matchLabels") or {}).items()}
    rules = list(labels.items())
    rules += [(rule["key"], _requirement(rule)) for rule in one.get("matchExpressions") or []]
    return ",".join(text for _, text in sorted(rules, key=lambda rule: rule[0])) or every


def _requirement(rule: Json) -> str:
    match rule["operator"]:
        case "Exists":
            return str(rule["key"])
        case "DoesNotExist":
            return f"!{rule['key']}"
    return f"{rule['key']} {OPERATORS[rule['operator']]} ({','.join(sorted(rule.get('values') or []))})"


def service(one: Json, now: float) -> list[Any]:
    spec = one["spec"]
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP") or NONE]
    chosen = ",".join(f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items()))
    ports = ",".join(map(_port, spec.get("ports") or []))
    name, kind = one["metadata"]["name"], spec.get("type", "ClusterIP")
    return [name, kind, addresses[0], _external(one), ports or NONE, _age(one, now), chosen or NONE]


def _external(one: Json) -> str:
    spec = one["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    ingress = (one.get("status") or {}).get("loadBalancer", {}).get("ingress") or []
    balancers = sorted({at.get("ip") or at.get("hostname", "") for at in ingress})
    balanced = spec.get("type") == "LoadBalancer"
    every = [*(balancers if balanced else []), *(spec.get("externalIPs") or [])]
    return ",".join(every) or ("<pending>" if balanced else NONE)


def _port(one: Json) -> str:
    outside = f":{one['nodePort']}" if one.get("nodePort") else ""
    return f"{one['port']}{outside}/{one.get('protocol', 'TCP')}"


def namespace(one: Json, now: float) -> list[Any]:
    return [one["metadata"]["name"], one.get("status", {}).get("phase", ""), _age(one, now)]


def config_map(one: Json, now: float) -> list[Any]:
    entries = len(one.get("data") or {}) + len(one.get("binaryData") or {})
    return [one["metadata"]["name"], entries, _age(one, now)]


def lease(one: Json, now: float) -> list[Any]:
    return [one["metadata"]["name"], one.get("spec", {}).get("holderIdentity", ""), _age(one, now)]


def node(one: Json, now: float) -> list[Any]:
    status = one.get("status") or {}
    about = status.get("nodeInfo") or {}
    ready = [_readiness(it) for it in status.get("conditions") or [] if it["type"] == "Ready"] or ["Unknown"]
    held = ["SchedulingDisabled"] if one.get("spec", {}).get("unschedulable") else []
    return [
        one["metadata"]["name"],
        ",".join([*ready, *held]),
        ",".join(_roles(one["metadata"].get("labels") or {})) or NONE,
        _age(one, now),
        about.get("kubeletVersion", ""),
        *(_address(status, kind) for kind in ("InternalIP", "ExternalIP")),
        *(about.get(key) or UNKNOWN for key in ("osImage", "kernelVersion", "containerRuntimeVersion")),
    ]


def _readiness(condition: Json) -> str:
    return "Ready" if condition["status"] == "True" else "NotReady"


def _roles(labels: Json) -> list[str]:
    named = {key.removeprefix(ROLE) for key in labels if key.startswith(ROLE)}
    return sorted(filter(None, named | {labels.get("kubernetes.io/role", "")}))


def _address(status: Json, kind: str) -> str:
    return next((str(at["address"]) for at in status.get("addresses") or [] if at["type"] == kind), NONE)


def event(one: Json, now: float) -> list[Any]:
    series, about = one.get("series") or {}, one.get("involvedObject") or {}
    first = age(one.get("firstTimestamp") or one.get("eventTime"), now)
    last = age(one["lastTimestamp"], now) if one.get("lastTimestamp") else first
    return [
        age(series.get("lastObservedTime"), now) if series else last,
        one.get("type", ""),
        one.get("reason", ""),
        "/".join(filter(None, (about.get("kind", "").lower(), about.get("name", "")))),
        about.get("fieldPath", ""),
        _source(one),
        one.get("message", "").strip(),
        first,
        series.get("count", 0) if series else one.get("count") or 1,
        one["metadata"]["name"],
    ]


def _source(one: Json) -> str:
    source = one.get("source") or {}
    who = source.get("component") or one.get("reportingComponent", "")
    where = source.get("host") or one.get("reportingInstance", "")
    return f"{who}, {where}" if where else str(who)


def quota(one: Json, now: float) -> list[Any]:
    status = one.get("status") or {}
    used = status.get("used") or {}
    lines = [
        (key, f"{key}: {used.get(key, '0')}/{hard}")
        for key, hard in sorted((status.get("hard") or {}).items())
    ]
    limits = ", ".join(text for key, text in lines if key.startswith("limits."))
    requests = ", ".join(text for key, text in lines if not key.startswith("limits."))
    return [one["metadata"]["name"], requests, limits, _age(one, now)]


def budget(one: Json, now: float) -> list[Any]:
    spec, status = one.get("spec") or {}, one.get("status") or {}
    bounds = [str(spec.get(key, "N/A")) for key in ("minAvailable", "maxUnavailable")]
    return [one["metadata"]["name"], *bounds, status.get("disruptionsAllowed", 0), _age(one, now)]


def endpoint_slice(one: Json, now: float) -> list[Any]:
    ports = [str(port.get("port") or port.get("name") or "*") for port in one.get("ports") or []]
    addresses = [at for each in one.get("endpoints") or [] for at in each.get("addresses") or []]
    shown = [_few(ports, "<unset>"), _few(addresses, "<unset>")]
    return [one["metadata"]["name"], one.get("addressType", ""), *shown, _age(one, now)]


def _few(every: list[str], nothing: str) -> str:
    more = f" + {len(every) - MOST} more..." if len(every) > MOST else ""
    return (",".join(every[:MOST]) or nothing) + more
