"""Calls the API of a running sandbox, and of no other cluster."""

from __future__ import annotations

import http.client
import json
from typing import Any, Self

from deployctl.errors import DeployctlError
from deployctl.sandbox.calls import JSON
from deployctl.sandbox.practice.home import State

Json = dict[str, Any]
TIMEOUT_SECONDS = 15.0


class Client:
    """One connection to one sandbox."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._connection = http.client.HTTPConnection("127.0.0.1", state.port, timeout=TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> Json | None:
        """Read an object or a list; None where there is none."""
        status, answer = self.send("GET", path)
        return None if status == 404 else checked(status, answer)

    def send(
        self, method: str, path: str, body: Json | None = None, content_type: str = JSON
    ) -> tuple[int, Json]:
        """Make one call; give the status and the JSON."""
        headers = {"Authorization": f"Bearer {self._state.token}", "User-Agent": "deployctl-sandbox"}
        text = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, text, {**headers, "Content-Type": content_type})
            answer = self._connection.getresponse()
            return answer.status, _read(answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise DeployctlError(f"the sandbox does not answer {method} {path}: {error}") from error


def checked(status: int, answer: Json) -> Json:
    """Give the answer, or raise what the API says against it."""
    if status >= 300:
        raise DeployctlError(str(answer.get("message", f"the sandbox answered {status}")))
    return answer


def _read(text: bytes) -> Json:
    try:
        read = json.loads(text)
    except ValueError:
        return {"message": text.decode(errors="replace").strip()}
    return read if isinstance(read, dict) else {"message": str(read)}
