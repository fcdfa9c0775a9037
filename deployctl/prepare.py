"""Before anything is touched: what is there, what is wanted, and every reason not to begin."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployctl import services
from deployctl.cluster.api import JSON_PATCH, Api, ApiError, Denied, NotFound, Request
from deployctl.cluster.asking import asked
from deployctl.cluster.paths import path
from deployctl.cluster.view import Names
from deployctl.errors import Conflict, DeployctlError, Forbidden, Refused, UsageError
from deployctl.events import check as check_consumers
from deployctl.flags.moving import check as check_flags
from deployctl.gates import About
from deployctl.identity import uid_of
from deployctl.memory import (
    ANNOTATION,
    FIELD_MANAGER,
    HELD_SECONDS,
    LABEL,
    Memory,
    Settings,
    annotation,
    load,
    recalled,
)
from deployctl.observe import made, owned_by, replica_set, selects, settled
from deployctl.secrecy import masked, secret
from deployctl.spec import App
from deployctl.startable import startable, warnings
from deployctl.template import bare, digest, lacking_pre_stop, restarted, with_images, with_pre_stop
from deployctl.workload import (
    DEPLOYMENT,
    HASH,
    RESOURCES,
    REVISIONS,
    STATEFUL_SET,
    governs,
    kind_of,
    resource_of,
    stateful,
    template_in,
)
from strategies.quantities import NONE

Json = dict[str, Any]
OLDEST = (1, 31)
ELSEWHERE = "`deployctl status -A` lists the apps that were released; --namespace says where to look"
RESTRICTED = ("minReadySeconds", "paused")
SYNCED_BY = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks of the template."""

    images: Mapping[str, str] = field(default_factory=dict)
    restart_at: str = ""
    accept_sync: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """An app as it was found in the cluster; `memory` is the release in flight, if any."""

    names: Names
    deployment: Json
    services: tuple[Json, ...]
    replica_sets: tuple[Json, ...]
    memory: Memory | None


@dataclass(frozen=True, slots=True)
class Prepared(Found):
    """The app, and the template that it is to have, defaulted by the server."""

    stable: Json
    preview: Json
    warnings: tuple[str, ...] = ()
    not_released: tuple[str, ...] = ()
    added_pre_stop: tuple[str, ...] = ()
    gap: bool = False  # `surge: 0` is stated: one pod alone may be down while it is made anew

    @property
    def nothing_to_do(self) -> bool:
        return self.memory is None and digest(self.stable) == digest(self.preview)


def names_of(app: App, namespace: str) -> Names:
    workload = app.spec.workload
    return Names(namespace, app.name, workload.name, workload.services, workload.kind)


def find(api: Api, names: Names) -> Found:
    """Find an app's objects; raise UsageError for what is missing."""
    deployment = found(api, names, names.resource, names.deployment)
    services = tuple(found(api, names, "services", name) for name in names.services)
    sets = tuple(owned(api, deployment))
    return Found(names, deployment, services, sets, recalled(deployment, (*services, *sets)))


def guess(api: Api, name: str) -> Names:
    """Name the parts of an app that has no record: the workload of that name and the Services that select it.

    A release in flight says itself whose it is, whatever the name of its workload.
    """
    try:
        deployment = _workload(api, name)
    except UsageError as error:
        held_for = _held_for(api, name)
        if held_for is None:
            raise UsageError(str(error), advice=ELSEWHERE) from error
        deployment = held_for
    memory, kind = recalled(deployment, ()), kind_of(deployment)
    if memory:
        return Names(api.namespace, memory.app, deployment["metadata"]["name"], memory.services, kind)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    everything = api.get(path(api.namespace, "services"))["items"]
    selecting = (one for one in everything if _matches(one["spec"].get("selector") or {}, labels))
    listed = tuple(one["metadata"]["name"] for one in selecting if not governs(one, deployment))
    return Names(api.namespace, name, name, listed, kind)


def _workload(api: Api, name: str) -> Json:
    """Find the Deployment of a name, or else the StatefulSet."""
    try:
        return found(api, Names(api.namespace, name, name, ()), "deployments", name)
    except UsageError as error:
        try:
            return api.get(path(api.namespace, "statefulsets", name))
        except (NotFound, Denied):
            raise error from None


def _held_for(api: Api, app: str) -> Json | None:
    """Find the workload that a release of an app holds."""
    every = [*api.get(path(api.namespace, "deployments"))["items"], *_stateful_sets(api)]
    return next((one for one in every if (kept := recalled(one)) and kept.app == app), None)


