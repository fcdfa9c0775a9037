"""Starting is cheap: what a command does not need is not imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "kubernetes",
    "httpx",
    "rich",
    "yaml",
    "pydantic",
    "click",
    "asyncio",
    "msgspec",
    "tenacity",
    "urllib3",
}
PRINT = (
    "import sys, json\n"
    "from deployctl.__main__ import main\n"
    "sys.argv = ['deployctl', *{arguments!r}]\n"
    "try:\n    main()\nexcept SystemExit:\n    pass\n"
    "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
)


def imported(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PRINT.format(arguments=list(arguments))],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["--version"], ["no-such-command"], ["--no-such-flag"]]
)
def test_help_version_and_usage_errors_import_nothing_heavy(arguments: list[str]) -> None:
    assert imported(*arguments) & HEAVY == set()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("relase", "Error: No such command 'relase'. Did you mean release"),
        ("xyz", "No such command 'xyz'.\n"),
    ],
)
def test_of_a_command_that_is_mistyped_it_is_said_what_may_be_meant(typed: str, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deployctl", typed], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert told in done.stderr


def test_the_version_is_answered_before_typer_is_imported() -> None:
    assert "typer" not in imported("--version")


def test_the_packages_run_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deployctl", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("deployctl 0.")
