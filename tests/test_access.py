"""Which rights are missing, by what the API server says of them."""

from __future__ import annotations

from typing import Any

from deployctl.cli.diagnosing import rights_fix
from deployctl.cluster.access import NEEDED, each, missing

Json = dict[str, Any]


class Reviews:
    """An API server that grants all verbs but some."""

    def __init__(self, *lacking: tuple[str, str, str]) -> None:
        self.lacking = lacking

    def post(self, path: str, body: Json) -> Json:
        if path.endswith("selfsubjectrulesreviews"):
            return {"status": {"resourceRules": None, "incomplete": True}}
        asked = body["spec"]["resourceAttributes"]
        whole = "/".join(filter(None, (asked["resource"], asked["subresource"])))
        return {"status": {"allowed": (asked["group"], whole, asked["verb"]) not in self.lacking}}


def lacking(*verbs: tuple[str, str, str]) -> tuple[tuple[str, str, str], ...]:
    return missing(Reviews(*verbs), "igaming")  # type: ignore[arg-type]


def test_with_all_rights_none_is_missing() -> None:
    assert lacking() == ()


def test_without_any_all_are() -> None:
    assert lacking(*each(NEEDED)) == tuple(each(NEEDED))


def test_each_missing_verb_is_in_a_role_that_gives_it() -> None:
    found = lacking(
        ("apps", "deployments", "patch"), ("", "pods/proxy", "get"), ("apps", "deployments", "watch")
    )
    assert rights_fix("kubectl -n igaming", found) == (
        "kubectl -n igaming create role deployctl-deployments --verb=watch,patch --resource=deployments.apps",
        "kubectl -n igaming create role deployctl-pods-proxy --verb=get --resource=pods/proxy",
    )