def _stateful_sets(api: Api) -> list[Json]:
    """List the StatefulSets of the namespace, where we may."""
    try:
        found_there: list[Json] = api.get(path(api.namespace, "statefulsets"))["items"]
    except (NotFound, Denied):
        return []
    return found_there


def prepare(
    api: Api, app: App, objects: Iterable[Json], wanted: Wanted, there: Found | None = None
) -> Prepared:
    """Find the app and complete the template; raise for everything that stands against a release."""
    _right_cluster(api, app)
    there, objects = there or find(api, names_of(app, api.namespace)), tuple(objects)
    live_template, memory = there.deployment["spec"]["template"], there.memory
    raw = _chosen(objects, there.names, live_template, wanted)
    preview, added = _completed(api, app, there.deployment, raw)
    return Prepared(
        there.names,
        there.deployment,
        there.services,
        there.replica_sets,
        memory,
        stable=template_of(there.replica_sets, memory.stable) if memory else live_template,
        preview=preview,
        warnings=tuple(_warnings(there.deployment, there.services)),
        not_released=tuple(_differences(api, there, objects)),
        added_pre_stop=added,
        gap=getattr(app.spec.strategy.options, "surge", None) == NONE,
    )


def supported(api: Api) -> str:
    """Check the server's version; give it as `1.35`."""
    version = api.get("/version")
    major, minor = (_leading_number(version.get(key, "")) for key in ("major", "minor"))
    if (major, minor) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise UsageError(
            f"Kubernetes {major}.{minor} is older than {oldest}, the oldest that is supported",
            advice="upgrade the cluster, or choose another with --context",
        )
    return f"{major}.{minor}"


def _leading_number(text: str) -> int:
    """Read `35`, and `35+` as some providers write it."""
    return int("".join(itertools.takewhile(str.isdigit, text)) or 0)


def _right_cluster(api: Api, app: App) -> None:
    wanted = app.metadata.cluster
    if wanted is None:
        return
    uid = _uid(api)
    if uid != wanted:
        raise UsageError(
            f"this is cluster {uid} (context {api.context}), and metadata.cluster says {wanted}",
            advice="choose the right cluster with --context",
        )


def _uid(api: Api) -> str:
    try:
        return uid_of(api)
    except Denied as error:
        raise Forbidden(
            f"metadata.cluster cannot be checked: not allowed to get namespaces kube-system: {error}",
            advice="manifests/rbac/role.yaml has the ClusterRole for it; or leave metadata.cluster out",
        ) from error


def found(api: Api, names: Names, resource: str, name: str) -> Json:
    kind = {"deployments": DEPLOYMENT, "statefulsets": STATEFUL_SET, "services": "Service"}[resource]
    try:
        return api.get(path(names.namespace, resource, name))
    except NotFound as error:
        raise UsageError(
            f"{kind} {name} not found in namespace {names.namespace} (context {api.context})",
            advice="kubectl apply its manifest first, or mend spec.workload or --namespace",
        ) from error


def selector_of(deployment: Json) -> str:
    """Write the workload's selector as a query."""
    selector: Json = deployment["spec"]["selector"]
    labels = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    return ",".join([*labels, *map(_expression, selector.get("matchExpressions") or [])])


def _expression(one: Json) -> str:
    values, key = ",".join(one.get("values") or []), one["key"]
    written: dict[str, str] = {
        "In": f"{key} in ({values})",
        "NotIn": f"{key} notin ({values})",
        "Exists": key,
        "DoesNotExist": f"!{key}",
    }
    return written[str(one["operator"])]


def owned(api: Api, deployment: Json) -> Iterator[Json]:
    """List the revisions of a workload: its ReplicaSets or ControllerRevisions."""
    where = path(deployment["metadata"]["namespace"], REVISIONS[kind_of(deployment)])
    answer = api.get(where, labelSelector=selector_of(deployment))
    return (one for one in answer["items"] if owned_by(one, deployment))


def template_of(sets: Iterable[Json], name: str) -> Json:
    """Find the template that a ReplicaSet keeps, by its digest."""
    owner = replica_set(sets, name)
    if owner is None:
        raise DeployctlError(
            f"no revision keeps template {name}, and with it the way to it is gone",
            advice="`deployctl release FILE` goes on with the template of its manifest",
        )
    return bare(template_in(owner))


