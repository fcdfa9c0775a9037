"""Where the objects that we speak of live in the API."""

from __future__ import annotations

CORE = "/api/v1"
APPS = "/apis/apps/v1"
DISCOVERY = "/apis/discovery.k8s.io/v1"
COORDINATION = "/apis/coordination.k8s.io/v1"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"
AUTOSCALING = "/apis/autoscaling/v2"
POLICY = "/apis/policy/v1"
KEDA = "/apis/keda.sh/v1alpha1"

GROUPS = {
    "pods": CORE,
    "services": CORE,
    "configmaps": CORE,
    "secrets": CORE,
    "events": CORE,
    "resourcequotas": CORE,
    "deployments": APPS,
    "replicasets": APPS,
    "statefulsets": APPS,
    "controllerrevisions": APPS,
    "endpointslices": DISCOVERY,
    "leases": COORDINATION,
    "horizontalpodautoscalers": AUTOSCALING,
    "poddisruptionbudgets": POLICY,
    "scaledobjects": KEDA,
}


def path(namespace: str, resource: str, *rest: str) -> str:
    """Build the path of a collection or, with more parts, of an object in it."""
    return "/".join((GROUPS[resource], "namespaces", namespace, resource, *rest))
