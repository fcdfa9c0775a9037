"""GitHub Actions: a group, annotations, a step summary, outputs.

The runner takes a line with `::` at its beginning, or `##[` anywhere, for a command, whoever wrote it; so while
foreign text may come, commands are stopped by a token that nobody can guess.
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from deployctl.ci import End
from deployctl.render.report import plain
from deployctl.spoken import harmless

MOST_ANNOTATIONS = 10  # of a kind, in one step; more are dropped without a word
MOST_SUMMARY_BYTES = 1024 * 1024  # of all of a step; one byte more, and none of it is shown
ROOM_BYTES = 4096  # for what a runner adds
CUT = "\n_The rest is left out: a step summary has room for 1 MiB._\n"


class GitHub:
    """Speaks to the runner of one step; `env` names its files."""

    def __init__(
        self, env: Mapping[str, str], token: Callable[[], str] = lambda: secrets.token_hex(16)
    ) -> None:
        self._env, self._token = env, token
        self._stopped = ""

    def opens(self, title: str) -> Iterator[str]:
        yield f"::group::{data(harmless(title))}"
        yield self._stop()

    def closes(self) -> Iterator[str]:
        """End the group; what is told after it is foreign, too."""
        yield from (self._go(), "::endgroup::", self._stop())

    def ends(self, end: End) -> Iterator[str]:
        self._summarize(end)
        self._put_out(end)
        yield self._go()
        yield from annotated(end)

    def _stop(self) -> str:
        self._stopped = self._token()
        return f"::stop-commands::{self._stopped}"

    def _go(self) -> str:
        return f"::{self._stopped}::"

    def _summarize(self, end: End) -> None:
        file = self._env.get("GITHUB_STEP_SUMMARY")
        if file:
            there = Path(file).stat().st_size if Path(file).exists() else 0
            _append(file, fitted(summary(end), MOST_SUMMARY_BYTES - ROOM_BYTES - there))

    def _put_out(self, end: End) -> None:
        file = self._env.get("GITHUB_OUTPUT")
        if file:
            parts = ((name, harmless(value), self._token()) for name, value in end.values().items())
            _append(file, "".join(f"{name}<<{mark}\n{value}\n{mark}\n" for name, value, mark in parts))


def _append(file: str, text: str) -> None:
    with Path(file).open("a", encoding="utf-8") as to:
        to.write(text)


def annotated(end: End) -> Iterator[str]:
    """Give what the page of the run shows: the verdict, and the gates that said no, as many as are shown."""
    if end.good:
        yield annotation("notice", end.title, end.reason or end.title)
        return
    no = [one for one in end.gates if one.passed is False]
    yield annotation("error", end.title, end.reason or f"exit code {end.code}")
    room = MOST_ANNOTATIONS - 1
    shown = no if len(no) <= room else no[: room - 1]
    yield from (annotation("error", f"gate {one.name} ({one.stage}) said no", one.evidence) for one in shown)
    if len(no) > len(shown):
        rest = len(no) - len(shown)
        yield annotation("error", f"{rest} more gates said no", "the step summary has them all")


def annotation(kind: str, title: str, text: str) -> str:
    return f"::{kind} title={value(harmless(title))}::{data(harmless(text))}"


def data(text: str) -> str:
    """Escape what follows a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def value(text: str) -> str:
    """Escape a property of a command."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def summary(end: End) -> str:
    """Write the Markdown of a run."""
    lines = [f"## {plain(end.title)}", "", *((plain(end.reason), "") if end.reason else ())]
    if end.gates:
        lines += ["| gate | stage | answer | evidence |", "|--|--|--|--|"]
    for one in end.gates:
        said = {True: "passed", False: "said no", None: "no verdict"}[one.passed]
        lines.append(f"| {plain(one.name)} | {one.stage} | {said} | {plain(one.evidence)} |")
    lines += ["", *(f"- next: `{one}`" for one in end.next if end.code), ""]
    return "\n".join(lines) + "\n"


def fitted(text: str, room: int) -> str:
    """Cut a text at the end of a line, and say so; nothing at all where not even that has room."""
    whole = text.encode()
    if len(whole) <= room:
        return text
    cut = whole[: max(0, room - len(CUT.encode()))].rpartition(b"\n")[0].decode(errors="ignore")
    return f"{cut}\n{CUT}" if cut else ""