def _chosen(objects: tuple[Json, ...], names: Names, live_template: Json, wanted: Wanted) -> Json:
    """Choose the manifest's template where there is one, else the live one, and apply the flags to it."""
    stated = [
        one for one in objects if (one["kind"], one["metadata"]["name"]) == (names.kind, names.deployment)
    ]
    template = stated[0]["spec"]["template"] if stated else live_template
    template = with_images(template, wanted.images)
    return restarted(template, wanted.restart_at) if wanted.restart_at else template


def _completed(api: Api, app: App, deployment: Json, template: Json) -> tuple[Json, tuple[str, ...]]:
    """Let the server default and admit the template; add preStop where it is missing."""
    seconds = app.spec.drain.pre_stop_seconds
    if seconds == "keep":
        return _defaulted(api, deployment, template), ()
    grace = template["spec"].get("terminationGracePeriodSeconds", 30)
    lacking = tuple(one["name"] for one in lacking_pre_stop(template))
    if lacking and grace <= seconds:
        raise UsageError(
            f"terminationGracePeriodSeconds is {grace}, not more than spec.drain.preStop of {seconds:g}s",
            advice="raise the one or lower the other: the app needs time to end after the sleep",
        )
    return _defaulted(api, deployment, with_pre_stop(template, round(seconds))), lacking


def _defaulted(api: Api, deployment: Json, template: Json) -> Json:
    meta = deployment["metadata"]
    where = path(meta["namespace"], resource_of(deployment), meta["name"])
    ops = [{"op": "replace", "path": "/spec/template", "value": template}]
    query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    try:
        answer = api.send(Request("PATCH", where, ops, JSON_PATCH, query).dry())
    except ApiError as error:
        raise UsageError(
            f"the server refuses the pod template: {error}", advice="mend the template in the manifest"
        ) from error
    complete: Json = answer["spec"]["template"]
    return complete


def refuse(api: Api, ready: Prepared, app: App, *, accept_sync: bool = False) -> None:
    """Raise for the first thing that stands against beginning a release now."""
    _startable(ready)
    _selected(api, ready, app)
    acceptable(api, ready, accept_sync=accept_sync)
    about = About(app.name, ready.names.namespace)
    check_consumers(api, app.spec.consumes, ready.services[0], selector_of(ready.deployment))
    check_flags(app.spec.flags, asked(api, about, (), ready.services[0], app.spec.gates, app.spec.flags))


def acceptable(api: Api, ready: Prepared, *, accept_sync: bool = False) -> None:
    """Raise for what stands against this template here, whatever else is in flight."""
    _room(api, ready)
    owner = _synced_by(ready)
    if owner and not accept_sync:
        raise Refused(
            f"{owner} may write over the hold in mid-release",
            advice="suspend its sync for the time of the release, or pass --accept-sync",
        )


def _startable(ready: Prepared) -> None:
    if stateful(ready.deployment):
        return startable(ready.deployment, ready.names.deployment, ready.replica_sets, gap=ready.gap)
    return _deployment_startable(ready)


def _deployment_startable(ready: Prepared) -> None:
    deployment, name = ready.deployment, ready.names.deployment
    now = Settings.of(deployment)
    if now.strategy.get("type") == "Recreate":
        raise UsageError(
            f"Deployment {name} has strategy Recreate, which stops everything first; expected RollingUpdate",
            advice=f"""kubectl patch deployment/{name} -p '{{"spec":{{"strategy":{{"type":"RollingUpdate"}}}}}}'""",
        )
    if not deployment["spec"].get("replicas", 1):
        raise UsageError(
            f"Deployment {name} has 0 replicas: there is nothing to gate", advice="kubectl apply will do"
        )
    if now.paused:
        raise Conflict(
            f"Deployment {name} is paused, and not by deployctl{_by(deployment, 'paused')}",
            advice=f"kubectl rollout resume deployment/{name}",
        )
    if now.min_ready_seconds >= HELD_SECONDS:
        raise Conflict(
            f"Deployment {name} is held: its minReadySeconds is {now.min_ready_seconds}, and no release of ours"
            f" is in flight{_by(deployment, 'minReadySeconds')}",
            advice="apply its manifest again, or set minReadySeconds back",
        )
    if _rolling(deployment, ready.replica_sets):
        raise Conflict(
            f"Deployment {name} is in the middle of a rollout by {last_writer(deployment, ('template',)) or 'somebody else'}",
            advice=f"wait for `kubectl rollout status deployment/{name}`, or end it with `kubectl rollout undo`",
        )


