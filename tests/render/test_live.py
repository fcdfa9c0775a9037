"""What the live view draws, and what it leaves on the terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from deployctl.render.live import ASCII, Frame, Live
from strategies.blue_green import BlueGreen
from strategies.model import Ask, Consumers, Observed, Phase, Pod, Question, Service, Side, Stage, Wait
from strategies.rolling import Rolling
from strategies.simulator import World
from tests.render.stories import Clock, asking, stages, tell

STABLE = Side("5f94844648", 3, tuple(Pod(f"o{number}", endpoints=1) for number in range(3)))
PREVIEW = Side("7f9c4", 2, (Pod("n0"), Pod("n1", ready=False)))
TRYING = Observed(3, STABLE, PREVIEW, (Service("wallet", "5f94844648"),), Phase.TRYING)
COMING = Wait("2 of the preview ready", "1 of 2 preview pods ready", 600.0, unbroken=True)


def drawn(frame: Frame, width: int = 80) -> str:
    return "\n".join("".join(text for text, _ in row).rstrip() for row in frame.rows(width))


def test_a_preview_that_comes_up() -> None:
    assert (
        drawn(Frame("wallet", TRYING, COMING, stages(), 83, 12))
        == """\
wallet  the preview is on trial, 83s, 2 extra pods
stable   5f94844648  ■■■  3 of 3 ready
preview  7f9c4       ▣□  1 of 2 ready
traffic  ██████████████████████████████  100% stable, 0% preview
now      waiting for the preview: 1 of 2 pods ready (for 12s)"""
    )


def test_gates_are_shown_with_their_count_and_what_was_seen_last() -> None:
    before, after = Question(Stage.BEFORE, "7f9c4"), Question(Stage.AFTER, "7f9c4")
    asked = stages((before, asking("pass", passed=True)), (after, asking("pass", "pass", count=6)))
    rows = drawn(Frame("wallet", TRYING, Ask(after, ("n0",)), asked, 83, 4)).splitlines()
    assert rows[-3:] == [
        "before   ✓ smoke 1/1  /healthz: pass",
        "after    ? smoke 2/6  /healthz: pass",
        "now      asking the gates after, of 1 pod (for 4s)",
    ]


def test_who_consumes_has_a_row_where_pods_are_told_to() -> None:
    old = tuple(replace(pod, consumes=True) for pod in STABLE.pods)
    new = replace(PREVIEW, pods=(Pod("n0"), Pod("n1", consumes=None)))
    seen = replace(TRYING, stable=replace(STABLE, pods=old), preview=new, consumers=Consumers(exclusive=True))
    rows = drawn(Frame("wallet", seen, COMING, stages())).splitlines()
    assert rows[4] == "events   handOver: 3 of 3 stable, 0 of 2 preview (1 unknown) pods consume"
    assert "pauseUntilPromote" in drawn(
        Frame("wallet", replace(seen, consumers=Consumers()), COMING, stages())
    )


def test_a_countdown_is_told_where_the_end_is_known() -> None:
    step = Wait("keepOld", "keepOld to pass; the old side stands ready", 252.0)
    assert drawn(Frame("wallet", TRYING, step, stages())).endswith("the old side stands ready (4m12s left)")


@pytest.mark.parametrize("width", [30, 52, 80, 120])
def test_no_row_is_wider_than_the_terminal_and_the_clock_is_never_cut(width: int) -> None:
    step = Wait("keepOld", "keepOld to pass; the old side stands ready", 252.0)
    rows = drawn(Frame("wallet", TRYING, step, stages()), width).splitlines()
    assert max(map(len, rows)) <= width
    assert rows[-1].endswith("(4m12s left)")


def test_a_hundred_pods_are_counted_where_they_do_not_fit() -> None:
    many = replace(STABLE, desired=100, pods=tuple(Pod(f"o{number}", endpoints=1) for number in range(100)))
    assert "stable   5f94844648  100■   100 of 100 ready" in drawn(
        Frame("wallet", replace(TRYING, stable=many), COMING, stages())
    )


def test_a_terminal_without_unicode_gets_plain_characters() -> None:
    assert drawn(Frame("wallet", TRYING, COMING, stages(), marks=ASCII)).isascii()


@pytest.mark.parametrize("strategy", [BlueGreen(keep_old_seconds=5), Rolling(bake_seconds=1)])
def test_a_whole_release_leaves_its_lines_and_a_clean_screen(strategy: BlueGreen | Rolling) -> None:
    """The frame never has more than twelve rows, is taken away at the end, and the cursor comes back."""
    stream, clock = io.StringIO(), Clock()
    tell(Live("wallet", stream, color=False, clock=clock), strategy, World.at_rest(3, ("wallet",)), clock)
    shown = screen(stream.getvalue())
    assert shown[0] == "    0s  wallet: pause the Deployment; the user's settings are written down"
    assert shown[-1].endswith("wallet: restore the user's settings; promoted")
    assert not any(line.startswith(("stable ", "traffic ", "now ")) for line in shown)
    assert stream.getvalue().rfind("\x1b[?25h") > stream.getvalue().rfind("\x1b[?25l")


def screen(written: str) -> list[str]:
    """Play what was written on a terminal: lines, carriage returns, cursor up, erase line."""
    lines, at = [""], 0
    for part in written.replace("\x1b[?25l", "").replace("\x1b[?25h", "").replace("\r", "").split("\n"):
        rest = part
        while "\x1b[" in rest:
            before, _, after = rest.partition("\x1b[")
            lines[at] += before
            code = next(index for index, char in enumerate(after) if char.isalpha())
            if after[code] == "A":
                at = max(0, at - int(after[:code] or 1))
            if after[code] == "K":
                lines[at] = ""
            rest = after[code + 1 :]
        lines[at] += rest
        at += 1
        if at == len(lines):
            lines.append("")
    return [line for line in lines if line.strip()]
