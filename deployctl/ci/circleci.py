"""CircleCI: what later steps of the job may want goes to $BASH_ENV; gates go to --junit.

A wait is told anew every 30 seconds anyway, for a job that is silent for ten minutes is killed.
https://circleci.com/docs/env-vars/#parameters-and-bash-environment
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from deployctl.ci import End
from deployctl.spoken import harmless


class CircleCi:
    """Leaves variables for the steps that follow."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def opens(self, title: str) -> Iterator[str]:
        del title
        return iter(())

    def closes(self) -> Iterator[str]:
        return iter(())

    def ends(self, end: End) -> Iterator[str]:
        file = self._env.get("BASH_ENV")
        if file:
            with Path(file).open("a", encoding="utf-8") as to:
                to.writelines(
                    f"export DEPLOYCTL_LAST_{name.upper()}={shlex.quote(harmless(value))}\n"
                    for name, value in end.values().items()
                )
        return iter(())
