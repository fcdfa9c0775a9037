"""Lists page by page, each page as the list was at the first one, and the tokens that lead on."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from deployctl.sandbox.api import refusals
from deployctl.sandbox.api.routing import Target
from deployctl.sandbox.api.selecting import Wanted
from deployctl.sandbox.calls import Answer, Refused
from deployctl.sandbox.store import Gone, Store

Json = dict[str, Any]

OLD_LIST = "The resourceVersion for the provided list is too old."
OLD_TOKEN = (
    "The provided continue parameter is too old to display a consistent list result. "  # noqa: S105 - words
    "You can start a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - "
    "objects that were created, modified, or deleted between the time the first chunk was returned and now may "
    "show up in the list."
)


def limit(query: Mapping[str, str]) -> int:
    text = query.get("limit") or "0"
    if not text.lstrip("-").isdigit():
        raise refusals.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return max(0, int(text))


def exact(query: Mapping[str, str]) -> bool:
    return query.get("resourceVersionMatch") == "Exact"


class OldToken(Refused):
    """The list that a continue token belongs to is forgotten; a new token leads through what is there now."""

    def __init__(self, after: tuple[str, str]) -> None:
        super().__init__(410, "Expired", OLD_TOKEN)
        self.after = after

    def answer(self) -> Answer:
        told = super().answer()
        return Answer(410, {**_body(told), "metadata": {"continue": _made(-1, self.after)}})


def _body(answer: Answer) -> Json:
    assert isinstance(answer.body, dict)  # noqa: S101 - a Status
    return answer.body


def page(
    store: Store, at: Target, wanted: Wanted | None, query: Mapping[str, str]
) -> tuple[list[Json], Json]:
    """Give so many objects after the ones already given, as they were then, and the token for the rest."""
    version, after = store.version, ("", "")
    if exact(query):
        version = parsed_version(query["resourceVersion"])
    if query.get("continue"):
        version, after = _token(query["continue"])
    try:
        every = _as_of(store, at, version)
    except Gone:
        raise OldToken(after) if query.get("continue") else refusals.expired(OLD_LIST) from None
    rest = [one for one in every if _key(one) > after and (wanted is None or wanted(one))]
    page = rest[: limit(query) or None]
    meta: Json = {"resourceVersion": str(version if version > 0 else store.version)}
    if len(rest) > len(page):
        meta["continue"] = _made(version, _key(page[-1]))
        if wanted is None:
            meta["remainingItemCount"] = len(rest) - len(page)
    return page, meta


def _as_of(store: Store, at: Target, version: int) -> list[Json]:
    """Give the list as it was at a version, by taking back what changed since; at a negative one as it is."""
    every = store.list(at.resource.name, at.namespace)
    later = store.since(version, at.resource.name) if 0 <= version < store.version else ()
    if not later:
        return every
    then = {_key(one): one for one in every}
    for event in reversed(later):
        if event.before is None:
            then.pop((event.namespace, event.name), None)
        elif at.namespace in {"", event.namespace}:
            then[event.namespace, event.name] = event.before
    return [then[key] for key in sorted(then)]


def _key(one: Json) -> tuple[str, str]:
    return one["metadata"].get("namespace", ""), one["metadata"]["name"]


def _made(version: int, after: tuple[str, str]) -> str:
    told = {"v": "meta.k8s.io/v1", "rv": version, "start": "/".join(filter(None, after)) + "\0"}
    return base64.urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode().rstrip("=")


def _token(text: str) -> tuple[int, tuple[str, str]]:
    try:
        told = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        namespace, _, name = told["start"].rstrip("\0").rpartition("/")
        return int(told["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError):
        raise refusals.bad_request(
            f"invalid continue token: continue key is not valid: {_why(text)}"
        ) from None


def _why(token: str) -> str:
    """Say what Go says of a token that it cannot read."""
    try:
        first = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("latin-1")[:1]
    except ValueError:
        return f"illegal base64 data at input byte {len(token) - len(token) % 4}"
    return f"invalid character {_quoted(first)} looking for beginning of value"


def _quoted(text: str) -> str:
    """Write a character as Go quotes it."""
    return f"'{text}'" if text.isprintable() else f"'\\u{ord(text):04x}'"


def parsed_version(text: str) -> int:
    """Read a resourceVersion of a query."""
    if text.isdigit():
        return int(text)
    raise refusals.bad_request(f"invalid resource version: {not_a_version(text)}")


def not_a_version(text: str) -> str:
    return f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
