"""What lies under an object: its scale, a pod's log, what a pod says through the proxy, and its eviction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from deployctl.sandbox.api import refusals
from deployctl.sandbox.api.evicting import evict
from deployctl.sandbox.api.reading import held
from deployctl.sandbox.api.routing import Target
from deployctl.sandbox.api.scaling import patch_scale, replace_scale, scale
from deployctl.sandbox.calls import Answer, Call

if TYPE_CHECKING:
    from deployctl.sandbox.api.apiserver import ApiServer

Json = dict[str, Any]

INVALID = "FieldValueInvalid"
PROXY_SECONDS = 30.0
TEXT = {"Content-Type": "text/plain"}
NO_IMAGE = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}
SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class Later:
    """An answer that takes its time, so that nobody else waits for it."""

    answer: Callable[[], Answer]


def answer(server: ApiServer, call: Call, at: Target, verb: str) -> Answer | Later:
    """Answer a call of a subresource other than `status`."""
    match at.sub, verb:
        case "scale", "get":
            return Answer(200, scale(held(server.cluster.store, at)))
        case "scale", "update":
            return replace_scale(server.cluster, at, call)
        case "scale", "patch":
            return patch_scale(server.cluster, at, call)
        case "log", "get":
            return _log(server, call, at)
        case "proxy", _:
            return _proxy(server, call, at)
        case "eviction", "create":
            return evict(server.cluster, at, call)
        case _:
            raise refusals.generic(405)


def _log(server: ApiServer, call: Call, at: Target) -> Answer:
    """Give a container's log, or the end of it."""
    pod = held(server.cluster.store, at)
    previous = call.query.get("previous") == "true"
    _check_options(call, at.name)
    _check_begun(pod, _container(pod, call.query.get("container", "")), previous=previous)
    text = server.runtime.log(pod, previous=previous) if server.runtime else ""
    lines = text.splitlines(keepends=True)
    if "tailLines" in call.query:
        lines = lines[len(lines) - min(int(call.query["tailLines"]), len(lines)) :]
    told = "".join(lines).encode()
    return Answer(200, told[: int(call.query.get("limitBytes") or len(told))], TEXT)


def _check_options(call: Call, pod: str) -> None:
    """Refuse to give fewer than no lines, or no bytes at all."""
    wrong = []
    if (lines := int(call.query.get("tailLines") or 0)) < 0:
        wrong.append((INVALID, f"Invalid value: {lines}: must be greater than or equal to 0", "tailLines"))
    if (size := int(call.query.get("limitBytes") or 1)) < 1:
        wrong.append((INVALID, f"Invalid value: {size}: must be greater than 0", "limitBytes"))
    if wrong:
        raise refusals.invalid("PodLogOptions", "", pod, wrong)


def _container(pod: Json, asked: str) -> str:
    """Name the container that is meant."""
    name = pod["metadata"]["name"]
    every = [one["name"] for key in ("initContainers", "containers") for one in pod["spec"].get(key) or []]
    if asked and asked not in every:
        raise refusals.bad_request(f"container {asked} is not valid for pod {name}")
    if not asked and len(pod["spec"]["containers"]) > 1:
        choice = " ".join(every)
        raise refusals.bad_request(
            f"a container name must be specified for pod {name}, choose one of: [{choice}]"
        )
    return asked or str(pod["spec"]["containers"][0]["name"])


def _check_begun(pod: Json, container: str, *, previous: bool) -> None:
    """Refuse the log of what never ran, in the words of the kubelet."""
    name = pod["metadata"]["name"]
    if not pod["spec"].get("nodeName"):
        raise refusals.bad_request(f"pod {name} does not have a host assigned")
    statuses = pod.get("status", {}).get("containerStatuses") or []
    status: Json = next((one for one in statuses if one["name"] == container), {})
    if previous and "terminated" not in (status.get("lastState") or {}):
        raise refusals.bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    waiting = (status.get("state") or {}).get("waiting") or {}
    if not previous and waiting and "terminated" not in (status.get("lastState") or {}):
        reason = waiting.get("reason") or "ContainerCreating"
        told = NO_IMAGE.get(reason, reason)
        raise refusals.bad_request(f'container "{container}" in pod "{name}" is waiting to start: {told}')


def _proxy(server: ApiServer, call: Call, at: Target) -> Later:
    """Ask a pod, named as `name`, `name:port` or `scheme:name:port`."""
    scheme, name, port = _split(at.name)
    pod = held(server.cluster.store, Target(at.resource, at.namespace, name))
    address = pod.get("status", {}).get("podIP")
    if not address:
        raise refusals.bad_request("address not allowed")
    if port and not port.isdigit():
        raise refusals.unavailable(
            f"error trying to reach service: dial tcp: lookup tcp/{port}: unknown port"
        )
    number = int(port or _first_port(pod))
    path = f"/{at.rest}" + (f"?{urlencode(call.query)}" if call.query else "")
    runtime = server.runtime

    def asked() -> Answer:
        if runtime is None or (call.method != "GET" and scheme == "https"):
            said = None
        elif call.method == "GET":
            said = runtime.ask(pod, number, path, scheme or "http", PROXY_SECONDS)
        else:
            said = runtime.tell(pod, number, path, call.body, PROXY_SECONDS)
        if said is None:
            why = f"dial tcp {address}:{number}: connect: connection refused"
            return refusals.unavailable(f"error trying to reach service: {why}").answer()
        status, body, kind = said
        return Answer(status, body, {"Content-Type": kind} if kind else {})

    return Later(asked)


def _split(text: str) -> tuple[str, str, str]:
    parts = text.split(":")
    if len(parts) == 1:
        return "", parts[0], ""
    if len(parts) == 2:
        return "", parts[0], parts[1]
    if len(parts) == 3 and parts[0] in SCHEMES:
        return parts[0], parts[1], parts[2]
    raise refusals.bad_request(f'invalid pod request "{text}"')


def _first_port(pod: Json) -> int:
    ports = (port for one in pod["spec"]["containers"] for port in one.get("ports") or [])
    return int(next(ports, {"containerPort": 80})["containerPort"])
