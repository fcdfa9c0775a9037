"""What a client has sent to be written: by whom, how strictly, only for show, and the object that it makes."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.api import refusals
from deployctl.sandbox.api.decoding import Unreadable, read, read_patched
from deployctl.sandbox.api.reading import shown
from deployctl.sandbox.api.routing import Target
from deployctl.sandbox.calls import STRATEGIC_PATCH, Answer, Call
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.objects.patching import json_patch, merge_patch, strategic_patch
from deployctl.sandbox.resources import Resource

Json = dict[str, Any]

BODIES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
WISHES = frozenset({"", "Ignore", "Strict", "Warn"})
NO_ROUTE = "415: Unsupported Media Type"
NO_APPLY = f"{NO_ROUTE}: the sandbox serves no server-side apply; use client-side apply"
MANAGER_COLUMNS = 128


class Write:
    """One write, while it goes on: where to, by whom, and what is to be said of it besides its answer."""

    def __init__(self, cluster: Cluster, at: Target, call: Call) -> None:
        self.cluster, self.store, self.at, self.call = cluster, cluster.store, at, call
        self.resource: Resource = at.resource
        self.warnings: list[str] = []
        self.dry = is_dry(call)
        self.manager = call.query.get("fieldManager") or call.agent.partition("/")[0][:MANAGER_COLUMNS]

    def answer(self, one: Json, code: int = 200) -> Answer:
        told = shown(self.store, self.resource, one, self.call, code)
        if not self.warnings:
            return told
        lines = ", ".join(f'299 - "{_quoted(text)}"' for text in self.warnings)
        return Answer(told.status, told.body, {**told.headers, "Warning": lines})

    def sent(self) -> Json:
        """Give what was sent, with its defaults; unknown fields are left out, and told or refused."""
        if media(self.call) not in BODIES:
            raise refusals.unsupported(BODIES)
        one, warnings = read(self.resource, self.call.body, self.call.query)
        self.warnings += warnings
        return one

    def patched(self, before: Json) -> Json:
        """Give an object after the patch that was sent."""
        body, how = self.call.body, media(self.call)
        after = self._written(applied(how, self.resource.kind, before, body))
        kept = _template(before) if _template(before) is _template(after) else None
        if kept:
            after = {**after, "spec": {**after["spec"], "template": None}}
        told = body if how == STRATEGIC_PATCH else None
        one, warnings = read_patched(self.resource, after, self.call.query, told)
        self.warnings += warnings
        return {**one, "spec": {**one["spec"], "template": kept}} if kept else one

    def _written(self, one: Json) -> Json:
        """Leave out the half that this path does not write: reading it would be for nothing."""
        if "status" not in self.resource.subresources:
            return one
        other = "spec" if self.at.sub == "status" else "status"
        return {key: value for key, value in one.items() if key != other}


def _template(one: Json) -> Json | None:
    """Give the pod template; one that a patch has left alone needs no second reading."""
    spec = one.get("spec")
    return spec.get("template") if isinstance(spec, dict) else None


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def is_dry(call: Call) -> bool:
    """Say whether nothing shall be stored; refuse options that are none."""
    kinds = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions"}
    kind = kinds.get(call.method, "DeleteOptions")
    wish = call.query.get("fieldValidation", "")
    if wish not in WISHES:
        why = f'Unsupported value: "{wish}": supported values: "", "Ignore", "Strict", "Warn"'
        raise refusals.invalid(kind, "meta.k8s.io", "", [("FieldValueNotSupported", why, "fieldValidation")])
    asked = call.query.get("dryRun")
    if asked in {None, "", "All"}:
        return bool(asked)
    cause = ("FieldValueNotSupported", f'Unsupported value: ["{asked}"]: supported values: "All"', "dryRun")
    raise refusals.invalid(kind, "meta.k8s.io", "", [cause])


def media(call: Call) -> str:
    return call.content_type.partition(";")[0].strip()


def applied(how: str, kind: str, before: Json, change: Any) -> Json:
    """Apply a patch of a content type; 415 for the ones that are not served."""
    if change is None or isinstance(change, Unreadable):
        why = change.why if change else "unexpected end of JSON input"
        raise refusals.bad_request(f"error decoding patch: {why}")
    match how:
        case "application/json-patch+json":
            return json_patch(before, change)
        case "application/merge-patch+json":
            return merge_patch(before, change)
        case "application/strategic-merge-patch+json":
            return strategic_patch(kind, before, change)
        case "application/apply-patch+yaml":
            raise refusals.no_route(415, NO_APPLY)
        case _:
            raise refusals.no_route(415, NO_ROUTE)
