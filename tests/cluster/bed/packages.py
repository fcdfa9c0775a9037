"""Sees to the programs that the bed needs from Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.bed.layout import BedError
from tests.cluster.bed.say import say

_PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ipset": "ipset",
    "socat": "socat",
    "ip": "iproute2",
    "openssl": "openssl",
    "nsenter": "util-linux",
    "mount": "mount",
    "modprobe": "kmod",
}
_QUIET = ("-qq", "-o", "Dpkg::Use-Pty=0")


def widen_path() -> None:
    """Find what root's PATH may lack: the programs of `sbin`, and Go where its archive puts it."""
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin"


def _missing() -> list[str]:
    return [package for program, package in _PROGRAMS.items() if not _has(program)]


def _has(program: str) -> bool:
    return Path(program).exists() or shutil.which(program) is not None


def apt(*args: str, cwd: Path | None = None) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", *_QUIET, *args], cwd=cwd, env=quiet, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BedError(f"apt-get {' '.join(args)}: {(done.stderr or done.stdout).strip()}")


def ensure() -> None:
    """Install what is missing; where that cannot be, say the command that would."""
    missing = _missing()
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise BedError(f"missing here, and there is no apt-get to install it: {' '.join(missing)}")
    say(f"installing {' '.join(missing)}")
    apt("update")
    apt("install", "-y", "--no-install-recommends", *missing)
    if _missing():
        raise BedError(f"apt-get install {' '.join(_missing())} brought no such program")


def require_root() -> None:
    if os.geteuid() != 0:
        raise BedError(
            "the bed makes network namespaces and cgroups: run it as root; it needs\n"
            f"  apt-get install --no-install-recommends {' '.join(_PROGRAMS.values())}"
        )
