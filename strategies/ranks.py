"""A cluster made of arithmetic, where the workload is a StatefulSet: what its controller makes of each write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from strategies.model import (
    Action,
    Begin,
    Discard,
    Finish,
    Lower,
    Observed,
    Outcome,
    Pause,
    Phase,
    Pod,
    Rehold,
    Restore,
    Return,
    Side,
    Template,
)
from strategies.simulator import Settings, World

ABOVE_ALL = 1_000_000  # a partition that no ordinal reaches
ON_DELETE = -1  # updateStrategy OnDelete: nothing is made anew but what is deleted
FREE, HELD = Settings(), Settings(paused=True)


@dataclass(frozen=True, slots=True)
class Ranks(World):
    """One StatefulSet, its pods by ordinal, and its Services; `settings.paused` is a partition above all."""

    partition: int = 0
    wrote_partition: int | None = None
    current: Template = Template.STABLE  # what a pod below the partition comes back as
    parallel: bool = False

    @classmethod
    def of(
        cls,
        replicas: int,
        services: tuple[str, ...] = ("app",),
        *,
        lingers: bool = False,
        parallel: bool = False,
    ) -> Ranks:
        """Give a StatefulSet as its user left it: every pod ready, nothing of ours anywhere."""
        at_rest = World.at_rest(0, services, lingers=lingers)
        stable = replace(at_rest.stable, revision="stable")
        world = cls(replicas, stable, services=at_rest.services, parallel=parallel)
        pods = tuple(Pod(f"stable-{one + 1}", ordinal=one) for one in range(replicas))
        whole = replace(world, stable=replace(stable, pods=pods), born=replicas)
        published: Ranks = whole.controllers().published()  # type: ignore[assignment]
        return published

    def apply(self, action: Action) -> Ranks:
        """Carry out one action: exactly one write."""
        return self._written_down(action).counted()

    def _written_down(self, action: Action) -> Ranks:
        match action:
            case Begin():
                return self._partitioned(ABOVE_ALL, phase=self.phase or Phase.TRYING)
            case Lower(partition):
                return self._partitioned(partition, template=Template.PREVIEW)
            case Pause():
                return self._partitioned(ABOVE_ALL)
            case Rehold():
                return self._partitioned(
                    self.partition if self.wrote_partition is None else self.wrote_partition
                )
            case Return():
                return self._partitioned(ON_DELETE, template=Template.STABLE)
            case Finish():
                return replace(self, phase=Phase.FINISHING)
            case Discard(pod):
                return self._less(pod)
            case Restore(outcome):
                kept = Template.PREVIEW if outcome is Outcome.PROMOTED else Template.STABLE
                return replace(
                    self._partitioned(0, template=kept, phase=None), wrote_partition=None, wrote=None
                )
            case _:
                return World.apply(self, action)  # type: ignore[return-value]

    def _partitioned(self, partition: int, **fields: Any) -> Ranks:
        settings = HELD if partition == ABOVE_ALL else FREE
        mine = {"partition": partition, "wrote_partition": partition, "settings": settings, "wrote": settings}
        return replace(self, settled=False, **{**mine, **fields})

    def controllers(self) -> Ranks:
        """Run the controller until it has nothing more to do with the pods as they are."""
        world = replace(self, settled=True)
        while (after := world.acted()) != world:
            world = after
        return world.counted()

    def acted(self) -> Ranks:
        """Do the one next thing that the controller of a StatefulSet does (updateStatefulSet)."""
        ready = {pod.ordinal: pod.ready for pod in self._pods}
        for ordinal in range(self.replicas):
            if ordinal not in ready:
                return self._made(ordinal)
            if not ready[ordinal] and not self.parallel:
                return self
        beyond = [pod for pod in self._pods if pod.ordinal >= self.replicas]
        return self._less(beyond[-1].name) if beyond else self._completed().updated()

    def updated(self) -> Ranks:
        """Delete the highest pod that has another template than the StatefulSet; one that is not ready is waited for."""
        if self.partition == ON_DELETE:
            return self
        other = self.preview if self.template is Template.STABLE else self.stable
        for pod in self._pods[::-1]:
            if pod.ordinal < self.partition:
                break
            if pod in other.pods:
                return self._less(pod.name)
            if not pod.ready:
                break
        return self

    def _completed(self) -> Ranks:
        """Let every pod that is ready with the new template make that the current one (completeRollingUpdate)."""
        side = self.stable if self.template is Template.STABLE else self.preview
        whole = len(side.ready) == self.replicas == len(self._pods)
        return replace(self, current=self.template) if whole and self.partition != ON_DELETE else self

    @property
    def _pods(self) -> list[Pod]:
        return sorted((*self.stable.pods, *self.preview.pods), key=lambda pod: pod.ordinal)

    def _less(self, name: str) -> Ranks:
        sides = (
            replace(side, pods=tuple(pod for pod in side.pods if pod.name != name))
            for side in (self.stable, self.preview)
        )
        stable, preview = sides
        return replace(self, stable=stable, preview=preview)

    def _made(self, ordinal: int) -> Ranks:
        """Make a pod anew: below the partition of the current revision, else of the StatefulSet's template."""
        which = self.current if ordinal < self.partition else self.template
        pod = Pod(f"{which.value}-{self.born + 1}", ready=False, ordinal=ordinal)
        side: Side = self.stable if which is Template.STABLE else self.preview
        more = replace(side, revision=which.value, pods=(*side.pods, pod))
        if which is Template.STABLE:
            return replace(self, born=self.born + 1, stable=more)
        return replace(self, born=self.born + 1, preview=more)

    def observe(self, **witnessed: Any) -> Observed:
        """Give what a look at this world shows."""
        world = self.counted()
        old_above = any(pod.ordinal >= self.partition for pod in self.stable.pods)
        return Observed(
            replicas=self.replicas,
            stable=self._shown(world.stable),
            preview=self._shown(world.preview),
            services=self.services,
            phase=self.phase,
            template=self.template,
            settled=self.settled,
            paused=self.settings.paused,
            partitioned=self.settled and not old_above,
            returned=self.template is Template.STABLE and self.partition == ON_DELETE,
            tampered=self.wrote_partition not in (None, self.partition),
            workload="StatefulSet",
            ordered=not self.parallel,
            **witnessed,
        )

    def counted(self) -> Ranks:
        """Write down for each side how many ordinals are to have it."""
        new = sum(self._wanted(ordinal) is Template.PREVIEW for ordinal in range(self.replicas))
        stable, preview = (
            replace(self.stable, desired=self.replicas - new),
            replace(self.preview, desired=new),
        )
        return replace(self, stable=stable, preview=preview)

    def _wanted(self, ordinal: int) -> Template:
        """Tell which side the pod of an ordinal is to be of: what it is, unless the partition has it made anew."""
        if ordinal >= self.partition:
            return self.template if self.partition != ON_DELETE else self._is(ordinal, self.template)
        return self._is(ordinal, self.current)

    def _is(self, ordinal: int, otherwise: Template) -> Template:
        if any(pod.ordinal == ordinal for pod in self.stable.pods):
            return Template.STABLE
        new = any(pod.ordinal == ordinal for pod in self.preview.pods)
        return Template.PREVIEW if new else otherwise
