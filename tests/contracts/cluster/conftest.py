"""The real cluster, for those probes that ask it."""

from __future__ import annotations

from tests.cluster.conftest import cluster

__all__ = ["cluster"]
