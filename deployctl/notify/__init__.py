"""Who is told of a release: one file a way to tell.

A notifier is a frozen dataclass of its options, named by an entry point of the group `deployctl.notifiers`, with
`tell(notice: Notice, asked: Asked) -> None`: tell it once, within `asked.timeout_seconds`. It raises DeployctlError,
without a secret in it, where it could not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, Protocol, get_args

from deployctl.gates import Asked

What = Literal[
    "begun", "shifted", "turned", "waiting", "promoted", "aborted", "rolledBack", "degraded", "stopped"
]
WHATS: tuple[What, ...] = get_args(What)
BAD = frozenset({"turned", "aborted", "rolledBack", "degraded", "stopped"})
PLACE = re.compile(r"\$\{(\w+)\}")
SAID: Mapping[str, str] = {
    "begun": "release begun",
    "shifted": "all traffic is on the preview",
    "turned": "turning round",
    "waiting": "waiting for a person",
    "promoted": "promoted",
    "aborted": "aborted, back on stable",
    "rolledBack": "rolled back",
    "degraded": "degraded: it could not get back by itself",
    "stopped": "the process that ran it has stopped, and what stands, stands",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What has happened to a release; the revisions are hashes.

    id: the release and what, the same however often it is told
    """

    what: What
    app: str
    namespace: str
    release: str
    strategy: str
    stable: str
    preview: str
    by: str
    reason: str
    at: str
    kind: str = "Deployment"
    workload: str = ""
    text: str = ""

    @property
    def id(self) -> str:
        return f"{self.release}/{self.what}"

    @property
    def plain(self) -> dict[str, str]:
        """Every fact by its name, but the kind of the workload."""
        whole = {"id": self.id, **asdict(self)}
        del whole["kind"]
        return whole

    def filled(self, template: str) -> str:
        """Say it as a template has it, or in our own words."""
        if not template:
            why = f": {self.reason}" if self.reason else ""
            return f"{self.app} in {self.namespace}: {SAID[self.what]}{why}"
        known = self.plain
        return PLACE.sub(lambda place: known[place[1]], template)


PLACES = tuple(
    one for one in Notice("begun", *[""] * 9).plain if one != "text"
)  # what a template may name, as ${app}


def check_template(text: str) -> None:
    """Raise ValueError, as a class of options does, where a template has a place that nothing fills."""
    if strange := set(PLACE.findall(text)) - set(PLACES):
        known = ", ".join(f"${{{one}}}" for one in PLACES)
        raise ValueError(f"text: ${{{min(strange)}}} is unknown; expected {known}")


class Notifier(Protocol):
    """One way to tell."""

    def tell(self, notice: Notice, asked: Asked) -> None: ...
