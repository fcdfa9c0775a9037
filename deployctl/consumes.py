"""What a spec says of an app that consumes events: HTTP traffic is shifted, events are not."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from strategies import model

TOLD = ("pauseUntilPromote", "handOver")


class Consumes(Struct, frozen=True, kw_only=True):
    """How the app takes events from Kafka, RabbitMQ or another queue: what a share of HTTP traffic does not split.

    mode: the new pods pause until all traffic is theirs, or have a group of their own, or take over as the only holder
    path: of the page that tells whether a pod consumes, and is told to; for pauseUntilPromote and handOver
    field: of the JSON object that the page is, true while the pod consumes or may begin to by itself
    port: number or name; the targetPort of the first listed Service unless it is given
    atStart: what a pod does by itself when it starts: nothing until it is told, or what pods of its revision do
    timeout: how long a pod's word is waited for
    group: of the new revision; for separateGroup
    """

    mode: Literal["pauseUntilPromote", "separateGroup", "handOver"]
    path: Annotated[str, Meta(pattern="^/", extra={"expected": "a path that starts with /"})] | None = None
    field: str = "consuming"
    port: int | str | None = None
    at_start: Literal["paused", "asPeers", "consuming"] | None = None
    timeout_seconds: float = 30.0
    group: str | None = None

    def __post_init__(self) -> None:
        wrong = self._of_a_group() if self.mode == "separateGroup" else self._of_a_page()
        if wrong:
            raise ValueError(wrong)

    def _of_a_group(self) -> str:
        if self.path or self.at_start:
            return "separateGroup: no pod is told anything; expected neither path nor atStart"
        return "" if self.group else "separateGroup: expected group, the group of the new revision"

    def _of_a_page(self) -> str:
        if self.group:
            return f"{self.mode}: group is for separateGroup; expected path"
        if not self.path:
            return f"{self.mode}: expected path, such as /internal/consume"
        if self.at_start == "consuming":
            return f"{self.mode}: a pod that consumes from its start takes events before anybody could tell it not to; expected atStart: paused or asPeers"
        return "" if self.at_start else f"{self.mode}: expected atStart, paused or asPeers"

    @property
    def told(self) -> bool:
        """Say whether pods are told to consume."""
        return self.mode in TOLD

    @property
    def consumers(self) -> model.Consumers | None:
        """Say to a strategy how consumers go over; None where nothing is done to pods."""
        exclusive = self.mode == "handOver"
        return model.Consumers(exclusive, self.timeout_seconds) if self.told else None
