"""`--fit`: the release that there is room for. It keeps the strategy, and takes less of it at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from deployctl.errors import UsageError
from deployctl.planning import needed
from deployctl.prepare import Prepared
from deployctl.room import choices, for_release, short, told
from deployctl.spec import App
from strategies.blue_green import BlueGreen
from strategies.fit import smaller
from strategies.model import Strategy
from strategies.room import Room


@dataclass(frozen=True, slots=True)
class Fitted:
    """An app as it is to be released where room was looked at: what was made smaller, and what is short yet."""

    app: App
    taken: str = ""
    lacking: tuple[str, ...] = ()


def as_it_is(ready: Prepared, app: App, found: Room) -> Fitted:
    """Leave the release as its spec has it, and say what is short for it."""
    return Fitted(app, "", tuple(for_release(found, app.spec.strategy.kind, needed(ready, app))))


def fitted(ready: Prepared, app: App, found: Room) -> Fitted:
    """Make the release as small as there is room for; raise UsageError where nothing smaller of it fits."""
    more, size = needed(ready, app), ready.deployment["spec"].get("replicas", 1)
    unknown = (f"room on the nodes: {told(found)}",) if more.places and found.nodes is None else ()
    lacking = tuple(short(found, more.places, more.counted))
    if not lacking:
        return Fitted(app, "", unknown)
    chosen = app.spec.strategy
    options = smaller(chosen.options, size, found)
    if options is None or _shift_is_refused(options, found, size):
        raise UsageError(
            f"{'; '.join(lacking)}, and no smaller {chosen.kind} release fits",
            advice=f"{choices(chosen.kind, found)}, or make room",
        )
    differs = _differs(chosen.options, options)
    taken = f"{differs}: {'; '.join(lacking)}" if differs else ""
    return Fitted(with_options(app, options), taken, (*unknown, *_yet(options, found, size)))


def _shift_is_refused(options: Strategy, found: Room, size: int) -> bool:
    """Say whether the shift of blue-green, which needs all pods, meets a quota: no node that is added helps then."""
    return isinstance(options, BlueGreen) and any(short(replace(found, nodes=None), size))


def _yet(options: Strategy, found: Room, size: int) -> Iterator[str]:
    """Say what is short all the same: blue-green shifts to a whole preview, rolling may have to go back."""
    if isinstance(options, BlueGreen):
        for one in short(found, size):
            yield f"{one}: the shift needs all {size}, and a pod without a place waits for a node"
        return
    yield (
        f"a way back from the middle of a batch brings all {size} back beside the new pods that serve; without"
        " room for them it ends degraded (exit 8), and both sides serve"
    )


def _differs(before: Strategy, after: Strategy) -> str:
    """Name what is smaller, as a spec file writes it: `batch: 2 instead of 50%`."""
    names = {"batch": "batch", "surge": "surge", "preview_replicas": "previewReplicas"}
    pairs = ((said, getattr(before, name, None), getattr(after, name, None)) for name, said in names.items())
    return ", ".join(f"{said}: {now} instead of {was}" for said, was, now in pairs if was != now)


def with_options(app: App, options: Any) -> App:
    """Give an app with other options of its strategy."""
    strategy = msgspec.structs.replace(app.spec.strategy, options=options)
    return msgspec.structs.replace(app, spec=msgspec.structs.replace(app.spec, strategy=strategy))
