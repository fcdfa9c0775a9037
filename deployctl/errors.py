"""What a person must mend, each kind with its exit code.

    DeployctlError             1   the API or something unexpected failed
    ├── UsageError             2   a flag, an argument or an unanswered question
    │   └── SpecError          2   problems of a file, each with its place
    ├── TimedOut               5   a time-out passed and the release was left to stand
    ├── Conflict               6   somebody else holds the lock, or the object changed under us
    │   ├── LockHeld           6
    │   └── LockLost           6
    ├── Forbidden              7   not allowed, or not logged in
    ├── Degraded               8   could not get back by itself
    └── Refused                9   refused by policy

A gate that said no (3), a person waited for (4) and a release that ended are outcomes, not errors:
`deployctl.rollout.Outcome`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class DeployctlError(Exception):
    """Something failed; `advice` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class UsageError(DeployctlError):
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file: `file:line:col: path: message`, lines and columns from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}"


class SpecError(UsageError):
    """All the problems of one or more files at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class TimedOut(DeployctlError):
    exit_code = 5


class Conflict(DeployctlError):
    exit_code = 6


class LockHeld(Conflict):
    """Another process runs this release and its lease has not ended."""


class LockLost(Conflict):
    """Another process raised the fence: this one may write no more."""


class Forbidden(DeployctlError):
    exit_code = 7


class Degraded(DeployctlError):
    exit_code = 8


class Refused(DeployctlError):
    exit_code = 9
