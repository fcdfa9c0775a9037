"""Where a story is told: it says what comes, runs the real command line, shows its output and draws what happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from deployctl.render.chart import Chart
from deployctl.render.folding import timeline
from deployctl.render.timeline import Timeline
from deployctl.sandbox.demo.voice import Voice

Json = dict[str, Any]
KILLED = -9


@dataclass
class Act:
    """One command of a story and what became of it; `code` is -9 where the story killed it."""

    title: str
    says: str
    command: str
    expected: int
    code: int = 0
    began: float = 0.0
    seconds: float = 0.0
    events: list[Json] = field(default_factory=list)

    @property
    def as_told(self) -> bool:
        return self.code == self.expected


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What the story does to a running command, once one of its lines has these words."""

    words: str
    then: Callable[[subprocess.Popen[str]], None]


@dataclass
class Stage:
    """Runs commands in `folder`, which holds the manifests of the example platform."""

    folder: Path
    kubeconfig: Path
    voice: Voice
    scale: Callable[[str, int], None]  # an app to so many pods, as a colleague does
    acts: list[Act] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)  # revisions that must not answer a single request

    def edit(self, app: str, **env: str | None) -> None:
        """Set variables of the app's container in its manifest, as a person with an editor does; None takes one out."""
        import yaml

        path = self.folder / "igaming" / app / "deployment.yaml"
        one = yaml.safe_load(path.read_text())
        container = one["spec"]["template"]["spec"]["containers"][0]
        held = {each["name"]: each["value"] for each in container["env"]}
        kept = {key: value for key, value in {**held, **env}.items() if value is not None}
        container["env"] = [{"name": key, "value": value} for key, value in kept.items()]
        path.write_text(yaml.safe_dump(one, sort_keys=False))
        changes = ", ".join(
            f"{key}={value}" if value is not None else f"no {key}" for key, value in env.items()
        )
        self.voice.line(f"  edit igaming/{app}/deployment.yaml: {changes}", "dim")

    def sets(self, app: str, before: str, after: str) -> None:
        """Change the app's spec for deployctl, as a person with an editor does."""
        path = self.folder / "igaming" / app / "deployctl.yaml"
        text = path.read_text()
        if before not in text:
            raise ValueError(f"{path.name} of {app} says nothing of {before}")
        path.write_text(text.replace(before, after))
        self.voice.line(f"  edit igaming/{app}/deployctl.yaml: {after}", "dim")

    def flag(self, app: str, name: str, when: str) -> None:
        """Let releases of the app turn a flag on, before they ask their first gates or after the shift; now it is off."""
        kept, spec = self.folder / "flags.json", self.folder / "igaming" / app / "deployctl.yaml"
        flags = json.loads(kept.read_text())["flags"] if kept.exists() else {}
        flags[name] = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
        kept.write_text(json.dumps({"flags": flags}))
        moves = f"{when}: {{{name}: true}}"
        spec.write_text(f"{spec.read_text()}  flags: {{provider: {{file: {{path: flags.json}}}}, {moves}}}\n")
        self.voice.line(f"  edit igaming/{app}/deployctl.yaml: flags: {{{moves}}}", "dim")

    def act(self, title: str, says: str) -> None:
        """Announce what comes."""
        number = 1 + len({one.title for one in self.acts})
        self.voice.heading(f"{number}. {title}")
        self.voice.says(says)
        self.voice.line("")
        self._announced = (title, says)

    def runs(self, *words: str, exits: int = 0, meanwhile: Meanwhile | None = None) -> Act:
        """Run a command that tells events, show its lines as they come, and draw what happened."""
        act = Act(*self._announced, f"deployctl {' '.join(words)}", exits)
        self.acts.append(act)
        with (self.folder / f"{len(self.acts)}.jsonl").open("w+") as told:
            self._play(act, [*words, "-o", "jsonl"], told, meanwhile)
            told.seek(0)
            act.events = list(_events(told))
        self._close(act)
        return act

    def looks(self, *words: str) -> None:
        """Run a command that only looks, and show what it says."""
        self.voice.line(f"$ deployctl {' '.join(words)}", "bold")
        done = subprocess.run(
            self._command(words), cwd=self.folder, env=self._environment(), text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        for line in done.stdout.splitlines():
            self.voice.line(f"  {line}")
        self.voice.line("")

    def timelines(self) -> list[Timeline]:
        """Give one timeline for each announced act, of all its commands."""
        titles = dict.fromkeys(one.title for one in self.acts)
        return [timeline([each for one in self.of(title) for each in one.events], title) for title in titles]

    def of(self, title: str) -> list[Act]:
        return [one for one in self.acts if one.title == title]

    def _play(self, act: Act, words: Sequence[str], told: TextIO, meanwhile: Meanwhile | None) -> None:
        self.voice.line(f"$ {act.command}", "bold")
        act.began = time.time()
        with subprocess.Popen(
            self._command(words), cwd=self.folder, env=self._environment(), text=True, stdout=told,
            stderr=subprocess.PIPE, start_new_session=True,
        ) as running:  # fmt: skip
            try:
                self._listen(running, meanwhile)
                act.code = running.wait()
            finally:
                running.kill()
        act.seconds = time.time() - act.began

    def _listen(self, running: subprocess.Popen[str], meanwhile: Meanwhile | None) -> None:
        """Show each line; do once what the story does meanwhile."""
        for line in running.stderr or ():
            self.voice.line(f"  {line.rstrip()}")
            if meanwhile and meanwhile.words in line:
                meanwhile.then(running)
                meanwhile = None

    def _close(self, act: Act) -> None:
        """Say the exit code and draw the act so far."""
        ends = "killed" if act.code == KILLED else f"exit {act.code}"
        as_told = "" if act.as_told else f", but {act.expected} was expected"
        self.voice.line(f"  {ends}{as_told}", "dim" if act.as_told else "no")
        told = [each for one in self.of(act.title) for each in one.events]
        drawn = Chart(replace(timeline(told), title=""), self.voice.width, self.voice.glyphs)
        if drawn.of.moments:
            self.voice.line("")
            self.voice.shows(*drawn.picture())
        self.voice.line("")

    def _command(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "deployctl", *words]

    def _environment(self) -> dict[str, str]:
        """Give the user's environment without what would lead the command elsewhere."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DEPLOYCTL_")}
        return {**kept, "KUBECONFIG": str(self.kubeconfig)}


def _events(told: TextIO) -> Iterator[Json]:
    """Read the events; the last line of a killed command may be half of one."""
    for line in told:
        if line.endswith("\n"):
            yield json.loads(line)


def killed(running: subprocess.Popen[str]) -> None:
    """Kill a command as a lost machine does: nothing of it runs on."""
    running.kill()
