"""What every test may ask for."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

for speaks in ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "NO_COLOR"):
    os.environ.pop(
        speaks, None
    )  # the tool would look different there; a test that is about it says so itself

settings.register_profile("facts", deadline=None)  # how long a case takes is no fact about it
settings.load_profile("facts")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="write down what is true now: scenarios, docs, diagrams"
    )


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rewrite"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the contracts came to, whichever worker asked."""
    from tests.cluster import figures
    from tests.contracts.cluster.table import lines

    figures.ran(terminalreporter.stats)
    reports = [one for several in terminalreporter.stats.values() for one in several]
    for line in lines(reports):
        terminalreporter.write_line(line)
