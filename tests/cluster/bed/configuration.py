"""Writes what the parts of the cluster read: certificates, users, settings."""

from __future__ import annotations

from string import Template

from tests.cluster.bed import certificates
from tests.cluster.bed.layout import HERE, Layout
from tests.cluster.bed.users import USERS, User


def _fill(at: Layout, template: str, target: str, **words: str) -> None:
    text = Template((HERE / "etc" / template).read_text()).substitute(state=at.state, **words)
    (at.state / target).parent.mkdir(parents=True, exist_ok=True)
    (at.state / target).write_text(text)


def _write_user(at: Layout, user: User) -> None:
    _fill(at, "kubeconfig.yaml", f"kubeconfigs/{user.name}", user=user.user, token=user.token)


def write(at: Layout) -> None:
    """Write every file that a part of the cluster reads."""
    for folder in ("logs", "bin", "pod-logs"):
        (at.state / folder).mkdir(parents=True)
    certificates.make(at)
    _fill(at, "kubelet.yaml", "kubelet.yaml")
    _fill(at, "containerd.toml", "containerd.toml")
    _fill(at, "pods.conflist", "cni/10-pods.conflist")
    for user in USERS.values():
        _write_user(at, user)
    (at.state / "tokens.csv").write_text("".join(f"{user.line}\n" for user in USERS.values()))
    kubectl = at.state / "bin" / "kubectl"
    kubectl.write_text(f'#!/bin/sh\nexec "{at.binary}" kubectl "$@"\n')
    kubectl.chmod(0o755)
