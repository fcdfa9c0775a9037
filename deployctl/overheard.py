"""Asks pods whether they consume for somebody who only looks: no pod is told anything.

Once for `status`, within a bound of time however many pods are mute; again and again for who follows a release.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from deployctl.cluster.proxy import Proxy
from deployctl.consumers import Consumers, Word
from deployctl.consumes import Consumes
from deployctl.gates.http import port_of
from deployctl.memory import Memory
from deployctl.observe import Snapshot, holders
from deployctl.repeated import AT_ONCE

Json = dict[str, Any]
AGAIN_SECONDS = 2.0  # also where nobody says: that may be ours, who may not ask
BOUND_SECONDS = 3.0  # nobody is asked later; the last answer may take its own time besides


class Overheard(Consumers):
    """What pods say, and nothing that they are told."""

    @property
    def pause_seconds(self) -> float:
        return AGAIN_SECONDS

    def said(self, pod: Json) -> Word:
        return self.asked(pod)


def listening(page: Consumes, proxy: Proxy, service: Json, wake: Callable[[], None]) -> Overheard:
    """Make what asks the pods behind a Service for the page."""
    return Overheard(page, proxy, _tells_nobody, partial(port_of, service=service, wanted=page.port), wake)


def _tells_nobody(pod: str, port: int, page: str, body: Mapping[str, Any], seconds: float) -> Any:
    raise NotImplementedError("who only looks tells no pod anything")


def may_consume(look: Snapshot, memory: Memory) -> tuple[Json, ...]:
    """List the pods of both sides that may consume."""
    return (*holders(look, memory.stable), *holders(look, memory.preview))


def asked_once(
    page: Consumes,
    proxy: Proxy,
    service: Json,
    pods: Iterable[Json],
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Word]:
    """Ask pods once, eight at a time, and give what each says by its UID; past the bound the rest is not asked."""
    asking, several, until = (
        listening(page, proxy, service, lambda: None),
        tuple(pods),
        clock() + BOUND_SECONDS,
    )

    def ask(pod: Json) -> Word:
        late = clock() >= until
        return Word(None, f"it was not asked within {BOUND_SECONDS:g}s") if late else asking.asked(pod)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        said = threads.map(ask, several)
        return {pod["metadata"]["uid"]: one for pod, one in zip(several, said, strict=True)}
