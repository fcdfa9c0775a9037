"""Runs the sessions of a page, and tells what is the same in two outputs of one command."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.pages import Block, Shown, blocks, session

NAMESPACE = "igaming"
STAMP = r"^( *\d+[hms\d]* +)?"
PASSING = re.compile(STAMP + r"\w[\w-]*: (still )?waiting for (?!keepOld|\d+ preview pods to bake)")
BRIEF = re.compile(STAMP + r"\w[\w-]*: ((still )?waiting for|asking the gates)")
Run = Callable[[str], subprocess.CompletedProcess[str]]


def wrapper(folder: Path) -> Path:
    """Make `deployctl` a command of its own, as an installed one is; give the folder for PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / "deployctl"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m deployctl "$@"\n')
    program.chmod(0o755)
    return folder


@dataclass
class Shell:
    """Runs one command after the other in one folder; `run` starts one.

    The namespace is shown as the page's, and so are `addresses`: what a page shows, with where it really is.
    """

    folder: Path
    run: Run
    namespace: str = NAMESPACE
    code: int = 0
    addresses: dict[str, str] = field(default_factory=dict)

    def write(self, block: Block) -> None:
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = block.text
        for shown, real in self.addresses.items():
            text = text.replace(shown, real)
        path.write_text(text)

    def call(self, command: str) -> tuple[str, ...]:
        """Run a command and give its output as a page shows it."""
        done = self.run(f"(exit {self.code}); {command}")
        self.code = done.returncode
        text = done.stdout.replace(self.namespace, NAMESPACE).replace(socket.gethostname(), "laptop")
        for shown, real in self.addresses.items():
            text = text.replace(real, shown)
        return presentable(text.rstrip().splitlines())


def presentable(lines: list[str]) -> tuple[str, ...]:
    """Leave out the lines that only count pods or endpoints while they come: how many there are is chance."""
    return tuple(line.rstrip() for line in lines if not PASSING.match(line))


@dataclass
class Sameness:
    """Rewrites what differs from run to run; a hash is called by the order in which hashes came up."""

    hashes: dict[str, str] = field(default_factory=dict)

    def lines(self, shown: tuple[str, ...]) -> list[str]:
        """Leave out what is told only where it takes a while, too."""
        return [self.line(one) for one in shown if not BRIEF.match(one)]

    def line(self, text: str) -> str:
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "<time>", text)
        text = re.sub(r"\bsha256:[0-9a-f]{64}\b", "sha256:<digest>", text)
        text = re.sub(r"(?<![\w-])[0-9a-f]{12}\b", "<id>", text)
        text = re.sub(r"@laptop/\d+", "@laptop/<pid>", text)
        text = re.sub(r"\b(?=[bcdf-hj-np-tv-z2-9]*\d)[bcdf-hj-np-tv-z2-9]{8,10}\b", self._hash, text)
        text = re.sub(r"(<hash \d+>)-[bcdf-hj-np-tv-z2-9]{5}\b", r"\1-<pod>", text)
        text = re.sub(r"\b(\d+h)?(\d+m)?\d+(\.\d+)?s\b|\b(\d+h)?\d+m\b", "<span>", text)
        return re.sub(r"\s+", " ", text).strip()

    def _hash(self, found: re.Match[str]) -> str:
        return self.hashes.setdefault(found[0], f"<hash {len(self.hashes) + 1}>")


def play(page: Path, shell: Shell) -> list[tuple[Block, list[Shown]]]:
    """Run a page from top to bottom: write its named files, run its sessions, give what really happened."""
    played = []
    for block in blocks(page):
        if block.file:
            shell.write(block)
        if block.info == "console":
            now = [Shown(one.command, shell.call(one.command)) for one in session(block.text)]
            played.append((block, now))
    return played


def differences(played: list[tuple[Block, list[Shown]]]) -> list[str]:
    """Name every command whose output is not what the page shows."""
    before, now = Sameness(), Sameness()
    found = []
    for block, real in played:
        for shown, happened in zip(session(block.text), real, strict=True):
            old, new = before.lines(shown.output), now.lines(happened.output)
            if old != new:
                found.append(f"{block.where}: $ {shown.command}\nshown:\n{_all(old)}\nreal:\n{_all(new)}")
    return found


def rewritten(page: Path, played: list[tuple[Block, list[Shown]]]) -> str:
    """Give the page with the output that really came."""
    text = page.read_text()
    for block, real in reversed(played):
        text = text[: block.start] + _block(real) + text[block.start + len(block.text) :]
    return text


def _block(real: list[Shown]) -> str:
    lines = []
    for one in real:
        first, *more = one.command.split("\n")
        lines += [f"$ {first}", *(f"> {line}" for line in more), *one.output]
    return "\n".join(lines) + "\n"


def _all(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)


def check(page: Path, shell: Shell, *, rewrite: bool) -> None:
    """Hold a page against reality, or bring it up to date."""
    played = play(page, shell)
    wrong = differences(played)
    broken = [
        one.command for _, real in played for one in real if any("Traceback" in line for line in one.output)
    ]
    assert not broken, f"these crash: {broken}"
    if wrong and rewrite:
        page.write_text(rewritten(page, played))
        return
    assert not wrong, "\n\n".join([*wrong, "pytest --rewrite brings the page up to date"])
