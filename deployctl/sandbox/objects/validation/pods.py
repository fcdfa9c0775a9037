"""Pods, and the templates of them."""

from __future__ import annotations

import json
import re
from difflib import unified_diff
from typing import Any

from deployctl.sandbox.objects.validation.containers import containers, init_containers
from deployctl.sandbox.objects.validation.metadata import labels
from deployctl.sandbox.objects.validation.syntax import between, dns_label, subdomain
from deployctl.sandbox.objects.validation.words import (
    Causes,
    duplicate,
    each,
    forbidden,
    invalid,
    required,
    unsupported,
)

Json = dict[str, Any]

RESTARTS = ("Always", "OnFailure", "Never")
DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
COST = "controller.kubernetes.io/pod-deletion-cost"
MOST = 2**31 - 1
NUMBER = re.compile(r"0|-?[1-9]\d*")
OPEN = (  # what an update of a pod may change
    "`spec.containers[*].image`",
    "`spec.initContainers[*].image`",
    "`spec.activeDeadlineSeconds`",
    "`spec.tolerations` (only additions to existing tolerations)",
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
)


def pod(one: Json, before: Json | None) -> Causes:
    """Check a pod."""
    for _ in range(2 if before else 1):  # an update tells it twice
        yield from deletion_cost(one["metadata"], "metadata.annotations")
    if before and before["spec"] == one["spec"]:
        return
    yield from pod_spec(one["spec"], "spec")
    for kind in ("containers", "initContainers"):
        for at, container in enumerate(one["spec"].get(kind) or []):
            image = container.get("image", "")
            if image != image.strip():
                told = "must not have leading or trailing whitespace"
                yield invalid(f"spec.{kind}[{at}].image", image, told)
    if before:
        yield from _changed(one["spec"], before["spec"])


def deletion_cost(meta: Json, field: str) -> Causes:
    cost = (meta.get("annotations") or {}).get(COST)
    if cost is not None and not (NUMBER.fullmatch(cost) and abs(int(cost)) <= MOST):
        yield invalid(f"{field}[{COST}]", cost, "must be a 32bit integer")


def _changed(spec: Json, before: Json) -> Causes:
    for kind in ("containers", "initContainers"):
        if len(spec.get(kind) or []) != len(before.get(kind) or []):
            yield forbidden(f"spec.{kind}", "pod updates may not add or remove containers")
            return
    if "activeDeadlineSeconds" in before and "activeDeadlineSeconds" not in spec:
        yield invalid(
            "spec.activeDeadlineSeconds", None, "must not update from a positive integer to nil value"
        )
    added = spec.get("tolerations") or []
    if any(one not in added for one in before.get("tolerations") or []):
        yield forbidden(
            "spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"
        )
    if _closed(spec) != _closed(before):
        told = f"pod updates may not change fields other than {','.join(OPEN)}\n{_difference(before, spec)}"
        yield forbidden("spec", told)


def _closed(spec: Json) -> Json:
    """Give what must stay of a pod's spec."""
    kept = {key: value for key, value in spec.items() if key not in {"activeDeadlineSeconds", "tolerations"}}
    for kind in ("containers", "initContainers"):
        kept[kind] = [{**one, "image": ""} for one in spec.get(kind) or []]
    return kept


def _difference(before: Json, spec: Json) -> str:
    """Show the lines that differ; the server shows those of its own Go types here."""
    old, new = (json.dumps(one, indent=1, sort_keys=True).splitlines() for one in (before, spec))
    return "\n".join([*unified_diff(old, new, lineterm="")][2:]) + "\n"


def pod_spec(spec: Json, field: str) -> Causes:
    """Check what a pod is made of."""
    if spec.get("terminationGracePeriodSeconds") is None:
        yield required(f"{field}.terminationGracePeriodSeconds")
    known: set[str] = set()
    for at, volume in enumerate(spec.get("volumes") or []):
        wrong = list(_volume(volume, known, f"{field}.volumes[{at}]"))
        yield from wrong
        known |= set() if wrong else {volume["name"]}
    yield from containers(spec, known, f"{field}.containers")
    yield from init_containers(spec, known, f"{field}.initContainers")
    yield from _chosen(spec.get("restartPolicy", ""), RESTARTS, f"{field}.restartPolicy")
    yield from _chosen(spec.get("dnsPolicy", ""), DNS, f"{field}.dnsPolicy")
    yield from labels(spec.get("nodeSelector"), f"{field}.nodeSelector")
    for key in ("serviceAccountName", "nodeName"):
        yield from each(f"{field}.{key}", spec.get(key), subdomain(spec[key]) if spec.get(key) else ())
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= MOST:
        yield invalid(f"{field}.activeDeadlineSeconds", deadline, between(1, MOST))
    for key in ("hostname", "subdomain"):
        yield from each(f"{field}.{key}", spec.get(key), dns_label(spec[key]) if spec.get(key) else ())


def _chosen(value: str, known: tuple[str, ...], field: str) -> Causes:
    if not value:
        yield required(field)
    elif value not in known:
        yield unsupported(field, value, known)


def _volume(one: Json, seen: set[str], field: str) -> Causes:
    name, sources = one.get("name", ""), [key for key in one if key != "name"]
    for extra in sources[1:]:
        yield forbidden(f"{field}.{extra}", "may not specify more than 1 volume type")
    if not sources:
        yield required(field, "must specify a volume type")
    if not name:
        yield required(f"{field}.name")
    else:
        yield from each(f"{field}.name", name, dns_label(name))
    if name in seen:
        yield duplicate(f"{field}.name", name)
