"""Which keys there are when, what it takes for one to count, and how the terminal is left."""

from __future__ import annotations

import os
import pty
import termios
import threading
from collections.abc import Iterator

import pytest

from deployctl.cli.keyboard import Keyboard, person
from deployctl.cli.keyed import Keys, offered
from deployctl.render.live import Frame
from strategies.model import Observed, Phase, Service, Side, Wait
from tests.render.stories import stages

REST = Observed(3, Side("old", 3), Side("new", 0), (Service("wallet", "old"),), None)
WAIT = Wait("promoteAfter", "promoteAfter to pass", 60.0)
KEEP = Wait("keepOld", "keepOld to pass", 60.0)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A pseudo-terminal: our end, and the end that a command has."""
    ends = pty.openpty()
    yield ends
    for one in ends:
        os.close(one)


@pytest.mark.parametrize(
    ("phase", "step", "keys"),
    [
        (None, WAIT, {"q": "leave"}),
        (Phase.TRYING, WAIT, {"p": "promote", "a": "abort", " ": "pause", "q": "leave"}),
        (Phase.PROMOTING, WAIT, {"a": "abort", " ": "pause", "q": "leave"}),
        (Phase.PROMOTING, KEEP, {"f": "finish", "a": "abort", " ": "pause", "q": "arm"}),
        (Phase.FINISHING, WAIT, {"a": "abort", "q": "leave"}),
        (Phase.RETURNING, WAIT, {"q": "leave"}),
    ],
)
def test_only_keys_that_mean_something_now_are_there(
    phase: Phase | None, step: Wait, keys: dict[str, str]
) -> None:
    seen = Observed(3, REST.stable, REST.preview, REST.services, phase)
    assert offered(seen, step) == keys


def test_a_key_counts_after_a_yes_and_nothing_else_is_one() -> None:
    may, keys = {"a": "abort", "q": "leave"}, Keys("wallet")
    assert [keys.press(one, may) for one in "ay"] == ["", "abort"]
    assert [keys.press(one, may) for one in "any"] == ["", "", ""]
    assert [keys.press(one, may) for one in "aay"] == ["", "", ""]
    assert [keys.press(one, may) for one in "qY"] == ["", "leave"]
    assert [keys.press(one, may) for one in "y\rp"] == ["", "", ""]


def test_a_yes_to_what_is_not_possible_any_more_does_nothing() -> None:
    keys = Keys("wallet")
    assert keys.press("p", {"p": "promote"}) == ""
    assert keys.press("y", {"a": "abort"}) == ""


def test_the_last_row_names_the_keys_or_asks() -> None:
    may, keys = {"a": "abort", " ": "pause", "q": "arm"}, Keys("wallet")
    assert keys.row(may) == "a abort, space pause, q leave"
    keys.press("a", may)
    assert keys.row(may) == "y/n  abort wallet: turn round, back to stable?"
    row = Frame("wallet", REST, WAIT, stages(), foot=keys.row(may)).rows(30)[-1]
    assert "".join(text for text, _ in row) == "keys     y/n  abort wallet: tu"


def test_a_keyboard_leaves_the_terminal_as_it_was(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployctl.cli.keyboard.foreground", lambda _: True)
    ours, theirs = terminal
    before, heard = termios.tcgetattr(theirs), threading.Event()
    with pytest.raises(RuntimeError), Keyboard(theirs) as keyboard:  # noqa: PT012
        keyboard.rings(heard.set)
        assert not termios.tcgetattr(theirs)[3] & (termios.ECHO | termios.ICANON)
        os.write(ours, b"p")
        assert heard.wait(10)
        assert (keyboard.key(), keyboard.key()) == ("p", "")
        raise RuntimeError
    assert termios.tcgetattr(theirs) == before


def test_in_the_background_no_key_is_taken_and_no_terminal_touched(terminal: tuple[int, int]) -> None:
    """It controls no process of ours: to touch it is what would stop a process in the background."""
    ours, theirs = terminal
    with Keyboard(theirs) as keyboard:
        os.write(ours, b"p")
        keyboard._thread.join(10)
        assert keyboard.key() == ""
    assert os.read(theirs, 10) == b"p"


def test_a_pipe_is_no_person() -> None:
    assert person() is None
