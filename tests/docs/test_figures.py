"""What the tests on a real cluster note becomes the tables of docs/reliability.md."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from deployctl.sandbox.load import RoundsReport
from tests.cluster import figures


def load(requests: int, failed: int = 0, stale: int = 0) -> SimpleNamespace:
    return SimpleNamespace(requests=requests, failed=failed, stale_retries=stale)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FIGURES", str(tmp_path / "figures"))
    return tmp_path / "figures"


def told(file: Path) -> str:
    return figures.page(json.loads(line) for line in file.read_text().splitlines())


def test_nothing_is_noted_unless_a_file_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("FIGURES", raising=False)
    monkeypatch.chdir(tmp_path)
    figures.note("row", times=1, requests=2)
    assert list(tmp_path.iterdir()) == []


def test_a_line_names_the_test_that_counted_it(file):
    figures.note("row", times=20, requests=100_000)
    assert json.loads(file.read_text())["test"].endswith("::test_a_line_names_the_test_that_counted_it")
    assert told(file) == "20 releases and rollbacks in a row, 100000 requests: 0 failed."


def test_loads_of_one_name_are_added_up(file):
    figures.noted("balances", load(100, stale=1))
    figures.noted("balances", load(50), load(7, failed=2))
    figures.noted("wallet", load(10))
    assert told(file).splitlines() == [
        "| load | requests | failed | tried again on a kept connection that had closed |",
        "|--|--|--|--|",
        "| balances | 157 | 2 | 1 |",
        "| wallet | 10 | 0 | 0 |",
        "| all | 167 | 2 | 1 |",
    ]


def test_faults_are_told_by_what_ended_the_release(file):
    figures.fault("503", "itself", "12 GET /api")
    figures.fault("killed after", "resume", "30 PATCH /apis")
    figures.fault("killed after", "astray", "40 PATCH /apis")
    assert told(file).splitlines()[2:] == [
        "| 503 | 1 | 1 | 0 | 0 | 0 |",
        "| killed after | 2 | 0 | 1 | 0 | 1 |",
        "| all | 3 | 1 | 1 | 0 | 1 |",
    ]


def test_rounds_that_were_cut_are_told(file):
    figures.any_of("rounds", RoundsReport(40, 400, (), (), {}))
    assert told(file).splitlines()[2:] == ["| rounds | 40 | 0 | 0 |", "| all | 40 | 0 | 0 |"]


def test_money_is_told_row_by_row(file):
    counted = {"told": 9, "transactions": 8, "rounds": 2, "unanswered": 0}
    figures.note("money", name="blue-green", **counted, lost=0, twice=0, cut=0, sums=0)
    assert told(file).splitlines()[2:] == ["| blue-green | 9 | 8 | 2 | 0 | 0 | 0 | 0 | 0 |"]


def test_latency_is_set_beside_that_at_rest(file):
    figures.note("latency", name="at rest", requests=100, p50=2.0, p99=4.0, max=9.0, halves=[4.0, 3.9])
    figures.note("latency", name="released", requests=90, p50=2.1, p99=6.0, max=9.0, halves=[6.0, 5.0])
    assert told(file).splitlines()[2:] == [
        "| at rest | 100 | 2 | 4 | 4, 3.9 | 1.0x |",
        "| released | 90 | 2.1 | 6 | 6, 5 | 1.5x |",
    ]


def test_a_run_names_the_tests_that_failed(file):
    one = SimpleNamespace(nodeid="tests/cluster/test_money.py::test_x")
    figures.ran({"passed": [one, one], "failed": [one], "skipped": [one]})
    said = told(file)
    assert said.endswith(
        "2 tests passed, 1 failed: `tests/cluster/test_money.py::test_x`; not judged: `tests/cluster/test_money.py::test_x`."
    )


def test_a_file_without_a_line_is_refused(tmp_path):
    (tmp_path / "figures").touch()
    with pytest.raises(SystemExit, match="nothing was noted; expected"):
        figures.main(str(tmp_path / "figures"))


def test_the_figures_go_to_their_place_on_the_page(file, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "PAGE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text("before\n<!-- figures: by hand -->\n\nold\n<!-- end -->\nafter\n")
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    figures.note("row", times=20, requests=5)
    figures.main(str(file))
    assert (tmp_path / "page.md").read_text() == (
        "before\n<!-- figures: by hand -->\n\n20 releases and rollbacks in a row, 5 requests: 0 failed.\n<!-- end -->\nafter\n"
    )
