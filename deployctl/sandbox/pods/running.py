"""One run of a pod's container: where it listens, what it said and how it ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

KEPT_CHARACTERS = 64 * 1024


@dataclass
class Process:
    """One run of a pod's container."""

    number: int
    listened: int  # the port in the pod; `port` is the one on the loopback
    port: int | None = None
    said: str = ""
    before: str = ""
    code: int | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def hear(self, text: str) -> None:
        self.said = (self.said + text)[-KEPT_CHARACTERS:]
        if self.port is None and " listens on " in self.said and "\n" in self.said:
            self.port = int(self.said.partition("\n")[0].rpartition(":")[2])

    def end(self, code: int) -> None:
        self.code = code
        self.ended.set()
