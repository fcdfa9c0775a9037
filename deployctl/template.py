"""The pod template that is released: chosen, completed, and told apart from others by its digest."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from deployctl.errors import UsageError
from deployctl.workload import HASH

Json = dict[str, Any]
MOST_DIGESTS = 512
# By the template's identity: what a look shows is never changed in place.
_digests: dict[int, tuple[Json, str]] = {}
RESTARTED = "kubectl.kubernetes.io/restartedAt"


def digest(template: Json) -> str:
    """Name a template: equal templates of a Deployment and its ReplicaSets have one digest.

    The label pod-template-hash is the ReplicaSet's own addition and does not count, nor does a ControllerRevision's
    `$patch: replace`, nor the `creationTimestamp: null` that API servers wrote until 1.33.
    """
    known = _digests.get(id(template))
    if known is None or known[0] is not template:
        if len(_digests) >= MOST_DIGESTS:
            _digests.clear()
        known = _digests[id(template)] = (template, _digest(template))
    return known[1]


def _digest(template: Json) -> str:
    text = json.dumps(bare(template), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def bare(template: Json) -> Json:
    """Give a ReplicaSet's template as its Deployment's, without the hash; and a ControllerRevision's without `$patch`."""
    if "$patch" in template:
        template = {key: one for key, one in template.items() if key != "$patch"}
    meta = {key: one for key, one in (template.get("metadata") or {}).items() if key != "creationTimestamp"}
    if HASH in (meta.get("labels") or {}):
        meta["labels"] = {key: one for key, one in meta["labels"].items() if key != HASH}
    return {**template, "metadata": meta} if "metadata" in template else template


def with_images(template: Json, images: Mapping[str, str]) -> Json:
    """Set images by container name; the name "" means the only container."""
    changed = copy.deepcopy(template)
    containers = changed["spec"]["containers"]
    for name, image in images.items():
        _container(containers, name)["image"] = image
    return changed


def _container(containers: list[Json], name: str) -> Json:
    names = ", ".join(one["name"] for one in containers)
    if not name and len(containers) > 1:
        raise UsageError(f"--image needs CONTAINER=REF: the pod has several containers: {names}")
    found = [one for one in containers if name in ("", one["name"])]
    if not found:
        raise UsageError(f"--image {name}=...: no such container; expected one of {names}")
    return found[0]


def restarted(template: Json, at: str) -> Json:
    """Mark a template as kubectl rollout restart does, so that equal pods are made anew."""
    changed = copy.deepcopy(template)
    changed.setdefault("metadata", {}).setdefault("annotations", {})[RESTARTED] = at
    return changed


def restarted_at(template: Json) -> str:
    """Give the time that marks a template as restarted, if it is."""
    return str((template.get("metadata", {}).get("annotations") or {}).get(RESTARTED, ""))


def with_pre_stop(template: Json, seconds: int) -> Json:
    """Add a native `preStop.sleep` to every container that has no preStop.

    Endpoint removal and SIGTERM start together, so an app that exits at once would drop requests.
    https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
    """
    changed = copy.deepcopy(template)
    for container in lacking_pre_stop(changed):
        container.setdefault("lifecycle", {})["preStop"] = {"sleep": {"seconds": seconds}}
    return changed


def lacking_pre_stop(template: Json) -> list[Json]:
    return [one for one in template["spec"]["containers"] if "preStop" not in (one.get("lifecycle") or {})]


def lingers(template: Json, seconds: float) -> bool:
    """Say whether every container sleeps at least this long between being told to go and SIGTERM."""
    return all(_sleep(one) >= seconds for one in template["spec"]["containers"])


def _sleep(container: Json) -> float:
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    return float((hook.get("sleep") or {}).get("seconds", 0))


def images(template: Json) -> dict[str, str]:
    return {one["name"]: one["image"] for one in template["spec"]["containers"]}
