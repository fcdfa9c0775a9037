"""Where the test bed keeps its things, all of them outside the tree."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

NAME = "deployctl-test"
NODE = "node0"
HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]


class BedError(Exception):
    """What a person must put right, and how."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The cache outlives clusters; the state is one cluster's and goes with it."""

    cache: Path
    version: str

    @property
    def binary(self) -> Path:
        return self.cache / "bin" / f"cluster-{self.version}"

    @property
    def images(self) -> Path:
        return self.cache / "images"

    @property
    def state(self) -> Path:
        return self.cache / NAME

    @property
    def containerd(self) -> Path:
        return self.state / "containerd.sock"

    def kubeconfig(self, name: str) -> Path:
        return self.state / "kubeconfigs" / name

    def log(self, part: str) -> Path:
        return self.state / "logs" / f"{part}.log"


def layout() -> Layout:
    """CLUSTER_CACHE moves the cache, VERSION picks another Kubernetes."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(os.environ.get("CLUSTER_CACHE") or Path(home) / "deployctl-cluster")
    return Layout(cache.resolve(), os.environ.get("VERSION") or "1.35.4")
