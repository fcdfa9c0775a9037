"""Takes away what a cluster was, healthy, half dead or long gone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.cluster.bed import cgroup, network
from tests.cluster.bed.layout import NAME, BedError, Layout

DOWN = "python -m tests.cluster.bed down"


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def refuse_others(at: Layout) -> None:
    """Two beds on one machine would share the network namespace and the cgroup; other clusters are no concern."""
    for pid in cgroup.members():
        states = [word for word in _command_line(pid) if word.endswith(f"/{NAME}/kubelet")]
        if states and states != [str(at.state / "kubelet")]:
            cache = Path(states[0]).parents[1]
            raise BedError(
                f"the cluster of another cache is up; take it down first: CLUSTER_CACHE={cache} {DOWN}"
            )


def _mounts(at: Layout) -> list[str]:
    """List what is mounted in the state, the innermost first; the kernel writes a space in octal."""
    lines = Path("/proc/mounts").read_text().splitlines()
    paths = [line.split()[1].replace(r"\040", " ") for line in lines]
    return sorted((path for path in paths if path.startswith(f"{at.state}/")), reverse=True)


def _unmount(at: Layout) -> None:
    """Leave no mount: the removal of the state would go through it into somebody's files."""
    for path in _mounts(at):
        subprocess.run(["umount", "--lazy", path], check=False)
    if left := _mounts(at):
        raise BedError(f"still mounted: {' '.join(left)}; unmount that, then again")


def _forget(at: Layout) -> None:
    """Remove the few things that containerd and the kubelet keep outside the state."""
    results = Path("/var/lib/cni/results")
    for result in results.glob("deployctl-pods-*-eth0"):
        sandbox = result.name.removeprefix("deployctl-pods-").removesuffix("-eth0")
        (results / f"cni-loopback-{sandbox}-lo").unlink(missing_ok=True)
        result.unlink()
    for link in Path("/var/log/containers").glob("*.log"):
        if str(link.readlink()).startswith(f"{at.state}/"):
            link.unlink()


def sweep(at: Layout) -> None:
    """Take away whatever is left of a cluster, healthy, half dead or long gone; nothing is not an error."""
    cgroup.kill_all()
    _unmount(at)
    cgroup.remove()
    network.delete()
    _forget(at)
    if at.state.exists():
        shutil.rmtree(at.state)
