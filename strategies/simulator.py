"""A cluster made of arithmetic: one Deployment, its Services, and what the controllers make of each write."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from strategies.model import (
    Action,
    Admit,
    Arm,
    Begin,
    Clean,
    Consumers,
    Detach,
    Discard,
    Finish,
    Hold,
    Lower,
    Observed,
    Outcome,
    Pause,
    Phase,
    Pin,
    Pod,
    PreviewService,
    Rehold,
    Restore,
    Return,
    Service,
    Show,
    Side,
    Tell,
    Template,
    Turn,
    Valve,
)
from strategies.quantities import NONE, WHOLE, Amount, surge_percent

QUARTER = Amount(25, percent=True)  # what Kubernetes says where a manifest says nothing
NOBODY = Side("")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a Deployment says about its rollout. `held`: minReadySeconds lets no pod ever become available."""

    held: bool = False
    unavailable: Amount = QUARTER  # a percentage of it is rounded down
    surge: Amount = QUARTER  # a percentage of it is rounded up
    paused: bool = False

    def room(self, replicas: int) -> tuple[int, int]:
        """Give maxUnavailable and maxSurge in pods: 25% and 25% of 6 are (1, 2); never both nothing."""
        percent, value = self.unavailable.percent, self.unavailable.value
        fewer = replicas * value // 100 if percent else min(value, replicas)
        more = math.ceil(replicas * self.surge.value / 100) if self.surge.percent else self.surge.value
        return fewer if fewer or more else min(1, replicas), more


WAY_BACK = Settings(unavailable=NONE, surge=WHOLE)


def settings_of(hold: Hold, replicas: int, old: int) -> Settings:
    """State a hold as the Deployment's fields, beside so many old pods.

    4 old and 4 new of 6 are (maxUnavailable 2, maxSurge 2); proportionally, 6 and 5 are (0, 83%).
    """
    if hold.open:
        return Settings(unavailable=Amount(max(1, old)), surge=NONE)
    extra = hold.stable + hold.preview - replicas
    if hold.proportional:
        return Settings(True, NONE, Amount(surge_percent(replicas, extra), percent=True))
    return Settings(True, Amount(replicas - hold.stable), Amount(extra))


