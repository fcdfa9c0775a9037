"""The network namespace that the node, its pods and its Services live in."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.bed.layout import NAME, BedError
from tests.cluster.bed.say import say

PATH = Path("/run/netns") / NAME
ADDRESS = "10.210.0.1"
_CLONE_NEWNET = 0x40000000
_BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
# A veth pair and not a dummy device, which not every kernel has.
_LINKS = f"""
link set lo up
link add node0 type veth peer name node0p
addr add {ADDRESS}/16 dev node0
link set node0 up
link set node0p up
route add default dev node0
"""


def create() -> None:
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    subprocess.run(["ip", "-n", NAME, "-batch", "-"], input=_LINKS, text=True, check=True)


def enter(at: Path = PATH) -> None:
    """Move this thread in, as `ip netns exec` would, which however remounts /sys and hides the cgroups."""
    libc = ctypes.CDLL(None, use_errno=True)
    with at.open() as namespace:
        if libc.setns(namespace.fileno(), _CLONE_NEWNET):
            raise BedError(f"cannot enter {at}: {os.strerror(ctypes.get_errno())}")


@contextmanager
def inside() -> Iterator[None]:
    """Be in there for a while, with this thread and with what it starts meanwhile."""
    with Path("/proc/thread-self/ns/net").open() as home:
        enter()
        try:
            yield
        finally:
            enter(Path(f"/proc/self/fd/{home.fileno()}"))


def forward() -> None:
    """Let pods reach Services; call it inside: these switches are one namespace's."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    if not _BRIDGED.exists() and shutil.which("modprobe"):
        subprocess.run(["modprobe", "br_netfilter"], check=False)
    if _BRIDGED.exists():
        _BRIDGED.write_text("1")
        return
    say("the kernel has no br_netfilter: pods will not reach Services whose pods are on the same bridge")


def delete() -> None:
    if PATH.exists():
        subprocess.run(["ip", "netns", "del", NAME], check=True)
