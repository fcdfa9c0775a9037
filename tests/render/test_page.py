"""The page of releases: whole, valid, and nothing from outside."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from deployctl.render.answers import answers
from deployctl.render.folding import timeline
from deployctl.render.page import Part, page, summary
from tests.render.told import PROMOTED, REFUSED, REPORT

VOID = {"meta", "br"}
SEEN = answers([REPORT])
GOOD = Part(timeline(PROMOTED, "Blue-green", SEEN), "All traffic moves at once.", "deployctl release wallet")
BAD = Part(timeline(REFUSED, "A bad build"))
WHOLE = page("Two releases", [GOOD, BAD], {"wallet": SEEN})


class Outline(HTMLParser):
    """Collects what is open and what every element says."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(text: str) -> Outline:
    made = Outline()
    made.feed(text)
    made.close()
    return made


def test_every_element_is_closed():
    read = outline(WHOLE)
    assert (read.open, read.unbalanced) == ([], [])


def test_nothing_comes_from_outside_and_nothing_runs():
    assert re.findall(r"https?://|src=|href=|url\(|@import|<script|\son\w+=", WHOLE) == []


def test_the_closing_line_stands_at_the_top():
    assert "90 requests, 1 failed" in outline(WHOLE).text


def test_every_drawing_has_a_title_and_a_role():
    read = outline(WHOLE)
    drawings = [given for name, given in read.elements if name == "svg"]
    assert {one["role"] for one in drawings} == {"img"}
    assert WHOLE.count("<svg") == len(re.findall(r"<svg[^>]*><title>[^<]+</title>", WHOLE))


def test_a_figure_is_told_in_words():
    assert (
        summary(BAD.of)
        == "wallet, 5f94844648 to 7f9c4d6b88, back on stable after 5s, 0% on the preview at the end"
    )


def test_both_revisions_gates_and_steps_are_in_the_text():
    text = " ".join(outline(WHOLE).text)
    assert "r1 5f94844648 → r2 7f9c4d6b88" in text
    assert "smoke, before the shift: 500, <expected> 200" in text
    assert "shift 100% of wallet to 7f9c4d6b88 (1 of 1 gates passed)" in text


def test_what_others_wrote_is_escaped():
    told = [
        dict(one, text='"><script>alert(1)</script>') if one["type"] == "action" else one for one in REFUSED
    ]
    text = page("<b>", [Part(timeline(told, "<i>title"), "<u>says", "<s>command")])
    assert "<script" not in text
    assert {"b", "u", "s"} & {name for name, _ in outline(text).elements} == {"b"}
    assert outline(text).unbalanced == []


def test_the_share_is_as_high_as_the_preview_has_traffic():
    shares = re.findall(r"<title>([\d.]+ to [\d.]+ s: \d+% stable, \d+% preview)</title>", WHOLE)
    assert shares[:2] == ["0.0 to 3.3 s: 100% stable, 0% preview", "3.3 to 8.3 s: 0% stable, 100% preview"]


def test_dark_and_light_and_a_phone_are_thought_of():
    assert "prefers-color-scheme: dark" in WHOLE
    assert "max-width: 600px" in WHOLE
    assert 'name="viewport"' in WHOLE


def test_a_release_without_events_is_a_part_all_the_same():
    assert "No look at the cluster was told." in page("Nothing", [Part(timeline([], "Nothing"))])
