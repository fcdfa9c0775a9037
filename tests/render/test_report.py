"""A report of one release: whole in each format, with foreign text fenced."""

from __future__ import annotations

import json
import re

import msgspec

from deployctl.published import Word
from deployctl.render.folding import timeline
from deployctl.render.report import Report, document, html, markdown, plain
from tests.render.test_history import FLAG, PROMOTED, REFUSED
from tests.render.test_page import outline
from tests.render.told import PROMOTED as EVENTS

EVIL = "</li><script>alert(1)</script> | [x](http://evil) ::error:: \x1b[2J\n# no"
WORD = Word("release", EVIL, "2026-11-23T12:00:00Z", EVIL)
TOLD = Report(PROMOTED, timeline(EVENTS))
FOREIGN = Report(
    msgspec.structs.replace(REFUSED, reason=EVIL, words=(WORD,), gates=(EVIL,), images={EVIL: EVIL}, by=EVIL)
)


def test_the_page_is_whole_and_needs_nothing_from_outside() -> None:
    made = outline(html(TOLD))
    assert (made.open, made.unbalanced) == ([], [])
    assert {name for name, _ in made.elements} & {"script", "link", "img", "iframe"} == set()
    assert [
        value for _, given in made.elements for key, value in given.items() if key in {"src", "href"}
    ] == []


def test_the_page_has_a_dark_side_and_a_narrow_one() -> None:
    text = html(TOLD)
    assert "prefers-color-scheme: dark" in text
    assert "max-width: 600px" in text


def test_the_page_says_who_decided_what_and_what_moved() -> None:
    said = " ".join(outline(html(TOLD)).text)
    assert 'release by ann@laptop/7722: "JIRA-12"' in said
    assert "before smoke passed" in said
    assert "What moved, and when" in said


def test_the_flags_that_were_moved_are_among_the_decisions() -> None:
    one = Report(msgspec.structs.replace(PROMOTED, flags=(FLAG,)))
    told = "flag new-wallet is set to true, and was false"
    assert told in " ".join(outline(html(one)).text)
    assert f"- 2026-11-23T12:03:00Z {told}" in markdown(one)
    assert document(one)["release"]["flags"][0]["setTo"] == "true"


def test_without_events_there_is_no_course_in_time() -> None:
    assert "What moved" not in html(Report(PROMOTED))
    assert "What moved" not in markdown(Report(PROMOTED))


def test_foreign_text_is_text_in_html() -> None:
    made = outline(html(FOREIGN))
    assert "script" not in {name for name, _ in made.elements}
    assert "\x1b" not in html(FOREIGN)


def test_foreign_text_is_one_line_without_a_meaning_in_markdown() -> None:
    assert plain("a|b <i> *c*\nd [e](f)") == r"a\|b \<i\> \*c\* d \[e\](f)"
    text = markdown(FOREIGN)
    assert not re.search(r"(?<!\\)<|^# |\x1b", text, re.MULTILINE)


def test_the_document_is_plain_json_with_its_kind() -> None:
    whole = json.loads(json.dumps(document(TOLD)))
    assert (whole["kind"], whole["release"]["id"], whole["timeline"]["outcome"]) == (
        "Report", "afc4b887f473", "promoted",
    )  # fmt: skip


def test_the_page_is_green_only_where_the_new_version_has_the_traffic() -> None:
    """What was refused ends well for the players, and yet it is no success."""
    assert 'class="closing yes">The new version has the traffic.<' in html(TOLD)
    refused = html(Report(msgspec.structs.replace(REFUSED, reason="gate smoke said no")))
    assert 'class="closing back">The release turned round' in refused
    assert 'class="says">gate smoke said no<' in refused
    running = html(Report(msgspec.structs.replace(PROMOTED, outcome="running")))
    assert 'class="closing wait">The release is in flight.<' in running
    degraded = html(Report(msgspec.structs.replace(PROMOTED, outcome="degraded")))
    assert 'class="closing no">' in degraded
