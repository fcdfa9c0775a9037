"""Where a path of the API leads: to which resource, object and subresource."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from deployctl.sandbox.resources import RESOURCES, Resource

PLACES = {(one.group, one.version, one.name): one for one in RESOURCES}
GROUP_VERSIONS = {(one.group, one.version) for one in RESOURCES}


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names; `rest` is what follows the name of a subresource (pods/proxy)."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    sub: str = ""
    rest: str = ""

    @property
    def whole(self) -> str:
        """Name the resource as rules do: `pods`, `pods/log`."""
        return f"{self.resource.name}/{self.sub}" if self.sub else self.resource.name


@lru_cache(maxsize=4096)
def target(path: str) -> Target | None:
    """Read a path under /api/v1 or /apis/group/version; None where it names no resource that is served."""
    parts = path.split("/")[1:]
    if parts[0] == "api":
        group, version, found = "", "".join(parts[1:2]), parts[2:]
    else:
        group, version, found = "".join(parts[1:2]), "".join(parts[2:3]), parts[3:]
    namespace = ""
    if len(found) > 2 and found[0] == "namespaces" and (group or found[2] not in {"status", "finalize"}):
        namespace, found = found[1], found[2:]
    return _named(PLACES.get((group, version, "".join(found[:1]))), namespace, found[1:])


def _named(resource: Resource | None, namespace: str, parts: list[str]) -> Target | None:
    name, sub = "".join(parts[:1]), "".join(parts[1:2])
    if resource is None or (namespace and not resource.namespaced):
        return None
    if name and resource.namespaced and not namespace:
        return None
    if sub and sub not in resource.subresources:
        return None
    if len(parts) > 2 and sub != "proxy":
        return None
    return Target(resource, namespace, name, sub, "/".join(parts[2:]))


def known(path: str) -> bool:
    """Say whether a path lies in a group and version that is served, whatever its resource."""
    parts = path.split("/")[1:]
    if parts[0] == "api":
        return parts[1:2] == ["v1"]
    return tuple(parts[1:3]) in GROUP_VERSIONS
