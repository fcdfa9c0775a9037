"""One cgroup holds every process of the bed, pods too: who is in it is ours, whatever its pid was before."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.cluster.bed.layout import NAME, BedError

_ROOT = Path("/sys/fs/cgroup")
_TAGS = ("pids", "memory")  # version 1: the hierarchies whose membership marks a daemon as ours


def unified() -> bool:
    """Cgroups version 2: one hierarchy instead of one for each controller."""
    return (_ROOT / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    if unified():
        return [_ROOT]
    mounted = [path for path in _ROOT.iterdir() if not path.is_symlink() and path.name != "unified"]
    return [path for path in mounted if (path / "cgroup.procs").exists()]


def _enable_controllers(parent: Path) -> None:
    for controller in (parent / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):  # the kubelet names the one it misses
            (parent / "cgroup.subtree_control").write_text(f"+{controller}")


def _inherit_cpuset(group: Path) -> None:
    for file in ("cpuset.mems", "cpuset.cpus"):
        if (group / file).exists() and not (group / file).read_text().strip():
            (group / file).write_text((group.parent / file).read_text())


def _create_in(hierarchy: Path) -> None:
    group = hierarchy / NAME
    (group / "bed").mkdir(parents=True, exist_ok=True)
    if unified():
        _enable_controllers(hierarchy)
        _enable_controllers(group)
        return
    _inherit_cpuset(group)
    _inherit_cpuset(group / "bed")
    if (group / "cpu.shares").exists():  # as much of the machine as the pods of a node of its own have
        (group / "cpu.shares").write_text(str(1024 * (os.cpu_count() or 1)))


def create() -> None:
    """Make the group in every hierarchy, as the kubelet's `cgroupRoot` must exist before it starts."""
    if not _hierarchies():
        raise BedError(f"no cgroups are mounted under {_ROOT}: a kubelet cannot run here")
    try:
        for hierarchy in _hierarchies():
            _create_in(hierarchy)
    except OSError as error:
        raise BedError(f"cgroups cannot be written ({error}): run where root owns {_ROOT}") from error


def join() -> None:
    """Put the calling process, and all that it will start, into the bed's group."""
    for hierarchy in _hierarchies():
        if unified() or hierarchy.name in _TAGS:
            (hierarchy / NAME / "bed" / "cgroup.procs").write_text("0")


def members() -> set[int]:
    """Give the pids of every process that the bed started and that is still alive."""
    found: set[int] = set()
    for hierarchy in _hierarchies():
        for group, _, _ in os.walk(hierarchy / NAME):  # which passes over a pod that leaves meanwhile
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in Path(group, "cgroup.procs").read_text().split()}
    return found - {0}


def kill_all(within_seconds: float = 15.0) -> None:
    """Kill every member; again, as long as one that was being born meanwhile is left."""
    deadline = time.monotonic() + within_seconds
    while (left := members()) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    if left:
        raise BedError(f"these processes do not die: {sorted(left)}; a reboot ends them")


def remove() -> None:
    """Remove the empty groups, children first."""
    for top in [_ROOT / NAME, *_ROOT.glob(f"*/{NAME}")]:
        groups = [path for path in top.rglob("*") if path.is_dir()]
        for group in [*sorted(groups, reverse=True), top]:
            with contextlib.suppress(OSError):  # busy for a moment: `create` takes it as it is
                group.rmdir()
