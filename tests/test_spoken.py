"""What a person says becomes one bounded line that no terminal obeys."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as any_

from deployctl.spoken import MOST_LETTERS, because, harmless, heard, reason


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("JIRA-12: new wheel", "JIRA-12: new wheel"),
        ("  two\nlines\r\n\tand a tab ", "two lines and a tab"),
        ("a \x1b[31mred\x1b[0m word", "a red word"),
        ("\x1b]0;title\x07and \x1bMa title", "and a title"),
        ("turned \u202eround\u2066, zero\u200bwidth", "turned round , zero width"),
        ("undecodable \udcff", "undecodable"),
        ("rotate PGPASSWORD=hunter2 now", "rotate PGPASSWORD=(hidden) now"),
        ("see https://ann:hunter2@ci.example/1", "see https://(hidden)@ci.example/1"),
        ("replicas=6, token: expired", "replicas=6, token: expired"),
        ("Größe, ölig, 日本", "Größe, ölig, 日本"),
        ("", ""),
    ],
)
def test_a_reason_is_kept_as_one_harmless_line(said, kept):
    assert reason(said) == kept


@given(any_.text(any_.characters()))
@settings(deadline=None)
def test_whatever_is_said_is_short_printable_and_can_be_written(said):
    kept = reason(said)
    assert len(kept) <= MOST_LETTERS
    assert kept.isprintable()
    assert kept.encode().decode() == kept
    assert reason(kept) == kept


def test_a_long_reason_is_cut_and_that_is_said(capsys):
    assert heard("x" * 400) == "x" * 299 + "…"
    assert "the first 300 letters are kept" in capsys.readouterr().err


def test_a_short_one_is_not(capsys):
    assert (heard("short"), capsys.readouterr().err) == ("short", "")


def test_what_others_wrote_cannot_steer_a_terminal():
    assert harmless("a\x1b[2Jb\r\nc") == "a [2Jb  c"


def test_a_reason_is_added_where_there_is_one():
    assert (because("aborted by ann", "errors"), because("aborted by ann", "")) == (
        "aborted by ann: errors",
        "aborted by ann",
    )
