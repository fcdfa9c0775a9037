"""Releases at random on the real cluster while the platform plays, for as long as wanted: `make soak MINUTES=30 SEED=7`.

Each turn one service gets one deed: a release, one that is aborted or rolled back in the middle by another process, one whose process is
killed and that another resumes or rolls back, or a rollback of what was released. Nothing may be lost, cut or broken.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, Platform, grant, platform
from tests.cluster.running import Running, as_before
from tests.cluster.test_all_at_once import playing

pytestmark = pytest.mark.soak
POINTS = ("hold ", "ready", "passed")
WINDOW_SECONDS = 400.0  # the clients of one load end by themselves after ten minutes
DEEDS = ("release", "resume", "abort", "rollback", "undo")


class Soak:
    """One service after the other, each with a deed by the dice, and which revision it has to be at."""

    def __init__(self, igaming: Platform, dice: random.Random) -> None:
        self.apps, self.dice = igaming.apps, dice
        self.turn, self.done = 0, Counter[str]()
        self.now = dict.fromkeys(self.apps, "r1")
        self.last: dict[str, str] = {}

    def step(self) -> None:
        self.turn += 1
        app, deed = self.apps[self.dice.choice(sorted(self.apps))], self.dice.choice(DEEDS)
        if deed == "undo" and app.name not in self.last:
            deed = "release"
        began = time.monotonic()
        point = self.dice.choice(POINTS)
        print(f"\n{self.turn} {app.name}: {deed}", end="", flush=True)
        self.does(app, deed, point)
        self.done[deed] += 1
        print(f" at {self.now[app.name]}, {time.monotonic() - began:.0f}s", end="", flush=True)
        assert set(app.live_revisions()) == {self.now[app.name]}, f"turn {self.turn}"
        assert as_before(app), f"turn {self.turn}"

    def does(self, app: App, deed: str, point: str) -> None:
        if deed == "undo":
            self.ended(app, "rollback")
            self.now[app.name] = self.last.pop(app.name)
            return
        new = f"t{self.turn}"
        app.env(REVISION=new)
        running = Running(app, "release", str(app.spec))
        if deed == "release":
            assert running.ends(240.0) == 0, running.story
        else:
            running.told(point, timeout=90.0)
            running.dies()
            self.ended(app, deed)
        if deed in {"release", "resume"}:
            self.last[app.name], self.now[app.name] = self.now[app.name], new

    def ended(self, app: App, verb: str) -> None:
        done = app.run(verb, app.name, *(("-y",) if verb == "rollback" else ()))
        assert done.returncode == 0, done.stderr


def test_releases_at_random_lose_nothing(cluster: Cluster, shared_namespace: str, tmp_path: Path) -> None:
    minutes, seed = float(os.environ.get("MINUTES") or 10), int(os.environ.get("SEED") or time.time())
    grant(cluster, shared_namespace)
    igaming = platform(cluster, shared_namespace, tmp_path).installed()
    soak = Soak(igaming, random.Random(seed))
    print(f"\nseed {seed}, {minutes:g} minutes", end="", flush=True)
    until = time.monotonic() + 60 * minutes
    while (now := time.monotonic()) < until:
        with playing(igaming) as played:
            while time.monotonic() < min(until, now + WINDOW_SECONDS):
                soak.step()
        assert played.wrong() == {}
    print(f"\n{soak.turn} turns: {dict(soak.done)}; nothing lost, cut or broken")
