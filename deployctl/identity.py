"""Which cluster this is, as far as we may know.

The UID of the namespace kube-system names a cluster for ever; the least Role may not read it. Beside it stands
a digest of the API server's certificate authority, or of its address where that is nobody's own.
"""

from __future__ import annotations

import msgspec

from deployctl.cluster.api import Api, Denied

NAMED_BY = "/api/v1/namespaces/kube-system"


class Cluster(msgspec.Struct, frozen=True, omit_defaults=True):
    """`uid` of the namespace kube-system, empty where it may not be read; `server` is a digest."""

    uid: str = ""
    server: str = ""


def uid_of(api: Api) -> str:
    """Read the UID of the namespace kube-system, which no two clusters share; raise Denied where we may not."""
    return str(api.get(NAMED_BY)["metadata"]["uid"])


def cluster_of(api: Api) -> Cluster:
    """Name the cluster; who may not read kube-system knows it by its server alone."""
    try:
        return Cluster(uid_of(api), api.authority)
    except Denied as error:
        if error.status != 403:
            raise
        return Cluster(server=api.authority)
