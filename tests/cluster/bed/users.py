"""Who the API server knows, each by the token `NAME-token`; all but admin and the parts have no rights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """A line of the token file: what a kubeconfig calls it, what Kubernetes calls it, its groups."""

    name: str
    user: str
    groups: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        return f"{self.name}-token"

    @property
    def line(self) -> str:
        return f'{self.token},{self.user},{self.name},"{",".join(self.groups)}"'


_PEOPLE = (
    User("admin", "admin", ("system:masters",)),
    User("releaser", "releaser", ("releasers",)),
    User("viewer", "viewer"),
    *(User(f"user{number}", f"user{number}") for number in range(1, 6)),
)
_PARTS = (
    User("controllers", "system:kube-controller-manager"),
    User("scheduler", "system:kube-scheduler"),
    User("kubelet", "system:node:node0", ("system:nodes",)),
    User("proxy", "system:kube-proxy"),
)
USERS = {user.name: user for user in (*_PEOPLE, *_PARTS)}
