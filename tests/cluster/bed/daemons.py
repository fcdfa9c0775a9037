"""The parts of the cluster: their flags, starting them, and telling whether one lives."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from string import Template

from tests.cluster.bed import cgroup, priority
from tests.cluster.bed.layout import Layout

_FLAGS = {
    "containerd": "containerd --config $state/containerd.toml",
    # Without fsync: a test cluster's data need not survive the machine.
    "etcd": """$binary etcd --data-dir $state/etcd --unsafe-no-fsync
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379
        --listen-peer-urls http://127.0.0.1:2380""",
    "apiserver": """$binary kube-apiserver --etcd-servers http://127.0.0.1:2379 --allow-privileged
        --bind-address 0.0.0.0 --advertise-address 10.210.0.1
        --kubelet-preferred-address-types InternalIP --service-cluster-ip-range 10.96.0.0/16
        --tls-cert-file $state/pki/server.crt --tls-private-key-file $state/pki/server.key
        --cert-dir $state/pki --client-ca-file $state/pki/ca.crt --token-auth-file $state/tokens.csv
        --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction
        --service-account-issuer https://kubernetes.default.svc
        --service-account-key-file $state/pki/sa.key --service-account-signing-key-file $state/pki/sa.key
        --requestheader-client-ca-file $state/pki/aggregator-ca.crt
        --requestheader-allowed-names aggregator --requestheader-username-headers X-Remote-User
        --requestheader-group-headers X-Remote-Group --requestheader-extra-headers-prefix X-Remote-Extra-
        --proxy-client-cert-file $state/pki/aggregator.crt
        --proxy-client-key-file $state/pki/aggregator.key""",
    "controllers": """$binary kube-controller-manager --kubeconfig $state/kubeconfigs/controllers
        --leader-elect=false --use-service-account-credentials --root-ca-file $state/pki/ca.crt
        --service-account-private-key-file $state/pki/sa.key
        --allocate-node-cidrs --cluster-cidr 10.244.0.0/16 --horizontal-pod-autoscaler-sync-period=5s""",
    "scheduler": """$binary kube-scheduler --kubeconfig $state/kubeconfigs/scheduler
        --leader-elect=false""",
    "kubelet": """$binary kubelet --kubeconfig $state/kubeconfigs/kubelet --config $state/kubelet.yaml
        --root-dir $state/kubelet --cert-dir $state/kubelet/pki
        --hostname-override node0 --node-ip 10.210.0.1""",
    "proxy": """$binary kube-proxy --kubeconfig $state/kubeconfigs/proxy --proxy-mode iptables
        --cluster-cidr 10.244.0.0/16 --hostname-override node0 --conntrack-max-per-core 0""",
}
PARTS = tuple(_FLAGS)
_BESIDES = {  # which `up` does not start
    "metrics": """$cache/bin/metrics-server-0.9.0 --kubeconfig $state/kubeconfigs/admin
        --authentication-kubeconfig $state/kubeconfigs/admin --authorization-kubeconfig $state/kubeconfigs/admin
        --kubelet-insecure-tls --kubelet-preferred-address-types InternalIP --cert-dir $state/metrics
        --secure-port 4443 --metric-resolution 10s --kubelet-request-timeout 5s""",
}


def command(at: Layout, part: str) -> list[str]:
    paths = {"state": at.state, "binary": at.binary, "cache": at.cache}
    words = {name: shlex.quote(str(one)) for name, one in paths.items()}
    return shlex.split(Template({**_FLAGS, **_BESIDES}[part]).substitute(words))


def _pid_file(at: Layout, part: str) -> Path:
    return at.state / f"{part}.pid"


def _become(part: str) -> None:
    """Join the bed, ahead of what tests it: all but containerd, whose place every pod would inherit."""
    cgroup.join()
    if part != "containerd":
        priority.ahead()


def start(at: Layout, part: str) -> None:
    """Start it in the network namespace of the caller and the bed's cgroup."""
    with at.log(part).open("wb") as log:
        child = subprocess.Popen(
            command(at, part),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=partial(_become, part),  # noqa: PLW1509 - one thread, and no child is born outside
        )
    _pid_file(at, part).write_text(str(child.pid))


def kill(at: Layout, part: str, number: signal.Signals = signal.SIGKILL) -> None:
    """Signal one part, if it is ours and alive; of a killed one wait for the end."""
    if not alive(at, part):
        return
    os.kill(int(_pid_file(at, part).read_text()), number)
    while number is signal.SIGKILL and alive(at, part):
        time.sleep(0.02)


def alive(at: Layout, part: str) -> bool:
    """Tell whether the recorded pid still is this part: pids are recycled, and a zombie has no command line."""
    try:
        pid = _pid_file(at, part).read_text()
        return os.fsencode(at.state) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def last_lines(at: Layout, part: str, count: int = 15) -> str:
    lines = at.log(part).read_text(errors="replace").splitlines() if at.log(part).exists() else []
    return "\n".join([f"the last lines of {at.log(part)}:", *lines[-count:]])
