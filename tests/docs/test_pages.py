"""What the pages say is what the program does: its commands, its keys, its machine, its files."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer._click.exceptions import ClickException
from typer.main import get_command

from deployctl import errors
from deployctl.autoscaling.calendar import checked
from deployctl.autoscaling.policy import Calendar, Policy
from deployctl.cli import COMMANDS, app
from deployctl.cluster.access import EVENTS, NEEDED, PREVIEW_SERVICE, SCALED, STATEFUL, TELL_PODS
from deployctl.spec import read
from strategies.analysis import Analysis, Answer, Measurement
from tests.docs import machine, written
from tests.docs.pages import ROOT, Block, blocks, commands, pages, session

PLAYED = (
    "README.md",
    "docs/autoscaling.md",
    "docs/first-release.md",
    "docs/flags-flagd.md",
    "docs/flags-in-a-release.md",
    "docs/flags-launchdarkly.md",
    "docs/flags-unleash.md",
    "docs/from-argo-rollouts.md",
    "docs/from-flagger.md",
    "docs/from-helm.md",
    "docs/on-call.md",
    "docs/plans.md",
    "docs/practice.md",
    "docs/terminal.md",
    "docs/troubleshooting.md",
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MACHINE_PATH = re.compile(r"(?<![\w.])/(home|root|work|tmp|Users|mnt)/")
REGISTRY = re.compile(
    r"https?://[^\s)]*(pypi|pythonhosted|npmjs|crates\.io|docker\.io|ghcr|quay)", re.IGNORECASE
)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROOT_FLAGS = {"--help", "-h", "--version", "--install-completion", "--show-completion"}
HEAD = "apiVersion: deployctl.dev/v1alpha1\nkind: App\nmetadata: {name: balances}\nspec:\n"
WORKLOAD = "  workload: {deployment: balances, services: [balances]}\n"


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", pages(), ids=named)


@every_page
def test_every_command_that_is_shown_parses(page: Path) -> None:
    assert [f"{one}: {problem}" for one in commands(page) if (problem := parsed(one))] == []


def parsed(line: str) -> str:
    """Parse a command line with the program's own parser; say what it finds wrong."""
    words = shlex.split(line.rstrip("\\"), comments=True)[1:]
    if words[0].startswith("-") or words[0] == "COMMAND":
        return "" if words[-1] in ROOT_FLAGS else f"no command in {line}"
    if words[0] not in COMMANDS:
        return f"{words[0]} is no command"
    command, rest = get_command(app).get_command(None, words[0]), words[1:]
    while hasattr(command, "commands") and rest:
        if rest[0] not in command.commands:
            return f"{words[0]} has no {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    try:
        command.make_context(words[0], [one for one in rest if one not in {"--help", "-h"}])
    except ClickException as error:
        lacking = error.format_message()
        return "" if "--help" in words or lacking.startswith("Missing argument") else lacking
    return ""


@every_page
def test_every_session_is_played_by_a_test(page: Path) -> None:
    assert named(page) in PLAYED or not [one.where for one in blocks(page) if one.info == "console"]


def test_every_command_is_shown_in_a_session() -> None:
    shown = [
        one.command
        for page in pages()
        for block in blocks(page)
        if block.info == "console"
        for one in session(block.text)
    ]
    called = {line.split()[1] for line in shown if line.startswith("deployctl ")}
    assert set(COMMANDS) - called <= {"promote", "pause", "resume", "abort", "schema", "version"}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    inside = [one for one in LINK.findall(page.read_text()) if not one.startswith(("http", "#"))]
    assert [one for one in inside if not (page.parent / one.partition("#")[0]).exists()] == []


@every_page
def test_no_page_names_a_machine_or_a_registry(page: Path) -> None:
    text = page.read_text()
    assert [match[0] for match in (*MACHINE_PATH.finditer(text), *REGISTRY.finditer(text))] == []


def snippets() -> Iterator[Block]:
    return (block for page in pages() for block in blocks(page) if block.info.startswith("yaml"))


@pytest.mark.parametrize("snippet", list(snippets()), ids=lambda one: one.where)
def test_every_yaml_snippet_reads(snippet: Block, tmp_path: Path) -> None:
    top = list(yaml.safe_load(snippet.text))
    if "patience" in snippet.text or "missing.yaml" in snippet.text:
        pytest.skip("read by the test of its own page")
    for name in ("deployment.yaml", "service.yaml"):
        (tmp_path / name).write_text((ROOT / "manifests/igaming/balances" / name).read_text())
    if "kind: Calendar" in snippet.text:
        (tmp_path / "calendar.yaml").write_text(snippet.text)
        policy = Policy(min=1, max=40, cpu="60%", calendars=(Calendar(file="calendar.yaml", floor="2x"),))
        return checked(policy, "balances", tmp_path)
    if top[0] == "apiVersion":
        (tmp_path / "deployctl.yaml").write_text(snippet.text)
    elif top[0] in {"gates", "strategy", "drain", "flags", "autoscaling"}:
        (tmp_path / "deployctl.yaml").write_text(whole(snippet.text))
    else:
        return None
    assert len(read(tmp_path).apps) == 1
    return None


