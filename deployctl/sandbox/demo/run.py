"""The demo: a private sandbox, customers that never stop, a story, and the picture of it."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from deployctl.errors import UsageError
from deployctl.render.answers import Answers, answers, together
from deployctl.render.overview import Overview
from deployctl.render.page import HOW_TO_READ, Part, page
from deployctl.render.terminal import colors
from deployctl.sandbox.demo.place import RATE, loads, manifests, sandbox, scale
from deployctl.sandbox.demo.stage import Act, Stage
from deployctl.sandbox.demo.stories import STORIES, Story
from deployctl.sandbox.demo.voice import WIDEST, Voice
from deployctl.sandbox.practice.home import Home

Json = dict[str, Any]
SCENARIOS = {one.name: one.about for one in STORIES}
USUAL_PAGE = Path("deployctl-demo.html")
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTRODUCTION = """\
An online casino runs {apps}, six copies ("pods") of each, and has a new version to bring out. Just replacing the pods \
would fail the requests that arrive at the wrong moment, and a broken version would be noticed by the players first. \
deployctl starts the new version beside the old one, asks it questions, moves the traffic only when every answer is \
yes, and can take it back at any moment. It installs nothing in the cluster.

This is a practice cluster on your machine. Its Kubernetes API is deployctl's own rebuilding, held against a real \
one by tests. The pods are real processes, the requests are real, and every command below is the real command line. \
{rate} requests a second go on for as long as the story does.
"""
KEPT = """\
Half of the requests come on connections that are kept open: those stay with their pod until it goes. The others \
connect anew each time, and go where the traffic has moved.
"""


class Stopped(BaseException):
    """A signal ends the story; like KeyboardInterrupt it is no error."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


@dataclass
class Ended:
    """What the demo found; `ok` where every command ended as told and no request failed."""

    story: Story
    acts: list[Act]
    seen: Mapping[str, Answers]
    seconds: float
    page: Path
    silent: list[str]

    @property
    def whole(self) -> Answers:
        return together(self.seen.values())

    @property
    def wrong(self) -> list[str]:
        """Say everything that is not as it should be."""
        found = [
            f"{one.command}: exit {one.code}, not {one.expected}" for one in self.acts if not one.as_told
        ]
        if self.whole.failed:
            found.append(f"{self.whole.failed} requests failed")
        heard = {name for one in self.seen.values() for name in one.names.values()}
        return [*found, *(f"revision {one} answered requests" for one in self.silent if one in heard)]

    def document(self) -> Json:
        return {
            "apiVersion": "deployctl.dev/v1alpha1",
            "kind": "DemoResult",
            "scenario": self.story.name,
            "ok": not self.wrong,
            "wrong": self.wrong,
            "requests": self.whole.requests,
            "failed": self.whole.failed,
            "seconds": round(self.seconds, 1),
            "page": str(self.page),
            "steps": [
                {"title": one.title, "command": one.command, "exit": one.code, "expected": one.expected,
                 "seconds": round(one.seconds, 1)}
                for one in self.acts
            ],
        }  # fmt: skip


def demo(scenario: str | None, output: str = "table", out: Path = USUAL_PAGE, color: str = "auto") -> int:
    """Tell a story and give the exit code: 1 where a request failed or a command did not end as told."""
    story = _named(scenario)
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}: expected a file in a folder that is there")
    stream = sys.stderr if output == "json" else sys.stdout
    width = min(WIDEST, shutil.get_terminal_size().columns - 1) if stream.isatty() else 80
    voice = Voice(stream, width, colors(color, stream))
    try:
        with _stoppable():
            ended = _told(story, voice, out)
    except Stopped as stopped:
        voice.line("interrupted; the sandbox, its pods and the load are gone")
        return stopped.code
    if output == "json":
        print(json.dumps(ended.document(), indent=2))
    return 1 if ended.wrong else 0


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM end the story, and no second one keep it from being taken down."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for one in ENDING:
            signal.signal(one, signal.SIG_IGN)
        raise Stopped(number)

    before = {one: signal.signal(one, stop) for one in ENDING}
    try:
        yield
    finally:
        for one, handled in before.items():
            signal.signal(one, handled)


def _named(scenario: str | None) -> Story:
    found = [one for one in STORIES if one.name == (scenario or STORIES[0].name)]
    if not found:
        raise UsageError(f"no scenario {scenario}; expected one of {', '.join(SCENARIOS)}")
    return found[0]


def _told(story: Story, voice: Voice, out: Path) -> Ended:
    """Tell a story from the sandbox's start to its end."""
    began = time.monotonic()
    voice.says(INTRODUCTION.format(apps=" and ".join(story.apps), rate=round(2 * RATE * len(story.apps))))
    with tempfile.TemporaryDirectory(prefix="deployctl-demo-") as folder:
        work = manifests(Path(folder, "work"))
        with sandbox(Home(Path(folder, "sandbox")), voice.line) as home:
            stage = Stage(work, home.kubeconfig, voice, lambda app, pods: scale(home, app, pods))
            with ExitStack() as going:
                customers = {app: loads(going, home, app) for app in story.apps}
                story.tell(stage)
                time.sleep(1.0)  # what came last is answered for a moment, too
            seen = {app: answers(asdict(one.report) for one in both) for app, both in customers.items()}
    return _close(story, stage, seen, out.absolute(), began)


def _close(story: Story, stage: Stage, seen: Mapping[str, Answers], out: Path, began: float) -> Ended:
    """Draw it all, write the page and say how it went."""
    voice = stage.voice
    drawn = [one for one in stage.timelines() if one.moments]
    told = [replace(one, answers=_meanwhile(seen, one.app, one.began, one.seconds)) for one in drawn]
    voice.heading("What the customers saw: answers a second of each version, and the releases meanwhile")
    voice.says(KEPT)
    voice.line("")
    overview = Overview(told, seen)
    voice.shows(*overview.rows(voice.width, voice.glyphs))
    commands = ["\n".join(one.command for one in stage.of(each.title)) for each in told]
    says = [stage.of(each.title)[0].says for each in told]
    parts = [Part(of, text, command) for of, text, command in zip(told, says, commands, strict=True)]
    out.write_text(page(f"deployctl: {story.about}", parts, seen, f"{HOW_TO_READ} {KEPT}"), encoding="utf-8")
    ended = Ended(story, stage.acts, seen, time.monotonic() - began, out, stage.silent)
    for one in ended.wrong:
        voice.line(f"not as it should be: {one}", "no")
    took = f"all of it took {ended.seconds:.0f} s, nothing is left running"
    voice.line(f"The same in colour, with every step: {out}")
    voice.line(f"{ended.whole.closing()} ({took})", "no" if ended.wrong else "bold")
    return ended


def _meanwhile(seen: Mapping[str, Answers], app: str, began: float, seconds: float) -> Answers:
    return seen.get(app, Answers()).between(began, began + seconds)
