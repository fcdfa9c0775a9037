"""The spec file that `init` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployctl.draft import Draft, answering, checked, pages, write
from deployctl.errors import UsageError
from deployctl.spec import read
from tests.objects import template


def draft(**fields: Any) -> Draft:
    whole = {
        "name": "wallet", "namespace": "igaming", "kind": "Deployment", "services": ("wallet", "wallet-internal"),
        "strategy": "blueGreen", "gate": "/healthz",
    }  # fmt: skip
    return Draft(**{**whole, **fields})


@pytest.mark.parametrize(
    "fields",
    [{}, {"strategy": "rolling"}, {"gate": ""}, {"gate": "/a?b={c}: #d"}, {"name": "wallet.v2"},
     {"kind": "StatefulSet", "strategy": "rolling"}],
)  # fmt: skip
def test_what_is_drafted_is_a_spec(fields: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "deployctl.yaml").write_text(checked(draft(**fields)))
    [app] = read(tmp_path).apps
    assert (app.spec.workload.name, app.spec.workload.services) == (draft(**fields).name, draft().services)
    assert [one.ask.options.path for one in app.spec.gates.before] == [draft(**fields).gate] * bool(
        draft(**fields).gate
    )


def test_the_probes_of_the_app_come_before_the_usual_pages() -> None:
    one = template()
    one["spec"]["containers"][0]["livenessProbe"] = {"httpGet": {"path": "/alive"}}
    assert list(pages(one))[:2] == ["/alive", "/healthz"]


def test_no_page_that_answers_is_no_gate() -> None:
    assert answering(template(), lambda _: False) == ""


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "deployctl.yaml"
    file.write_text("mine")
    with pytest.raises(UsageError, match="it is there already"):
        write("theirs", str(file), force=False)
    assert file.read_text() == "mine"
    write("theirs", str(file), force=True)
    assert file.read_text() == "theirs"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        write("", str(tmp_path / "no" / "deployctl.yaml"), force=False)