def whole(fragment: str) -> str:
    """Make a spec of the part that a page shows."""
    rest = "" if "strategy:" in fragment else "  strategy: {rolling: {}}\n"
    return HEAD + WORKLOAD + rest + textwrap.indent(fragment, "  ")


def test_the_readme_lists_the_commands(*, rewrite: bool) -> None:
    written.hold(ROOT / "README.md", "commands", written.commands(), rewrite=rewrite)


@pytest.mark.parametrize("table", ["kinds", "templates", "profiles"])
def test_the_tables_of_the_gates_are_theirs(table: str, *, rewrite: bool) -> None:
    written.hold(ROOT / "docs/gates.md", table, getattr(written, table)(), rewrite=rewrite)


every_command = pytest.mark.parametrize("name", list(COMMANDS))


@every_command
def test_the_table_and_the_help_begin_with_the_same_word(name: str) -> None:
    said = get_command(app).get_command(None, name).help
    assert said.split()[0] == COMMANDS[name][1].split()[0]


@every_command
def test_the_help_fits_a_terminal(name: str) -> None:
    command = get_command(app).get_command(None, name)
    text = command.get_help(command.make_context(name, [], resilient_parsing=True, terminal_width=80))
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_the_keys_of_the_spec_are_all_listed(*, rewrite: bool) -> None:
    written.hold(ROOT / "docs/spec.md", "keys", written.keys(), rewrite=rewrite)


@pytest.mark.parametrize("name", machine.STRATEGIES)
def test_the_state_diagram_is_the_machine(name: str, *, rewrite: bool) -> None:
    written.hold(ROOT / "ARCHITECTURE.md", name, machine.diagram(name), rewrite=rewrite)


def test_every_test_that_the_architecture_names_exists() -> None:
    found = TEST.findall((ROOT / "ARCHITECTURE.md").read_text())
    assert found
    assert [(file, name) for file, name in found if f"def {name}(" not in (ROOT / file).read_text()] == []


def test_every_exit_code_is_explained() -> None:
    tree = [errors.DeployctlError]
    for one in tree:
        tree += one.__subclasses__()
    codes = {one.exit_code for one in tree if one.__module__ == "deployctl.errors"} | {0, 3, 4, 130, 143}
    page = (ROOT / "docs/exit-codes.md").read_text()
    assert {code for code in codes if f"\n| {code} |" not in page} == set()


def test_every_right_is_explained_and_in_the_role() -> None:
    rows = re.findall(
        r"^\| ([\w.]+) \| ([\w/]+) \| ([\w, ]+) \|", (ROOT / "docs/rbac.md").read_text(), re.MULTILINE
    )
    told = {
        ("" if group == "core" else group, resource, frozenset(verbs.split(", ")))
        for group, resource, verbs in rows[1:]
    }
    needed: dict[tuple[str, str], frozenset[str]] = {}
    for group, resource, verbs in (*NEEDED, *STATEFUL, *EVENTS, *SCALED):
        needed[group, resource] = needed.get((group, resource), frozenset()) | frozenset(verbs)
    preview = {
        (group, resource, frozenset(verbs)) for group, resource, verbs in (*PREVIEW_SERVICE, *TELL_PODS)
    }
    assert told == preview | {(group, resource, verbs) for (group, resource), verbs in needed.items()}
    role = yaml.safe_load((ROOT / "manifests/rbac/role.yaml").read_text())
    given = {
        (group, resource, frozenset(rule["verbs"]))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert given == told


SAID = {"pass": Answer.PASS, "fail": Answer.FAIL, "unknown": Answer.UNKNOWN}
EXAMPLES = re.findall(
    r"^\| ((?:(?:pass|fail|unknown)(?:, )?)+) \| (yes|no)\b",
    (ROOT / "docs/gates.md").read_text(),
    re.MULTILINE,
)


@pytest.mark.parametrize(("answers", "verdict"), EXAMPLES)
def test_unknown_is_not_yes_and_the_other_worked_examples_of_an_analysis(answers: str, verdict: str) -> None:
    taken = [Measurement(SAID[one], "") for one in answers.split(", ")]
    analysis = Analysis(count=5, failure_limit=1)
    before, last = analysis.fold(taken[:-1]), analysis.fold(taken)
    assert before is None
    assert last is not None
    assert last.passed is (verdict == "yes")


def test_there_are_worked_examples() -> None:
    assert len(EXAMPLES) == 5


def messages() -> Iterator[str]:
    """List the messages of the tables of docs/troubleshooting.md, cut at what they fill in."""
    page = (ROOT / "docs/troubleshooting.md").read_text().partition("## The cluster and your rights")[2]
    for cell in re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE):
        for message in re.findall(r"`([^`]+)`", cell):
            yield from (part.strip() for part in message.split("...") if len(part.strip()) > 5)


def test_every_message_that_is_explained_is_one_that_the_program_says() -> None:
    source = "".join(
        file.read_text() for name in ("deployctl", "strategies") for file in (ROOT / name).rglob("*.py")
    )
    known = "kubectl", "pod-template-hash", "deployctl.dev/serving", "minReadySeconds", "lifecycle"
    assert [one for one in messages() if one not in source and not one.startswith(known)] == []