@dataclass(frozen=True, slots=True)
class World:
    """One Deployment, its two ReplicaSets, its Services, and what the cluster remembers of the release."""

    replicas: int
    stable: Side
    preview: Side = NOBODY
    services: tuple[Service, ...] = (Service("app"),)
    preview_service: PreviewService | None = None
    consumers: Consumers | None = None
    slices: tuple[frozenset[str], ...] = ()  # for each Service the ready endpoints that it has published
    phase: Phase | None = None
    template: Template = Template.STABLE
    settled: bool = True
    settings: Settings = Settings()
    users: Settings = Settings()
    wrote: Settings | None = None  # the settings as we wrote them
    kept: tuple[int, int] = (0, 0)  # how many old pods the last hold keeps, at which size
    reheld: bool = False  # somebody wrote over the settings and we put them back
    scaled_for: tuple[int, int] = (0, 0)  # size, and size plus surge, when the ReplicaSets were last scaled
    born: int = 0

    @classmethod
    def at_rest(
        cls,
        replicas: int,
        services: tuple[str, ...] = ("app",),
        users: Settings | None = None,
        *,
        lingers: bool = False,
        preview_service: str = "",
    ) -> World:
        """Give a Deployment as its user left it: every pod ready, nothing of ours anywhere."""
        settings, stable = users or Settings(), Side("stable", lingers=lingers)
        selecting = tuple(map(Service, services))
        front = PreviewService(preview_service) if preview_service else None
        world = cls(replicas, stable, NOBODY, selecting, front, settings=settings, users=settings)
        return world.controllers().come().published()

    def consuming(self, consumers: Consumers | None) -> World:
        """Let every pod that is there consume events, where the app does."""
        world = self._each(lambda pod: replace(pod, consumes=consumers is not None))
        return replace(world, consumers=consumers)

    def apply(self, action: Action) -> World:  # noqa: C901, PLR0912 - one line an action
        """Carry out one action: exactly one write."""
        match action:
            case Begin():
                return self._written(replace(self.users, paused=True), phase=Phase.TRYING)
            case Hold():
                return self._held(action)
            case Pause():
                return self._written(replace(self._last, paused=True))
            case Rehold():
                lowered = self._last.held and not self.settings.held
                paused = self._last.paused or lowered
                return self._written(replace(self._last, paused=paused), reheld=True)
            case Pin(service, revision):
                return self._pinned(service, revision)
            case Show(service, revision):
                return replace(self, preview_service=PreviewService(service, revision, ours=bool(revision)))
            case Valve(service, on):
                return self._selecting(service, valve=on, **({"pin": ""} if on else {}))
            case Admit(pod):
                return self._marked(pod, labelled=True, detached=False)
            case Detach(pod):
                return self._marked(pod, labelled=False, detached=True)
            case Clean(pod):
                return self._marked(pod, labelled=False, detached=False)
            case Tell(pod, consume):
                return self._marked(pod, consumes=consume)
            case Arm():
                return self._written(replace(self._last, held=False, paused=True))
            case Finish():
                return self._written(replace(self._last, held=False, paused=True), phase=Phase.FINISHING)
            case Discard(pod):
                return self.without(pod)
            case Lower():
                raise TypeError(f"{action}: only a StatefulSet has ordinals")
            case Turn():
                return replace(self, phase=Phase.RETURNING)
            case Return(held):
                return self._written(replace(WAY_BACK, held=held), template=Template.STABLE)
            case Restore(outcome):  # pragma: no branch - there is no other
                kept = Template.PREVIEW if outcome is Outcome.PROMOTED else Template.STABLE
                world = self._written(self.users, template=kept, phase=None)
                return replace(world, wrote=None, kept=(0, 0), reheld=False)

    @property
    def pods(self) -> tuple[Pod, ...]:
        return (*self.stable.pods, *self.preview.pods)

    @property
    def _last(self) -> Settings:
        return self.wrote or self.users

    def _written(self, settings: Settings, **fields: Any) -> World:
        return replace(self, settled=False, settings=settings, wrote=settings, **fields)

    def _held(self, hold: Hold) -> World:
        settings = settings_of(hold, self.replicas, self.stable.desired)
        kept = (hold.stable, self.replicas)
        return self._written(settings, phase=hold.phase, template=Template.PREVIEW, kept=kept)

    def _selecting(self, name: str, **fields: Any) -> World:
        changed = (replace(one, **fields) if one.name == name else one for one in self.services)
        return replace(self, services=tuple(changed))

    def _pinned(self, name: str, revision: str) -> World:
        """Move a Service. What stable's pods had of connections then, they keep."""
        world = self._selecting(name, pin=revision)
        if revision != self.preview.revision:
            return world
        pods = tuple(replace(pod, connected=True) for pod in self.stable.pods)
        return replace(world, stable=replace(self.stable, pods=pods))

    def without(self, name: str) -> World:
        """Delete a pod; who owns it makes another."""
        stable, preview = (
            replace(side, pods=tuple(pod for pod in side.pods if pod.name != name))
            for side in (self.stable, self.preview)
        )
        return replace(self, stable=stable, preview=preview)

    def _marked(self, name: str, **fields: Any) -> World:
        return self._each(lambda pod: replace(pod, **fields) if pod.name == name else pod)

    def _each(self, change: Callable[[Pod], Pod]) -> World:
        stable, preview = (
            replace(side, pods=tuple(map(change, side.pods))) for side in (self.stable, self.preview)
        )
        return replace(self, stable=stable, preview=preview)

    def come(self) -> World:
        """Let every pod that is there become ready."""
        return self._each(lambda pod: replace(pod, ready=True))

    def scale(self, replicas: int) -> World:
        return replace(self, settled=False, replicas=replicas)

    def published(self) -> World:
        """Let the EndpointSlices follow: the ready pods that each Service selects."""
        return replace(self, slices=tuple(self._selected(service) for service in self.services))

    def _selected(self, service: Service) -> frozenset[str]:
        shown = (self.stable,) if service.blind else (self.stable, self.preview)
        sides = (side for side in shown if service.pin in ("", side.revision))
        return frozenset(
            pod.name for side in sides for pod in side.ready if pod.labelled or not service.valve
        )

    def controllers(self) -> World:
        """Run the Deployment's and the ReplicaSets' controllers until they have nothing more to do."""
        new, old = self._sizes()
        if self.settings.paused or self.scaled_for[0] not in (0, self.replicas):
            new, old = self._scaled(new, old)
        if not self.settings.paused:
            new, old = self._rolled(new, old)
        stable, preview = (new, old) if self.template is Template.STABLE else (old, new)
        return replace(
            self,
            stable=self._staffed(self.stable, "stable", stable),
            preview=self._staffed(self.preview, "preview", preview),
            settled=True,
            scaled_for=(self.replicas, self.replicas + self._room[1]),
            born=self.born
            + max(0, stable - len(self.stable.pods))
            + max(0, preview - len(self.preview.pods)),
        )

    @property
    def _room(self) -> tuple[int, int]:
        return self.settings.room(self.replicas)

    def _sizes(self) -> tuple[int, int]:
        """Give the sizes of the ReplicaSet that has the Deployment's template, and of the other."""
        sizes = (self.stable.desired, self.preview.desired)
        return sizes if self.template is Template.STABLE else sizes[::-1]

    def _ready(self) -> tuple[int, int]:
        sizes = (len(self.stable.ready), len(self.preview.ready))
        return sizes if self.template is Template.STABLE else sizes[::-1]

    def _scaled(self, new: int, old: int) -> tuple[int, int]:
        """Scale as `scale` of deployment/sync.go does: the only side, a saturated one, or both in proportion."""
        if not (new and old):
            return (0, self.replicas) if old else (self.replicas, 0)
        if self.settings.paused and not self.settings.held and new == self._ready()[0] == self.replicas:
            return new, 0
        if not self.replicas:
            return 0, 0
        return _proportional(new, old, self.replicas + self._room[1], self.scaled_for[1])

    def _rolled(self, new: int, old: int) -> tuple[int, int]:
        """Roll as deployment/rolling.go does; a held Deployment's new pods never become available.

        Of 6 with (2, 2) held: the new side grows to 4 and the old side shrinks to 4, for ever.
        """
        fewer, more = self._room
        least = self.replicas - fewer
        fresh = 0 if self.settings.held else min(new, self._ready()[0])
        healthy = min(old, self._ready()[1])
        new = min(new, self.replicas)
        for _ in range(2):  # the second time into the room that the first has made
            new = max(new, min(self.replicas, self.replicas + more - old))
            spare = old + fresh - least  # what may go without falling under maxUnavailable
            unhealthy = max(0, min(old - healthy, spare))
            surplus = max(0, min(healthy, healthy + fresh - least)) if spare > 0 else 0
            healthy, old = healthy - surplus, old - unhealthy - surplus
        return new, old

    def _staffed(self, side: Side, name: str, size: int) -> Side:
        """Bring a ReplicaSet's pods to a size; those not ready go first, then the detached, then the youngest."""
        youngest_first = side.pods[::-1]
        order = sorted(youngest_first, key=lambda pod: (pod.ready, not pod.detached))
        doomed = order[: max(0, len(order) - size)]
        stay = tuple(pod for pod in side.pods if pod not in doomed)
        fresh = (Pod(f"{name}-{self.born + 1 + number}", ready=False) for number in range(size - len(stay)))
        return replace(side, revision=side.revision or name * bool(size), desired=size, pods=(*stay, *fresh))

    def observe(self, **witnessed: Any) -> Observed:
        """Give what a look at this world shows; `witnessed` is what the looking process knows of itself."""
        fewer, more = self._room
        old, new = self.stable.desired, self.preview.desired
        kept, size = self.kept
        return Observed(
            replicas=self.replicas,
            stable=self._shown(self.stable),
            preview=self._shown(self.preview),
            services=self.services,
            preview_service=self.preview_service if self.phase else None,
            consumers=self.consumers,
            phase=self.phase,
            template=self.template,
            settled=self.settled,
            paused=self.settings.paused,
            partitioned=old <= self.replicas - fewer
            and new >= min(self.replicas, self.replicas + more - old),
            returned=self.template is Template.STABLE and self.settings == WAY_BACK,
            recalled=self.template is Template.STABLE and self.settings == replace(WAY_BACK, held=True),
            tampered=self.wrote not in (None, self.settings),
            retiring=self.template is Template.PREVIEW and not self.settings.held,
            shrunk=self.reheld and size == self.replicas and old < kept,
            **witnessed,
        )

    def _shown(self, side: Side) -> Side:
        published = Counter(name for endpoints in self.slices for name in endpoints)
        pods = (replace(pod, endpoints=published[pod.name]) for pod in side.pods)
        return replace(side, pods=tuple(pods))


def _proportional(new: int, old: int, allowed: int, before: int) -> tuple[int, int]:
    """Share a change of size between two sides, the larger first and given what rounding leaves.

    5 old and 5 new of 10, scaled to 15 with no surge, are 7 and 8: the new side goes first among equals.
    """
    change = allowed - new - old
    new_first = new > old or (new == old and change > 0)
    large, small = (new, old) if new_first else (old, new)
    wanted = [math.floor(side * allowed / before + 0.5) - side for side in (large, small)]
    bound = min if change > 0 else max
    first = bound(wanted[0], change)
    second = bound(wanted[1], change - first)
    large, small = max(0, large + change - second), small + second
    return (large, small) if new_first else (small, large)
