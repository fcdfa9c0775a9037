"""What form of answer a client accepts: plain JSON or YAML, a Table to print, or metadata alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from deployctl.sandbox.api.refusals import no_route

Form = Literal["json", "yaml", "table", "metadata", "discovery"]

NOT_ACCEPTABLE = (
    "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
    "application/vnd.kubernetes.protobuf"
)
FORMS: dict[str, Form] = {
    "Table": "table",
    "PartialObjectMetadata": "metadata",
    "PartialObjectMetadataList": "metadata",
    "APIGroupDiscoveryList": "discovery",
}
STREAMED = ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
PLAIN: dict[str, Form] = {
    "application/json": "json",
    "application/*": "json",
    "*/*": "json",
    "application/yaml": "yaml",
}


@lru_cache(maxsize=256)
def form(accept: str, *, streamed: bool = False) -> Form:
    """Give the first form asked for that is served; 406 where none is. What can be watched is `streamed`, too."""
    clauses = [one.strip() for one in accept.split(",") if one.strip()]
    found = next((one for one in map(_form, sorted(clauses, key=_rank)) if one), None)
    if clauses and found is None:
        raise no_route(406, NOT_ACCEPTABLE + (STREAMED if streamed else ""))
    return found or "json"


def _form(clause: str) -> Form | None:
    media, *parameters = (one.strip() for one in clause.split(";"))
    asked = dict(one.partition("=")[::2] for one in parameters)
    if "as" not in asked:
        return PLAIN.get(media)
    if media != "application/json" or asked.get("v") not in {"v1", "v2"}:
        return None
    return FORMS.get(asked["as"])


def _rank(clause: str) -> float:
    return -float(clause.partition("q=")[2].split(";")[0] or 1) if "q=" in clause else -1.0