def _rolling(deployment: Json, sets: tuple[Json, ...]) -> bool:
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    several = sum(bool(one["spec"].get("replicas")) for one in sets) > 1
    return several or not settled(deployment) or status.get("updatedReplicas", 0) < wanted


def _by(thing: Json, field_: str) -> str:
    """Name who wrote a field, where that is known."""
    writer = last_writer(thing, (field_,))
    return f" (by {writer})" if writer else ""


def last_writer(thing: Json, fields: Iterable[str] = ()) -> str:
    """Name who wrote last (any of these spec fields), and when, from managedFields."""
    entries = [
        one for one in thing["metadata"].get("managedFields") or [] if one.get("subresource") != "status"
    ]
    theirs = [one for one in entries if one["manager"] != FIELD_MANAGER and _owns(one, fields)]
    last = max(theirs, key=lambda one: one.get("time", ""), default=None)
    return f"{last['manager']} at {last.get('time', '')}" if last else ""


def _owns(entry: Json, fields: Iterable[str]) -> bool:
    spec = (entry.get("fieldsV1") or {}).get("f:spec") or {}
    wanted = tuple(fields)
    return not wanted or any(f"f:{one}" in spec for one in wanted)


def _selected(api: Api, ready: Prepared, app: App) -> None:
    """Every listed Service must select the pods, and every Service that selects them must be listed."""
    labels = ready.deployment["spec"]["template"]["metadata"]["labels"]
    for one in ready.services:
        name, selector = one["metadata"]["name"], one["spec"].get("selector") or {}
        services.usable(one)
        services.kept_out(one, app.spec.strategy.kind)
        _free(one)
        if not selects(one, ready.preview):
            raise UsageError(
                f"Service {name} selects {_written(selector)}, which the new template does not have",
                advice="a shift would leave it without endpoints: mend the labels of the template, or its selector",
            )
        if not selector or not _matches(selector, labels):
            raise UsageError(
                f"Service {name} selects {_written(selector)}, which no pod of {ready.names.deployment} has",
                advice="mend its selector, or take it out of spec.workload.services",
            )
    everything = api.get(path(ready.names.namespace, "services"))["items"]
    _all_listed(ready, labels, [one for one in everything if one["metadata"]["name"] != app.preview_service])
    if app.preview_service:
        _shown(api, ready, app, everything)


def _shown(api: Api, ready: Prepared, app: App, everything: list[Json]) -> None:
    """Check that the preview Service is ours to make, or one of the user's that selects the pods and is not pinned."""
    name = app.preview_service
    there = next((one for one in everything if one["metadata"]["name"] == name), None)
    if there is None:
        return services.makeable(api, app.name, name, ready.services[0], ready.deployment)
    services.borrowed(there, ready.deployment["spec"]["template"]["metadata"]["labels"], app.name)
    return None if made(there, app.name) else _free(there)


def _free(service: Json) -> None:
    """Raise where a Service is pinned: by a release that began in this very moment, or by who knows whom."""
    selector, name = service["spec"].get("selector") or {}, service["metadata"]["name"]
    pin = next((key for key in (HASH, LABEL) if key in selector), "")
    memory = load(annotation(service))
    if pin and memory:
        raise Conflict(
            f"Service {name} is pinned by the release that {memory.by} began at {memory.at}",
            advice=f"deployctl status {memory.app}",
        )
    if pin:
        raise Conflict(
            f"Service {name} is pinned: its selector holds {pin}{_by(service, 'selector')}",
            advice=f"kubectl patch service/{name} -p '{json.dumps({'spec': {'selector': {pin: None}}})}'",
        )


def _written(selector: Json) -> str:
    return ",".join(f"{key}={value}" for key, value in selector.items()) or "nothing"


def _all_listed(ready: Prepared, labels: Json, everything: list[Json]) -> None:
    others = [
        one["metadata"]["name"]
        for one in everything
        if one["metadata"]["name"] not in ready.names.services
        and not governs(one, ready.deployment)
        and _matches(one["spec"].get("selector") or {}, labels)
    ]
    if others:
        raise UsageError(
            f"Service {', '.join(others)} selects the pods of {ready.names.deployment} and is not listed",
            advice="add it to spec.workload.services: it would send traffic to the preview before its gates",
        )


