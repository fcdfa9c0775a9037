"""Builds etcd and Kubernetes into one binary from the Go modules: five minutes on two cores, then cached."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cluster.bed.layout import HERE, BedError, Layout
from tests.cluster.bed.say import say

_SUPPORTED = re.compile(r"1\.(3[1-5])\.\d+")


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "CGO_ENABLED": "0"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BedError(f"{' '.join(command[:3])}: {done.stderr[-4000:].strip()}")


def _minor(version: str) -> str:
    if not (found := _SUPPORTED.fullmatch(version)):
        raise BedError(f"VERSION={version}: expected a full version from 1.31.0 to 1.35.x, such as 1.35.4")
    return found[1]


def require_go() -> None:
    if not shutil.which("go"):
        raise BedError("no `go` on the PATH: install Go 1.25 or newer; it builds Kubernetes once")


def go_build(source: Path, target: Path, flags: str = "-s -w") -> None:
    """Build beside the target, then rename: an interrupted build leaves nothing that looks finished."""
    unfinished = target.with_name(target.name + ".building")
    _run("go", "build", "-trimpath", "-ldflags", flags, "-o", str(unfinished), ".", cwd=source)
    unfinished.rename(target)


def ensure(at: Layout) -> None:
    """Build this version once; `k8s.io/kubernetes` states every other module's version, so it is the same everywhere."""
    minor = _minor(at.version)
    if at.binary.exists():
        return
    require_go()
    at.binary.parent.mkdir(parents=True, exist_ok=True)
    say(f"building Kubernetes {at.version} (about five minutes, once)")
    with tempfile.TemporaryDirectory(prefix="build-", dir=at.cache) as folder:
        build = Path(folder)
        shutil.copy(HERE / "main.go", build)
        _run(sys.executable, str(HERE / "gomod.py"), at.version, cwd=build)
        _run("go", "mod", "tidy", cwd=build)
        settings = {"gitVersion": f"v{at.version}", "gitMajor": "1", "gitMinor": minor}
        flags = [f"-X k8s.io/component-base/version.{key}={value}" for key, value in settings.items()]
        go_build(build, at.binary, " ".join(["-s -w", *flags]))
    say(f"built {at.binary}")
