"""What every test may ask for."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("facts", deadline=None)  # how long a case takes is no fact about it
settings.load_profile("facts")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="write down what is true now: scenarios, docs, diagrams"
    )


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rewrite"))
