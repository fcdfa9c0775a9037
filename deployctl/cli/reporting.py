"""The body of `report`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployctl.cli.flags import Flags
from deployctl.cli.releasing import one_of
from deployctl.cli.session import connect, tell
from deployctl.draft import write
from deployctl.errors import UsageError
from deployctl.past import history, past
from deployctl.render import report as render
from deployctl.render.folding import timeline
from deployctl.render.report import Report
from deployctl.render.timeline import Timeline

Json = dict[str, Any]
WRITTEN: dict[str, Callable[[Report], str]] = {
    "html": render.html,
    "md": render.markdown,
    "json": lambda one: json.dumps(render.document(one), indent=2) + "\n",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of `report` as they were given."""

    format: str
    out: str
    events: str


def report(flags: Flags, app: str, release: str, ask: Asked) -> None:
    """Print the report, or write it where --out says."""
    written = WRITTEN[_format(flags, ask)]
    api = connect(flags)
    known = history(past(api, app), api.now(), release)
    if not known.releases:
        raise UsageError(
            f"{app} in {known.namespace}: no release on record", advice=f"deployctl history {app}"
        )
    one = Report(known.releases[0], _shape(ask.events, app) if ask.events else None)
    _put(written(one), ask.out)


def _format(flags: Flags, ask: Asked) -> str:
    if ask.format:
        one_of("--format", ask.format, tuple(WRITTEN))
        return ask.format
    ending = Path(ask.out).suffix.removeprefix(".")
    return "json" if flags.output == "json" else ending if ending in WRITTEN else "md"


def _shape(file: str, app: str) -> Timeline:
    """Read the events of a run; the last line may be half of one, of a process that was killed."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines(keepends=True)
        found = timeline([json.loads(line) for line in lines if line.endswith("\n")])
    except OSError as error:
        raise UsageError(
            f"--events {file}: {error.strerror}", advice="name a file that can be read"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"--events {file}: no events of a release: {error}", advice="give what `-o jsonl` printed"
        ) from error
    if found.app != app:
        raise UsageError(
            f"--events {file}: events of {found.app or 'nothing'}, not of {app}", advice="give the right file"
        )
    return found


def _put(text: str, out: str) -> None:
    if out == "-":
        sys.stdout.write(text)
        return
    write(text, out, force=True)
    tell(f"{out} written")
