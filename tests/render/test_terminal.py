"""Who is a person at a terminal."""

from __future__ import annotations

import io

import pytest

from deployctl.render.terminal import colors, interactive


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


XTERM = {"TERM": "xterm-256color"}


def test_a_terminal_is_interactive_and_coloured() -> None:
    assert interactive(Terminal(), XTERM)
    assert colors("auto", Terminal(), XTERM)


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {}, {**XTERM, "CI": "true"}])
def test_a_dumb_terminal_and_ci_are_not_interactive(env: dict[str, str]) -> None:
    assert not interactive(Terminal(), env)


@pytest.mark.parametrize(
    "name", ["FORCE_COLOR", "TTY_INTERACTIVE", "TTY_COMPATIBLE", "GITHUB_ACTIONS", "PY_COLORS"]
)
def test_no_variable_makes_a_pipe_a_terminal(name: str) -> None:
    env = {**XTERM, name: "1"}
    assert not interactive(io.StringIO(), env)
    assert not colors("auto", io.StringIO(), env)


def test_no_color_has_the_last_word_but_for_the_flag() -> None:
    env = {**XTERM, "NO_COLOR": "1"}
    assert not colors("auto", Terminal(), env)
    assert colors("always", io.StringIO(), env)
    assert not colors("never", Terminal(), XTERM)
