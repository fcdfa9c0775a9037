"""What a plan says of an app that consumes events, and what stands against beginning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from deployctl.cluster.api import Api
from deployctl.cluster.paths import path
from deployctl.cluster.proxy import posting, through
from deployctl.consumers import Consumers
from deployctl.consumes import Consumes
from deployctl.errors import UsageError
from deployctl.gates.http import port_of
from deployctl.observe import live, ready
from deployctl.repeated import AT_ONCE
from strategies.consuming import BACK_SECONDS
from strategies.quantities import duration

Json = dict[str, Any]


def told(consumes: Consumes | None) -> Iterator[str]:
    """Say who consumes when, and what holds the release or turns it round."""
    match consumes and consumes.mode:
        case "separateGroup" if consumes:
            yield from _apart(consumes)
        case "pauseUntilPromote" if consumes:
            yield from _paused(consumes)
        case "handOver" if consumes:
            yield from _handed_over(consumes)
        case _:
            return


def _apart(consumes: Consumes) -> Iterator[str]:
    yield f"the new pods consume in a group of their own, {consumes.group}, from their start: before any gate is asked"
    yield "until the old pods are gone each event is handled by both revisions: handling must be idempotent"
    yield "the way back retires the new pods; what they have handled stays handled"


def _paused(consumes: Consumes) -> Iterator[str]:
    patience = duration(consumes.timeout_seconds)
    yield "the new pods come up paused; one that consumes by itself turns the release round"
    yield "once all traffic is theirs, the old pods stop and say so, and only then the new ones begin"
    yield f"an old pod that does not say so in {patience} is not waited for: the group shares the events out"
    yield f"the way back: the new pods stop first, {duration(BACK_SECONDS)} at most, and the old ones begin again"
    yield from _at_rest(consumes)


def _handed_over(consumes: Consumes) -> Iterator[str]:
    patience = duration(consumes.timeout_seconds)
    yield "the new pods come up without holding; one that holds by itself turns the release round"
    yield "once all traffic is theirs, every old pod lets go and says so, and only then a new one may take"
    yield f"an old pod that does not say so in {patience} may hold still: the release waits for a person"
    yield "the way back: the new pods let go first; where one does not say so, the old ones take when its process has ended"
    yield from _at_rest(consumes)


def _at_rest(consumes: Consumes) -> Iterator[str]:
    if consumes.at_start == "paused":
        yield "a pod that starts while no release is in flight consumes nothing, for nobody tells it; atStart: asPeers does"


def check(api: Api, consumes: Consumes | None, service: Json, selector: str) -> None:
    """Raise where a live pod does not say whether it consumes: before anything is touched."""
    if consumes is None or not consumes.told:
        return
    namespace = service["metadata"]["namespace"]
    pods = api.get(path(namespace, "pods"), labelSelector=selector)["items"]
    mute = next(_mute(api, consumes, service, (one for one in pods if live(one) and ready(one))), "")
    if mute:
        raise UsageError(
            f"{mute}: who consumes would not be known",
            advice="nothing was touched; mend the page, or the spec's consumes; docs/consumers.md says what the app has to do",
        )


def _mute(api: Api, consumes: Consumes, service: Json, pods: Iterable[Json]) -> Iterator[str]:
    """Ask pods once, side by side, and name those that do not say."""
    namespace, several = service["metadata"]["namespace"], tuple(pods)
    port = partial(port_of, service=service, wanted=consumes.port)
    asking = Consumers(consumes, through(api, namespace), posting(api, namespace), port, lambda: None)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        words = list(threads.map(asking.asked, several))
    for pod, word in zip(several, words, strict=True):
        if word.consumes is None:
            yield f"{pod['metadata']['name']} does not say whether it consumes: {word.unheard}"
