"""The stories that the demo tells: what happens, why it matters, and the commands that make it happen."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from deployctl.sandbox.demo.stage import KILLED, Meanwhile, Stage, killed

BALANCES, SESSIONS = "igaming/balances", "igaming/game-sessions"


@dataclass(frozen=True, slots=True)
class Story:
    """One story: the apps that get load meanwhile, one line on what it is about, and how it goes."""

    name: str
    about: str
    apps: tuple[str, ...]
    tell: Callable[[Stage], None]


def tour(stage: Stage) -> None:
    """Tell the four that everybody should have seen."""
    _promoted(stage)
    _rolling(stage)
    _refused(stage, "game-sessions", "without it a third of the players would have met the fault")
    _on_call(stage)


def happy(stage: Stage) -> None:
    stage.act(
        "A new version of balances, from start to end",
        "Six pods of the old version answer every request. deployctl starts six new ones beside them, asks each of "
        "them for its health (that question is a gate), and only then moves all traffic, in one step. The old pods "
        "stay for three seconds as the way back, then they go.",
    )
    stage.sets("balances", "keepOld: 5m", "keepOld: 3s")
    stage.edit("balances", REVISION="r2")
    stage.runs("release", BALANCES)
    stage.looks("status", "balances")


def bad_build(stage: Stage) -> None:
    _refused(stage, "balances", "without it the players would have been the first to notice")
    stage.looks("why", "balances")


def slow_start(stage: Stage) -> None:
    stage.act(
        "A version that takes six seconds to start",
        "Slow starts are where careless releases lose requests: a pod exists, but it does not answer yet. deployctl "
        "counts a pod only when it is ready, and moves nothing before all of them are. Watch the traffic stay where "
        "it is.",
    )
    stage.sets("balances", "keepOld: 5m", "keepOld: 3s")
    stage.edit("balances", REVISION="r2", READY_AFTER="6s")
    stage.runs("release", BALANCES)


def killed_and_resumed(stage: Stage) -> None:
    stage.act(
        "The machine that runs the release dies in the middle",
        "Two new pods are in traffic already when the process is killed without a word (SIGKILL). Nothing else "
        "happens: the cluster is left in a state that stands, and everything that matters is written in it. Another "
        "process, on any machine, goes on from there.",
    )
    stage.sets("game-sessions", "bake: 10s", "bake: 2s")
    stage.edit("game-sessions", REVISION="r2")
    kill = Meanwhile("asking the gates during", killed)
    stage.runs("release", SESSIONS, exits=KILLED, meanwhile=kill)
    stage.looks("status", "game-sessions")
    stage.runs("resume", "game-sessions")


def scale_up(stage: Stage) -> None:
    stage.act(
        "Somebody scales up in the middle of a release",
        "More players come, and a colleague raises game-sessions from six pods to eight while it is being released, "
        "two pods at a time. The release looks at the cluster before each step, so it goes on with eight.",
    )
    stage.sets("game-sessions", "bake: 10s", "bake: 2s")
    stage.edit("game-sessions", REVISION="r2")

    def eight(_: subprocess.Popen[str]) -> None:
        stage.voice.line("  a colleague: kubectl scale deployment/game-sessions --replicas=8", "wait")
        stage.scale("game-sessions", 8)

    stage.runs("release", SESSIONS, meanwhile=Meanwhile("asking the gates during", eight))
    stage.looks("status", "game-sessions")


def _promoted(stage: Stage) -> None:
    stage.act(
        "A new version of balances, all at once (blue-green)",
        "This change is to come in one step, not bit by bit. deployctl starts six new pods beside the six that "
        "serve, asks each of them for its health (that question is a gate), and only then moves all traffic. The old "
        "pods stay for a while: they are the way back. A feature flag goes on once the traffic is over, and is read "
        "back before the release goes on.",
    )
    stage.flag("balances", "new-wallet", "after")
    stage.edit("balances", REVISION="r2")
    stage.runs("release", BALANCES, "--wait", "promoted")


def _rolling(stage: Stage) -> None:
    stage.act(
        "A new version of game-sessions, two pods at a time (rolling)",
        "Here both versions may answer, so the new one comes in steps. Two new pods are asked before they get any "
        "traffic, and again while they have some; then the next two. A fault that only shows under load would meet "
        "a third of the players at most, for a few seconds.",
    )
    stage.sets("game-sessions", "bake: 10s", "bake: 2s")
    stage.edit("game-sessions", REVISION="r2")
    stage.runs("release", SESSIONS)


def _refused(stage: Stage, app: str, otherwise: str) -> None:
    stage.act(
        "A broken build, refused",
        "The next build's health page answers 500. The gate asks the new pods before they get a single request, "
        f"says no, and deployctl takes them back by itself; {otherwise}. The flag that was to come with the build "
        "goes off first. The command ends with exit code 3, which stops a pipeline.",
    )
    stage.flag(app, "fast-spins", "before")
    stage.edit(app, REVISION="broken", HEALTHZ_STATUS="500")
    stage.silent.append("broken")
    stage.runs("release", f"igaming/{app}", exits=3)


def _on_call(stage: Stage) -> None:
    stage.act(
        "On call: back to the old version, now",
        "The new balances passed every gate, and somebody on call still does not like the numbers. One command goes "
        "back. The flag goes off first, which takes no time; the old pods are still there, so traffic moves at once; "
        "then the new pods go.",
    )
    stage.runs("rollback", "balances")
    stage.looks("flag", "get", "balances", "new-wallet")


STORIES = (
    Story(
        "tour",
        "Blue-green, rolling, a refused build, a rollback on call",
        ("balances", "game-sessions"),
        tour,
    ),
    Story("happy", "A release from start to end", ("balances",), happy),
    Story("bad-build", "A broken build is refused, and taken back by itself", ("balances",), bad_build),
    Story(
        "slow-start",
        "Slow pods get no traffic before they answer",
        ("balances",),
        slow_start,
    ),
    Story(
        "killed-and-resumed",
        "The release's process is killed; another goes on",
        ("game-sessions",),
        killed_and_resumed,
    ),
    Story("scale-up", "A colleague scales up in the middle of a release", ("game-sessions",), scale_up),
)
