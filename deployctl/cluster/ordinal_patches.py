"""Each action on a StatefulSet as the one call that carries it out. Pure, like `patches`, whose guards it has.

Of the spec only `updateStrategy` and `template` are written: a partition that no ordinal reaches stands where a
Deployment is paused. A pod's name comes back, so every write to a pod says which one of that name it means.
"""

from __future__ import annotations

from typing import Any

import msgspec

from deployctl.cluster.api import Request
from deployctl.cluster.patches import Writer, add
from deployctl.memory import Memory, Settings
from deployctl.observe import Snapshot
from deployctl.workload import HELD_PARTITION, ON_DELETE, stateful, update_strategy
from strategies.model import Action, Begin, Finish, Lower, Pause, Phase, Return

Json = dict[str, Any]


def writer_of(look: Snapshot, memory: Memory, stable: Json, preview: Json) -> Writer:
    """Give what builds the calls for the workload that is looked at."""
    kind = OrdinalWriter if stateful(look.deployment) else Writer
    return kind(look, memory, stable, preview)


class OrdinalWriter(Writer):
    """Builds the calls of one release of a StatefulSet."""

    def request(self, action: Action) -> Request:
        """Give the call for an action, decided on this look."""
        match action:
            case Begin() | Pause():
                return self._settings(self._partitioned(HELD_PARTITION))
            case Lower(partition):
                memory = msgspec.structs.replace(self.memory, phase=Phase.TRYING.value)
                return self._wrote(self._partitioned(partition), memory, self.preview)
            case Return():
                memory = msgspec.structs.replace(self.memory, phase=Phase.RETURNING.value)
                settings = msgspec.structs.replace(self.memory.own, strategy=ON_DELETE)
                return self._wrote(settings, memory, self.stable)
            case Finish():
                return self.remember(msgspec.structs.replace(self.memory, phase=Phase.FINISHING.value))
            case _:
                return Writer.request(self, action)

    def _partitioned(self, partition: int) -> Settings:
        own = self.memory.own
        strategy = update_strategy(own.strategy, partition)
        return msgspec.structs.replace(own, strategy=strategy, paused=partition >= HELD_PARTITION)

    def _wrote(self, settings: Settings, memory: Memory, template: Json) -> Request:
        replicas = self.look.deployment["spec"].get("replicas", 1)
        memory = msgspec.structs.replace(memory, wrote=settings, replicas=replicas)
        return self._settings(settings, memory, template)

    def _spec(self, settings: Settings) -> list[Json]:
        return [add("/spec/updateStrategy", value=settings.strategy)]

    def _only(self, name: str) -> Json:
        """Write to the very pod that was looked at: not to one that has come back under its name meanwhile."""
        meta = self._known(name)
        return {"resourceVersion": meta["resourceVersion"]} if meta else {}
