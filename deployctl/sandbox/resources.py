"""The kinds that the sandbox serves: where they live in the API and what can be done with them."""

from __future__ import annotations

from dataclasses import dataclass

CRUD = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
REVIEW = ("create",)


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind. `name` is its plural; `group` is empty for the core group."""

    name: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    verbs: tuple[str, ...] = CRUD
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    generation: bool = False  # metadata.generation counts the changes of its spec

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """Name it as messages of the API server do: `pods`, `deployments.apps`."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @property
    def singular(self) -> str:
        return self.kind.lower()


RESOURCES: tuple[Resource, ...] = (
    Resource(
        "namespaces",
        "Namespace",
        namespaced=False,
        verbs=tuple(verb for verb in CRUD if verb != "deletecollection"),
        short=("ns",),
        subresources=("status",),
    ),
    Resource("nodes", "Node", namespaced=False, short=("no",), subresources=("status",)),
    Resource(
        "pods",
        "Pod",
        short=("po",),
        categories=("all",),
        subresources=("status", "log", "proxy", "eviction"),
        generation=True,
    ),
    Resource("services", "Service", short=("svc",), categories=("all",), subresources=("status",)),
    Resource("configmaps", "ConfigMap", short=("cm",)),
    Resource("events", "Event", short=("ev",)),
    Resource("resourcequotas", "ResourceQuota", short=("quota",), subresources=("status",)),
    Resource(
        "deployments",
        "Deployment",
        "apps",
        short=("deploy",),
        categories=("all",),
        subresources=("status", "scale"),
        generation=True,
    ),
    Resource(
        "replicasets",
        "ReplicaSet",
        "apps",
        short=("rs",),
        categories=("all",),
        subresources=("status", "scale"),
        generation=True,
    ),
    Resource(
        "statefulsets",
        "StatefulSet",
        "apps",
        short=("sts",),
        categories=("all",),
        subresources=("status", "scale"),
        generation=True,
    ),
    Resource("controllerrevisions", "ControllerRevision", "apps"),
    Resource(
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        "autoscaling",
        "v2",
        short=("hpa",),
        categories=("all",),
        subresources=("status",),
    ),
    Resource(
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        "policy",
        short=("pdb",),
        subresources=("status",),
        generation=True,
    ),
    Resource("endpointslices", "EndpointSlice", "discovery.k8s.io", generation=True),
    Resource("leases", "Lease", "coordination.k8s.io"),
    Resource(
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        "authorization.k8s.io",
        namespaced=False,
        verbs=REVIEW,
    ),
    Resource(
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
        "authorization.k8s.io",
        namespaced=False,
        verbs=REVIEW,
    ),
)

BY_NAME = {one.name: one for one in RESOURCES}
BY_KIND = {one.kind: one for one in RESOURCES}
