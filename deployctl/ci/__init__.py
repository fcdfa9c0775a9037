"""What a CI vendor is told beside the story: one file a vendor, chosen by its environment or by --ci.

A vendor puts lines around the story, and takes the end of a run into its own files and annotations. Text from pods
and from the cluster is foreign: no vendor may take it for a command.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from deployctl.errors import UsageError
from deployctl.render.timeline import Span

NAMES = ("none", "github", "gitlab", "circleci")
MARKS = {"github": "GITHUB_ACTIONS", "gitlab": "GITLAB_CI", "circleci": "CIRCLECI"}
GOOD = (0, 4)  # done, or waiting for a person


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended: its exit code, its words, its gates, and what to run next."""

    app: str
    namespace: str
    release: str
    code: int
    outcome: str
    reason: str = ""
    stable: str = ""
    preview: str = ""
    gates: tuple[Span, ...] = ()
    next: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.app} {self.outcome}"

    @property
    def good(self) -> bool:
        return self.code in GOOD

    def values(self) -> dict[str, str]:
        """Give what later steps may want, by names that every vendor takes."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "release": self.release,
            "stable": self.stable,
            "preview": self.preview,
            "exit_code": str(self.code),
        }


class Vendor(Protocol):
    """A CI system; lines go to standard error as they are."""

    def opens(self, title: str) -> Iterable[str]:
        """Give the lines before the story."""

    def closes(self) -> Iterable[str]:
        """Give the lines after the story, before the verdict."""

    def ends(self, end: End) -> Iterable[str]:
        """Write the vendor's files; give the lines after everything else. Raises OSError."""


def chosen(choice: str, env: Mapping[str, str]) -> Vendor | None:
    """Find the vendor that is asked for, else the one whose environment this is; None outside of CI."""
    if choice and choice not in NAMES:
        raise UsageError(f"--ci {choice}: unknown; expected one of {', '.join(NAMES)}")
    name = choice or next((one for one, mark in MARKS.items() if env.get(mark, "").lower() == "true"), "none")
    if name == "github":
        from deployctl.ci.github import GitHub

        return GitHub(env)
    if name == "gitlab":
        from deployctl.ci.gitlab import GitLab

        return GitLab()
    if name == "circleci":
        from deployctl.ci.circleci import CircleCi

        return CircleCi(env)
    return None
