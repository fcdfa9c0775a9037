"""`--fit`: the release that there is room for. It keeps the strategy, and takes less of it at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from deployctl.errors import UsageError
from deployctl.planning import extra_pods
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
    return Fitted(app, "", tuple(for_release(found, app.spec.strategy.kind, extra_pods(ready, app))))


def fitted(ready: Prepared, app: App, found: Room) -> Fitted:
    """Make the release as small as there is room for; raise UsageError where nothing smaller of it fits."""
    more = extra_pods(ready, app)
    unknown = (f"room on the nodes: {told(found)}",) if more and found.nodes is None else ()
    lacking = tuple(short(found, more))
    if not lacking or found.more is None:
        return Fitted(app, "", unknown)
    chosen = app.spec.strategy
    options = smaller(chosen.options, ready.deployment["spec"].get("replicas", 1), found.more)
    if options is None or _shift_is_refused(options, found, more):
        raise UsageError(
            f"{'; '.join(lacking)}, and no smaller {chosen.kind} release fits",
            advice=f"{choices(chosen.kind, found.more)}, or make room",
        )
    differs = _differs(chosen.options, options)
    taken = f"{differs}: {'; '.join(lacking)}" if differs else ""
    return Fitted(with_options(app, options), taken, (*unknown, *_yet(options, found, more)))


def _shift_is_refused(options: Strategy, found: Room, more: int) -> bool:
    """Say whether the shift of blue-green, which needs all pods, meets a quota: no node that is added helps then."""
    return isinstance(options, BlueGreen) and any(short(replace(found, nodes=None), more))


def _yet(options: Strategy, found: Room, more: int) -> tuple[str, ...]:
    """Say what is short all the same, for blue-green shifts to a whole preview."""
    if not isinstance(options, BlueGreen):
        return ()
    return tuple(
        f"{one}: the shift needs all {more}, and a pod without a place waits for a node"
        for one in short(found, more)
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
