"""Is there room for more pods? Quotas of the namespace, and what the requests of all pods leave on the nodes.

Looked at of a node: whether it takes pods, its taints against the tolerations, nodeSelector and required nodeAffinity
against its labels, allocatable less requests. Not looked at: affinity between pods, spreading, volumes, ports,
priorities, and pods that wait for a node themselves. So what is short is short; what fits may still wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from deployctl.autoscaling.arithmetic import thousandths
from deployctl.autoscaling.outlook import pods as counted
from deployctl.autoscaling.outlook import rooms, tried
from deployctl.cluster.api import Api, Denied, NotFound
from deployctl.cluster.paths import CORE, path
from deployctl.cluster.view import Names
from deployctl.errors import UsageError
from strategies.room import Amounts, Need, Quota, Room, fitting, left, total, whole

Json = dict[str, Any]
OVER = frozenset({"Succeeded", "Failed"})
BLOCKING = frozenset({"NoSchedule", "NoExecute"})


def room(api: Api, names: Names, template: Json) -> Room:
    """Look how many pods more of a template fit; nothing is touched."""
    pod = _pod(api, names, template)
    quotas = tuple(_quotas(api, names.namespace, pod))
    try:
        nodes = api.get(f"{CORE}/nodes")["items"]
        every = api.get(f"{CORE}/pods")["items"]
    except (Denied, NotFound) as error:
        why = "no right to list nodes and pods of all namespaces" if isinstance(error, Denied) else str(error)
        return Room(None, quotas, why)
    return Room(on_nodes(pod, nodes, every), quotas, "", tuple(uncounted(pod)))


def _pod(api: Api, names: Names, template: Json) -> Json:
    """Give a pod of the template with what a LimitRange adds; one that a full quota refuses is taken as it is."""
    try:
        return tried(api, names, {"spec": {"template": template}})
    except UsageError:
        return template


def _quotas(api: Api, namespace: str, pod: Json) -> Iterator[Quota]:
    try:
        quotas = api.get(path(namespace, "resourcequotas"))["items"]
    except (Denied, NotFound):
        return
    for one in quotas:
        for key, hard, more in rooms(one, pod):
            yield Quota(one["metadata"]["name"], key, hard, more)


def on_nodes(pod: Json, nodes: Iterable[Json], pods: Iterable[Json]) -> int:
    """Count the pods more that the nodes have room for."""
    used: dict[str, list[Amounts]] = {}
    for one in pods:
        if one.get("status", {}).get("phase") not in OVER and (node := one["spec"].get("nodeName")):
            used.setdefault(node, []).append(taken(one["spec"]))
    taking = (one for one in nodes if takes(one, pod["spec"]))
    free = (left(_offered(one), total(used.get(one["metadata"]["name"], ()))) for one in taking)
    return fitting(taken(pod["spec"]), free)


def _offered(node: Json) -> Amounts:
    status = node["status"]
    return {name: thousandths(one) for name, one in (status.get("allocatable") or status["capacity"]).items()}


def taken(spec: Json) -> Amounts:
    """Give what a pod takes of a node, as the scheduler counts it."""
    started = spec.get("initContainers") or ()
    stays = [one for one in started if one.get("restartPolicy") == "Always"]
    starting = [one for one in started if one.get("restartPolicy") != "Always"]
    needs = whole(map(_asked, spec["containers"]), map(_asked, stays), map(_asked, starting))
    said = _amounts((spec.get("resources") or {}).get("requests"))  # of the pod as a whole
    overhead = _amounts(spec.get("overhead"))
    return total(({**needs, **said}, overhead, {"pods": 1000}))


def _asked(container: Json) -> Amounts:
    """Give what a container requests; where only a limit is said, that is the request."""
    resources = container.get("resources") or {}
    return _amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _amounts(said: Json | None) -> dict[str, int]:
    return {name: thousandths(one) for name, one in (said or {}).items()}


def takes(node: Json, pod: Json) -> bool:
    """Say whether a node takes the pod at all, however much is free."""
    spec, labels = node.get("spec", {}), node["metadata"].get("labels") or {}
    tolerations = pod.get("tolerations") or ()
    cordoned = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    taints = [*(spec.get("taints") or ()), *([cordoned] if spec.get("unschedulable") else [])]
    blocked = (one for one in taints if one["effect"] in BLOCKING and not _tolerated(one, tolerations))
    if next(blocked, None):
        return False
    if any(labels.get(key) != one for key, one in (pod.get("nodeSelector") or {}).items()):
        return False
    wanted = ((pod.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    return wanted is None or any(_meets(node, term) for term in wanted["nodeSelectorTerms"])


def _tolerated(taint: Json, tolerations: Iterable[Json]) -> bool:
    return any(
        one.get("effect") in {None, "", taint["effect"]}
        and one.get("key") in {None, "", taint["key"]}
        and (one.get("operator") == "Exists" or one.get("value", "") == taint.get("value", ""))
        for one in tolerations
    )


def _meets(node: Json, term: Json) -> bool:
    """Say whether a node meets every expression of a term; a term without one is met by none."""
    labels = node["metadata"].get("labels") or {}
    fields = {"metadata.name": node["metadata"]["name"]}
    wishes = [(labels, one) for one in term.get("matchExpressions") or ()]
    wishes += [(fields, one) for one in term.get("matchFields") or ()]
    return bool(wishes) and all(_is_so(known.get(one["key"]), one) for known, one in wishes)


def _is_so(value: str | None, wish: Json) -> bool:
    values = wish.get("values") or []
    match wish["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return value is not None and value.lstrip("-").isdigit() and int(value) > int(values[0])
        case "Lt":
            return value is not None and value.lstrip("-").isdigit() and int(value) < int(values[0])
    return False


def uncounted(pod: Json) -> Iterator[str]:
    """Name what the template asks of the scheduler that is not counted here."""
    spec = pod["spec"]
    for key in ("podAffinity", "podAntiAffinity"):
        if ((spec.get("affinity") or {}).get(key) or {}).get(
            "requiredDuringSchedulingIgnoredDuringExecution"
        ):
            yield key
    constraints = spec.get("topologySpreadConstraints") or ()
    if any(one.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule" for one in constraints):
        yield "topologySpreadConstraints"


def short(found: Room, more: int, count: int = 0) -> Iterator[str]:
    """Say by how much there is too little room for so many pods more, of which a quota may `count` more yet."""
    count = max(more, count)
    going = ", for a pod that goes counts until it is gone" if count > more else ""
    for one in found.quotas:
        if one.more < count:
            where = f"quota {one.name} ({one.key} {one.hard})"
            yield f"{where} has room for {counted(one.more)} more, {count - one.more} short of {count}{going}"
    if found.nodes is not None and found.nodes < more:
        lacking = more - found.nodes
        yield f"the nodes have room for {counted(found.nodes)} more, {lacking} short of {more}"


def told(found: Room) -> str:
    """Say what is not known of the room; empty where all is."""
    if found.unknown:
        return f"not known: {found.unknown}"
    return f"{', '.join(found.uncounted)} not counted" if found.uncounted else ""


def for_release(found: Room, strategy: str, more: Need) -> Iterator[str]:
    """Say what a release lacks that needs so many pods more at its peak, and what smaller one fits."""
    lacking = tuple(short(found, more.places, more.counted))
    fits = found.more
    if not lacking or fits is None:
        return
    yield from lacking[:-1]
    waits = f"previewReplicas: {fits} fits until the traffic shifts, which needs all {more.places}; "
    yield f"{lacking[-1]}; {waits if fits and strategy != 'rolling' else ''}{choices(strategy, found)}"


def choices(strategy: str, found: Room) -> str:
    """Say what of a spec fits from the first step to the last; a batch that makes its own room a quota counts once."""
    rolling, batch = "" if strategy == "rolling" else "rolling with ", found.batch
    if batch:
        return f"{rolling}batch: {batch} fits{' throughout' if rolling else ''}"
    if found.allowed is None:
        return f"{rolling}surge: 0 needs none, and serves with a batch less meanwhile"
    if found.allowed:
        return f"{rolling}surge: 0 and batch: {found.allowed} fits, and serves with a batch less meanwhile"
    return "nothing fits a quota that is full"
