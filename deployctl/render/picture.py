"""Draws releases from files of their events: `python -m deployctl.render.picture [--html PAGE] FILE...`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deployctl.render.cells import ASCII, UNICODE, painted
from deployctl.render.chart import Chart
from deployctl.render.folding import timeline
from deployctl.render.page import Part, page
from deployctl.render.terminal import colors
from deployctl.render.timeline import Timeline

Json = dict[str, Any]


def main(words: Sequence[str] | None = None) -> int:
    """Draw in the terminal, or write one page; exit 2 where a file holds no events."""
    args = parser().parse_args(words)
    try:
        found = [timeline(events(file.read_text()), file.stem) for file in args.files]
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if args.html:
        args.html.write_text(page("Releases", [Part(one) for one in found]), encoding="utf-8")
    else:
        print("\n\n".join(drawn(one) for one in found))
    return 0


def events(text: str) -> list[Json]:
    """Read what `-o jsonl` printed; the last line may be half of one, of a process that was killed."""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def drawn(one: Timeline) -> str:
    width = shutil.get_terminal_size().columns
    glyphs = UNICODE if "utf" in (sys.stdout.encoding or "").lower() else ASCII
    return painted(Chart(one, width, glyphs).rows(), color=colors("auto", sys.stdout))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deployctl.render.picture", description=__doc__)
    parser.add_argument("--html", type=Path, metavar="PAGE", help="write a page instead")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="what `-o jsonl` printed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
