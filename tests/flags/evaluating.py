"""A small OFREP server over a flagd file: an honest one, that reads its file anew for each question."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import unquote

from deployctl.flags.text import entries
from tests.answering import Call, Reply, Server, serving

PREFIX = "/ofrep/v1/evaluate/flags/"


def evaluating(path: Path, token: str = "") -> AbstractContextManager[Server]:
    """Serve what flagd would of a file whose rules are only shares; needs a context and, where given, its token."""

    def answer(call: Call) -> Reply:
        if token and call.token != token:
            return Reply(401, {"errorDetails": "no such token"})
        key = unquote(call.path.removeprefix(PREFIX))
        if call.method != "POST" or "context" not in json.loads(call.body or b"{}"):
            return Reply(400, {"key": key, "errorCode": "INVALID_CONTEXT"})
        one = entries(path.read_text(), "flags").get(key)
        if one is None:
            return Reply(404, {"key": key, "errorCode": "FLAG_NOT_FOUND"})
        if one.value["state"] == "DISABLED":
            return Reply(200, {"key": key, "reason": "DISABLED"})
        variant = one.value["defaultVariant"]
        return Reply(
            200, {"key": key, "reason": "STATIC", "variant": variant, "value": one.value["variants"][variant]}
        )

    return serving(answer)
