"""What the server fills in of a pod: its spec, its containers, its volumes."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]
MODES = {"secret": 0o644, "configMap": 0o644, "downwardAPI": 0o644, "projected": 0o644}
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
REFERENCE = re.compile(
    r"(?:(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)(?::\d+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::(?P<tag>\w[\w.-]{0,127}))?(?P<digest>@\w[\w.+-]*:[0-9a-fA-F]{32,})?"
)


def containers(spec: Json) -> list[Json]:
    """Give the containers of a pod, the ones that begin it last."""
    return [*(spec["containers"] or []), *spec.get("initContainers", [])]


def pod_spec(spec: Json) -> None:
    """Fill in what a pod is made of."""
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("schedulerName", "default-scheduler")
    if "serviceAccountName" in spec or "serviceAccount" in spec:  # two names of one field
        name = spec.get("serviceAccountName") or spec["serviceAccount"]
        spec["serviceAccountName"] = spec["serviceAccount"] = name
    for container in [*containers(spec), *spec.get("ephemeralContainers", [])]:
        _container(container)
    for volume in spec.get("volumes", []):
        _volume(volume)


def _container(one: Json) -> None:
    one.setdefault("imagePullPolicy", _pull_policy(one.get("image", "")))
    one.setdefault("terminationMessagePath", "/dev/termination-log")
    one.setdefault("terminationMessagePolicy", "File")
    for port in one.get("ports", []):
        port.setdefault("protocol", "TCP")
    for env in one.get("env", []):
        _field_ref(env.get("valueFrom", {}))
    for name in PROBES:
        if name in one:
            _probe(one[name])
    for hook in one.get("lifecycle", {}).values():
        _action(hook)


def _pull_policy(image: str) -> str:
    """Tell how an image without a policy is pulled: `latest` and one without a tag always."""
    found = REFERENCE.fullmatch(image)
    latest = found and (found["tag"] == "latest" or not (found["tag"] or found["digest"]))
    return "Always" if latest else "IfNotPresent"


def _field_ref(source: Json) -> None:
    if "fieldRef" in source:
        source["fieldRef"].setdefault("apiVersion", "v1")


def _probe(one: Json) -> None:
    one.setdefault("timeoutSeconds", 1)
    one.setdefault("periodSeconds", 10)
    one.setdefault("successThreshold", 1)
    one.setdefault("failureThreshold", 3)
    _action(one)


def _action(one: Any) -> None:
    if not isinstance(one, dict):
        return
    if "httpGet" in one:
        one["httpGet"].setdefault("path", "/")
        one["httpGet"].setdefault("scheme", "HTTP")
    if "grpc" in one:
        one["grpc"]["service"] = one["grpc"].get("service") or ""


def _volume(one: Json) -> None:
    if one.keys() == {"name"}:
        one["emptyDir"] = {}
    for name, mode in MODES.items():
        if name in one:
            one[name].setdefault("defaultMode", mode)
    if "hostPath" in one:
        one["hostPath"].setdefault("type", "")
    if "image" in one:
        one["image"].setdefault("pullPolicy", _pull_policy(one["image"].get("reference", "")))
    for item in one.get("downwardAPI", {}).get("items", []):
        _field_ref(item)
    for source in one.get("projected", {}).get("sources") or []:
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)
        for item in source.get("downwardAPI", {}).get("items", []):
            _field_ref(item)
