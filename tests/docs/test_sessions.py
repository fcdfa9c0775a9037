"""Sessions that need no cluster, and the plugin that docs/plugins.md writes."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, blocks
from tests.docs.shell import Shell, check, wrapper

PLUGINS = ROOT / "docs" / "plugins.md"
MEASURE = """
from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.plugins import GATES, find

def late(*_):
    raise DeployctlError("no answer")

pods = ({"metadata": {"name": "balances-1"}},)
gate = find(GATES, "patience")(port=8080)
for proxy in (lambda *_: (200, b""), late):
    print(gate.measure(Asked(pods, {}, proxy)).answer.value)
print(find(GATES, "patience")(port=8080, most_seconds=0.0).measure(Asked(pods, {}, lambda *_: (200, b""))).answer.value)
print(gate.measure(Asked((), {}, late)).answer.value)
"""


@pytest.mark.parametrize("name", ["docs/troubleshooting.md"])
def test_a_page_without_a_cluster_shows_what_happens(name: str, tmp_path: Path, *, rewrite: bool) -> None:
    work = tmp_path / "work"
    work.mkdir()
    env = {**os.environ, "PATH": f"{wrapper(tmp_path / 'bin')}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command], cwd=work, env=env, check=False, text=True, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    check(ROOT / name, Shell(work, run), rewrite=rewrite)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The files of the page, installed as `pip install` leaves them; the spec beside them."""
    shown = {one.file: one.text for one in blocks(PLUGINS) if one.file}
    for name, text in shown.items():
        (tmp_path / name).write_text(text)
    project = tomllib.loads(shown["pyproject.toml"])["project"]
    info = tmp_path / "deployctl_patience-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items()) for group, named in groups]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return tmp_path


def python(folder: Path, *words: str) -> str:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_gate_of_the_page_is_read_by_the_spec_of_the_page(installed: Path) -> None:
    assert python(installed, "-m", "deployctl", "validate", "deployctl.yaml") == "balances: valid\n"


def test_the_gate_of_the_page_is_in_the_schema_with_its_words(installed: Path) -> None:
    assert "the longest that one answer may take" in python(installed, "-m", "deployctl", "schema")


def test_the_gate_of_the_page_answers(installed: Path) -> None:
    assert python(installed, "-c", MEASURE).split() == ["pass", "unknown", "fail", "unknown"]


def test_the_strategy_of_the_page_walks_to_its_end(tmp_path: Path) -> None:
    code: list[Block] = [one for one in blocks(PLUGINS) if one.info == "python"]
    assert len(code) == 2
    walked = python(tmp_path, "-c", code[0].text + code[1].text)
    assert walked.splitlines()[-1] == "Restore(outcome=<Outcome.PROMOTED: 'promoted'>)"
    waiting = python(tmp_path, "-c", code[0].text + code[1].text.replace(", wish=Wish.FINISH", ""))
    assert waiting.splitlines()[-1].startswith("Stand(")
