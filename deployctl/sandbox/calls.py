"""What goes over the wire to the sandbox's API server and what comes back, before HTTP and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `query` holds the last value of each parameter, `body` is parsed JSON or None."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = JSON
    accept: str = JSON
    user: str = "kubernetes-admin"
    agent: str = ""  # the User-Agent; its first word is the default field manager


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; a `body` of bytes or text goes out as it is (logs, what a pod said through the proxy)."""

    status: int
    body: Json | bytes | str
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The API server says no, with a Status in its own words.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.headers = details, headers or {}

    def answer(self) -> Answer:
        """Give the Status that a client sees."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": self.details} if self.details is not None else {}),
            "code": self.code,
        }
        return Answer(self.code, {k: v for k, v in status.items() if v != ""}, self.headers)
