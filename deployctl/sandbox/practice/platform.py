"""The example platform: where its files lie, and its objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from deployctl.sandbox.resources import BY_KIND, Resource

Json = dict[str, Any]
NAMESPACE = "igaming"
SERVICES = ("balances", "game-sessions")
LAST = "kubectl.kubernetes.io/last-applied-configuration"
MANIFESTS = ("deployment.yaml", "service.yaml", "pdb.yaml")


def example(name: str = "") -> Path:
    """Find a file of the example platform: in the installed package, or in a checkout beside it."""
    package = Path(str(files("deployctl")))
    folders = (place / "manifests" / "igaming" for place in (package, package.parent))
    return next(folder for folder in folders if folder.is_dir()) / name


def objects(pods: int | None = None) -> Iterator[Json]:
    """Read the platform's objects; the Deployments with so many pods."""
    import yaml

    for service in SERVICES:
        for name in MANIFESTS:
            one: Json = yaml.safe_load(example(f"{service}/{name}").read_text())
            if pods and one["kind"] == "Deployment":
                one["spec"]["replicas"] = pods
            yield {**one, "metadata": {**one["metadata"], "namespace": NAMESPACE}}


def resource_of(one: Json) -> Resource | None:
    """Give the resource of an object's kind and version; None where the sandbox serves none."""
    found = BY_KIND.get(one["kind"])
    return found if found and found.api_version == one["apiVersion"] else None


def remembering(one: Json) -> Json:
    """Give an object with the annotation by which the next apply knows what this one said."""
    meta = {**one["metadata"], "annotations": one["metadata"].get("annotations") or {}}
    said = json.dumps({**one, "metadata": meta}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {**one, "metadata": {**meta, "annotations": {**meta["annotations"], LAST: f"{said}\n"}}}


def where(one: Json) -> str:
    """Give the path under which an object's kind is created."""
    kind = BY_KIND[one["kind"]]
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    space = f"/namespaces/{one['metadata'].get('namespace', 'default')}" if kind.namespaced else ""
    return f"{root}{space}/{kind.name}"