def _matches(selector: Json, labels: Json) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _room(api: Api, ready: Prepared) -> None:
    """Try a pod of the new template as a server dry run: quota, limits and admission answer now, not at batch 3."""
    template = ready.preview
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **copy.deepcopy(template.get("metadata", {})),
            "generateName": f"{ready.names.deployment}-",
        },
        "spec": template["spec"],
    }
    where = path(ready.names.namespace, "pods")
    try:
        api.send(Request("POST", where, pod).dry())
    except (ApiError, Denied) as error:
        raise UsageError(
            f"a pod of the new template is refused: {error}",
            advice="mend the template, or make room for it: the quota, the LimitRange or the policy says no",
        ) from error


def _synced_by(ready: Prepared) -> str:
    meta = ready.deployment["metadata"]
    marks = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
    named = next((owner for mark, owner in SYNCED_BY.items() if mark in marks), "")
    return named or next(_appliers(ready), "")


def _appliers(ready: Prepared) -> Iterator[str]:
    watched = [
        (
            ready.deployment,
            ("updateStrategy",) if stateful(ready.deployment) else ("minReadySeconds", "paused"),
        ),
        *((one, ("selector",)) for one in ready.services),
    ]
    for one, fields in watched:
        for entry in one["metadata"].get("managedFields") or []:
            applied = entry.get("operation") == "Apply" and entry["manager"] not in {"kubectl", FIELD_MANAGER}
            if applied and _owns(entry, fields):
                yield f"the server-side applier {entry['manager']}"


def _warnings(deployment: Json, listed: tuple[Json, ...]) -> Iterator[str]:
    applied = _last_applied(deployment).get("spec") or {}
    yield from warnings(deployment, listed) if stateful(deployment) else ()
    for key in RESTRICTED:
        if key in applied and not stateful(deployment):
            yield f"the applied manifest states spec.{key}: applying it again in mid-release ends the hold"
    if deployment["spec"].get("revisionHistoryLimit", 10) < 2:
        yield "revisionHistoryLimit is under 2: there may be nothing to roll back to"
    yield from services.warnings(listed, deployment["spec"].get("replicas", 1))


def _last_applied(thing: Json) -> Json:
    text = (thing["metadata"].get("annotations") or {}).get(
        "kubectl.kubernetes.io/last-applied-configuration"
    )
    applied: Json = json.loads(text) if text else {}
    return applied


def _differences(api: Api, known: Found, objects: tuple[Json, ...]) -> Iterator[str]:
    """Name what of the manifests differs from the cluster and is no business of a release."""
    for one in objects:
        kind, name = one["kind"], one["metadata"]["name"]
        resource = {**RESOURCES, "Service": "services", "ConfigMap": "configmaps"}.get(kind)
        if resource is None:
            yield f"{kind} {name}: not compared"
            continue
        try:
            there = _known(known, kind, name) or api.get(path(known.names.namespace, resource, name))
        except NotFound:
            yield f"{kind} {name}: not in the cluster"
            continue
        yield from (f"{kind} {name}: {where}" for where in _unlike(_without_template(one), there))


def _known(known: Found, kind: str, name: str) -> Json | None:
    """Give an object that was read already."""
    there = {known.names.kind: (known.deployment,), "Service": known.services}.get(kind, ())
    return next((one for one in there if one["metadata"]["name"] == name), None)


def _without_template(one: Json) -> Json:
    """Give what of a manifest a release leaves alone."""
    kept = {
        key: value for key, value in one.items() if key not in {"apiVersion", "kind", "metadata", "status"}
    }
    if one["kind"] in RESOURCES:
        kept["spec"] = {key: value for key, value in one["spec"].items() if key != "template"}
    labels = {key: one["metadata"][key] for key in ("labels", "annotations") if one["metadata"].get(key)}
    return {**kept, "metadata": labels} if labels else kept


def _unlike(stated: Any, there: Any, where: str = "") -> Iterator[str]:
    """List the paths at which a manifest states something else than the cluster has."""
    if isinstance(stated, dict) and isinstance(there, dict | None):
        for key, value in stated.items():
            yield from _unlike(value, (there or {}).get(key), f"{where}.{key}".lstrip("."))
    elif isinstance(stated, list) and isinstance(there, list) and len(stated) == len(there):
        for index, (one, other) in enumerate(zip(stated, there, strict=True)):
            yield from _unlike(one, other, f"{where}[{index}]")
    elif stated != there and ANNOTATION not in where:
        now, then = (json.dumps(masked(one, where)) for one in (there, stated))
        told = secret(f"{where} {now} {then}")  # a ConfigMap may hold a whole file, password and all
        yield f"{where} differs" if told else f"{where} is {now}, the manifest says {then}"
