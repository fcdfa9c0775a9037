"""One run in a CI job: the lines around its story, and its files at the end."""

from __future__ import annotations

import atexit
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from deployctl.aloud import aloud
from deployctl.ci import End, Vendor, chosen
from deployctl.ci.files import dotenv, junit
from deployctl.errors import UsageError
from deployctl.gates.stage import Stages
from deployctl.observe import Snapshot
from deployctl.releases import Run
from deployctl.render import words
from deployctl.render.folding import timeline
from deployctl.render.jsonl import Jsonl
from deployctl.render.timeline import Span
from deployctl.rollout import Story
from strategies.model import Action, Observed, Step

Json = dict[str, Any]


class Heard:
    """A story that is told on, while its events are kept."""

    def __init__(self, told: Story, app: str) -> None:
        self.told, self.lines = told, list[str]()
        self._events = Jsonl(app, self.lines.append)

    def turn(self, look: Snapshot, seen: Observed, step: Step, stages: Stages) -> None:
        self._events.turn(look, seen, step, stages)
        self.told.turn(look, seen, step, stages)

    def did(self, action: Action, seen: Observed) -> None:
        self._events.did(action, seen)
        self.told.did(action, seen)

    def note(self, text: str) -> None:
        self.told.note(text)

    def close(self) -> None:
        self.told.close()

    def gates(self) -> tuple[Span, ...]:
        """Give the gates that were asked, each with its time and its verdict."""
        return tuple(one for one in timeline(map(json.loads, self.lines)).spans if one.stage)


def tell(line: str) -> None:
    aloud(line, sys.stderr)


def last(lines: tuple[str, ...]) -> None:
    """Tell lines after everything else that this process says."""

    def tell_all() -> None:
        sys.stdout.flush()
        for line in lines:
            tell(line)

    atexit.register(tell_all)


class Job:
    """Tells the CI of one run. Outside of CI, and without files asked for, it does nothing."""

    def __init__(
        self,
        run: Run,
        vendor: Vendor | None,
        files: Mapping[str, Callable[[End], bytes]],
        last: Callable[[tuple[str, ...]], None] = last,
    ) -> None:
        self._run, self._vendor, self._files, self._last = run, vendor, files, last
        self._heard: Heard | None = None

    def __enter__(self) -> Job:
        names = self._run.plan.names
        if self._vendor or self._files:
            self._heard = Heard(self._run.story, names.app)
            self._run.story = self._heard
        for line in (
            self._vendor.opens(f"deployctl: {names.app} in {names.namespace}") if self._vendor else ()
        ):
            tell(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._heard:
            self._run.story = self._heard.told
        for line in self._vendor.closes() if self._vendor else ():
            tell(line)

    def ends(self, code: int, outcome: str, reason: str = "") -> int:
        """Write the files, and give the exit code on: what cannot be written does not change how it ended."""
        if self._heard is None:
            return code
        end = self._end(self._heard, code, outcome, reason)
        for name, written in self._files.items():
            try:
                Path(name).write_bytes(written(end))
            except OSError as error:
                tell(f"warning: {name} was not written: {error.strerror}")
        try:
            self._last(tuple(self._vendor.ends(end)) if self._vendor else ())
        except OSError as error:
            tell(f"warning: the CI's own files were not written: {error}")
        return code

    def _end(self, heard: Heard, code: int, outcome: str, reason: str) -> End:
        run = self._run
        names, seen = run.plan.names, run.last
        return End(
            app=names.app,
            namespace=names.namespace,
            release=run.plan.memory.id,
            code=code,
            outcome=outcome,
            reason=reason,
            stable=seen.stable.revision if seen else "",
            preview=seen.preview.revision if seen else "",
            gates=heard.gates(),
            next=words.next_commands(names.app, seen) if seen and seen.phase else (),
        )


def silent(run: Run) -> Job:
    """Make what tells the CI nothing, of a run that is not all of a command."""
    return Job(run, None, {})


def job(run: Run, ci: str, junit_file: str, dotenv_file: str) -> Job:
    """Make what tells the CI; raise UsageError before anything is touched where it could not."""
    files = {junit_file: junit, dotenv_file: dotenv}
    asked = {name: written for name, written in files.items() if name}
    for name in asked:
        _writable(name)
    return Job(run, chosen(ci, os.environ), asked)


def _writable(name: str) -> None:
    try:
        with Path(name).open("a"):
            pass
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}", advice="name a file that can be written") from error
