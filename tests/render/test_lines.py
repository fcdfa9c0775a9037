"""One line a change that matters."""

from __future__ import annotations

from deployctl.render.lines import Lines
from strategies.blue_green import BlueGreen
from strategies.model import Ask, Observed, Pod, Question, Service, Side, Stage, Wait
from strategies.quantities import Amount
from strategies.rolling import Rolling
from strategies.simulator import World
from tests.render.stories import NOTHING, Clock, asking, stages, tell

SEEN = Observed(3, Side("old", 3), Side("new", 2, (Pod("a", ready=False), Pod("b"))), (Service("wallet"),))
COMING = Wait("2 of the preview ready", "1 of 2 preview pods ready", 600.0, unbroken=True)


def listener() -> tuple[Lines, list[str], Clock]:
    told: list[str] = []
    clock = Clock()
    return Lines("wallet", told.append, clock), told, clock


def test_a_blue_green_release_is_told_in_a_screenful() -> None:
    lines, told, clock = listener()
    tell(lines, BlueGreen(keep_old_seconds=60), World.at_rest(3, ("wallet",)), clock)
    assert (
        "\n".join(told)
        == """\
    0s  wallet: pause the Deployment; the user's settings are written down
    0s  wallet: pin wallet to stable (stable)
    0s  wallet: hold 3 stable and 2 preview pods (of 3)
    3s  wallet: pause with 3 stable and 2 preview pods
    3s  wallet: asking the gates before, of 2 pods
    3s  wallet: gate smoke passed: /healthz: pass
    3s  wallet: hold 3 stable and 3 preview pods (of 3)
    5s  wallet: pause with 3 stable and 3 preview pods
    6s  wallet: shift 100% of wallet to preview (1 of 1 gates passed)
    6s  wallet: asking the gates after, of 3 pods
    6s  wallet: gate smoke passed: /healthz: pass
    6s  wallet: waiting for keepOld to pass; the old side stands ready
   66s  wallet: waiting for the endpoints' change to reach every node
   68s  wallet: retire the old side: 3 pods
   68s  wallet: unpin wallet: it selects as its manifest says
   68s  wallet: restore the user's settings; promoted"""
    )


def test_alike_writes_to_several_pods_are_one_line() -> None:
    lines, told, clock = listener()
    tell(lines, Rolling(batch=Amount(2), bake_seconds=10), World.at_rest(4, ("wallet",)), clock)
    said = [one.partition("wallet: ")[2] for one in told]
    folded = [one for one in said if one.startswith(("label", "let 2", "detach", "clean"))]
    assert folded == [
        "label 4 pods: what serves now goes on serving",
        "let 2 pods (preview-5, preview-6) in",
        "detach 2 pods (stable-1, stable-2): no new traffic, next to go",
        "let 2 pods (preview-7, preview-8) in",
        "detach 2 pods (stable-3, stable-4): no new traffic, next to go",
        "clean 4 pods: nothing of ours stays",
    ]


def test_counts_that_change_are_no_new_line() -> None:
    lines, told, clock = listener()
    lines.turn(NOTHING, SEEN, COMING, stages())
    clock.seconds = 5
    lines.turn(NOTHING, SEEN, COMING, stages())
    clock.seconds = 6
    lines.turn(NOTHING, SEEN, Wait(COMING.key, "2 of 2 preview pods ready", 600.0, unbroken=True), stages())
    assert told == ["    5s  wallet: waiting for the preview: 1 of 2 pods ready"]


def test_what_is_over_at_once_is_not_told() -> None:
    lines, told, clock = listener()
    lines.turn(NOTHING, SEEN, COMING, stages())
    clock.seconds = 0.4
    lines.turn(NOTHING, SEEN, Wait("left", "the preview to leave the endpoints"), stages())
    assert told == []


def test_a_long_wait_beats_every_thirty_seconds_with_its_age() -> None:
    lines, told, clock = listener()
    lines.turn(NOTHING, SEEN, Wait("keepOld", "keepOld to pass", 300.0), stages())
    clock.seconds = 29
    lines.turn(NOTHING, SEEN, Wait("keepOld", "keepOld to pass", 271.0), stages())
    clock.seconds = 31
    lines.turn(NOTHING, SEEN, Wait("keepOld", "keepOld to pass", 269.0), stages())
    assert told == [
        "    0s  wallet: waiting for keepOld to pass",
        "   31s  wallet: still waiting for keepOld to pass (for 31s)",
    ]


def test_a_heartbeat_says_how_far_the_gates_have_come() -> None:
    lines, told, clock = listener()
    question = Question(Stage.AFTER, "new")
    step, asked = Ask(question, ("a",)), stages((question, asking("pass", "pass", count=6)))
    lines.turn(NOTHING, SEEN, step, asked)
    clock.seconds = 30
    lines.turn(NOTHING, SEEN, step, asked)
    assert told[1] == "   30s  wallet: still asking the gates after, of 1 pod (smoke 2 of 6) (for 30s)"


def test_a_gate_that_says_no_is_told_once_with_its_evidence() -> None:
    lines, told, _ = listener()
    question = Question(Stage.BEFORE, "new")
    asked = stages((question, asking("fail", passed=False)))
    lines.turn(NOTHING, SEEN, COMING, asked)
    lines.turn(NOTHING, SEEN, COMING, asked)
    assert told == ["    0s  wallet: gate smoke said no: /healthz: fail"]


def test_what_was_kept_back_is_told_at_the_end() -> None:
    """A run that ends, or is stopped, between two writes alike still tells the first ones."""
    from strategies.model import Detach

    lines, told, _ = listener()
    lines.did(Detach("a"), SEEN)
    assert told == []
    lines.close()
    assert told == ["    0s  wallet: detach a: no new traffic, next to go"]


def test_a_verbose_story_has_a_line_for_each_write_and_each_wait() -> None:
    told: list[str] = []
    clock = Clock()
    lines = Lines("wallet", told.append, clock, verbose=True)
    tell(lines, Rolling(batch=Amount(2), bake_seconds=10), World.at_rest(4, ("wallet",)), clock)
    assert [one.partition("wallet: ")[2] for one in told if "detach stable" in one] == [
        "detach stable-1: it gets no new traffic and goes next",
        "detach stable-2: it gets no new traffic and goes next",
        "detach stable-3: it gets no new traffic and goes next",
        "detach stable-4: it gets no new traffic and goes next",
    ]
