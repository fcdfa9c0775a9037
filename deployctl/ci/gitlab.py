"""GitLab CI: a section that can be folded. What later jobs may want goes to --dotenv, gates go to --junit.

https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from deployctl.ci import End
from deployctl.spoken import harmless

NAME = "deployctl"


class GitLab:
    """Folds the story; `now` gives seconds since 1970."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now

    def opens(self, title: str) -> Iterator[str]:
        yield f"\x1b[0Ksection_start:{self._now():.0f}:{NAME}[collapsed=false]\r\x1b[0K{harmless(title)}"

    def closes(self) -> Iterator[str]:
        yield f"\x1b[0Ksection_end:{self._now():.0f}:{NAME}\r\x1b[0K"

    def ends(self, end: End) -> Iterator[str]:
        del end
        return iter(())
