"""The pages of the documentation, cut into their fenced blocks, and the sessions in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(deployctl [^`\n>|]+)[^`\n]*`")
CALLED = re.compile(r"(?:^|^ *- |run: |command: |[&|]{2} )\s*deployctl ([^#|;&>)\n]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: where its text stands in the page, and what the fence says of it."""

    page: Path
    start: int
    info: str
    text: str

    @property
    def where(self) -> str:
        line = self.page.read_text().count("\n", 0, self.start) + 1
        return f"{self.page.relative_to(ROOT)}:{line}"

    @property
    def file(self) -> str:
        """The file that the block is the text of: `yaml deployctl.yaml`."""
        return self.info.partition(" ")[2]


@dataclass(frozen=True, slots=True)
class Shown:
    """One command of a session and what is shown of its output."""

    command: str
    output: tuple[str, ...] = ()


def pages() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    for found in FENCE.finditer(page.read_text()):
        yield Block(page, found.start("text"), found["info"].strip(), found["text"])


def session(text: str) -> list[Shown]:
    """Read `$ command`, with `> ` for its further lines, and the output under it."""
    found: list[Shown] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(Shown(line[2:]))
        elif line.startswith("> ") and not found[-1].output:
            found[-1] = Shown(f"{found[-1].command}\n{line[2:]}")
        else:
            found[-1] = replace(found[-1], output=(*found[-1].output, line))
    return found


def prose(page: Path) -> str:
    """Give a page without its blocks."""
    return FENCE.sub("", page.read_text())


def commands(page: Path) -> Iterator[str]:
    """List every command line of deployctl that a page shows: in sessions, in other blocks, in its prose."""
    for block in blocks(page):
        if block.info.startswith(("python", "toml", "text", "mermaid")):
            continue
        shown = (
            "\n".join(one.command for one in session(block.text)) if block.info == "console" else block.text
        )
        yield from (f"deployctl {one.strip()}" for one in CALLED.findall(shown.replace("\\\n", " ")))
    yield from INLINE.findall(prose(page))
