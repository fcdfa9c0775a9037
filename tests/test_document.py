"""YAML keeps its text and its places, and what is no plain YAML is told with line and column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.document import DEEPEST, Items, Place, Scalar, decode, load, text_of
from deployctl.errors import SpecError


def problems(text):
    with pytest.raises(SpecError) as raised:
        load(text, "a.yaml")
    return str(raised.value).splitlines()


def root(text):
    return load(text, "a.yaml")[0].root


@pytest.mark.parametrize("text", ["on", "no", "1.10", "017", "12:30", "1_000", "2026-01-01", "0x1F", "1e3"])
def test_a_scalar_is_the_text_that_was_written(text):
    assert root(f"a: {text}").pairs["a"].value == Scalar(Place("a.yaml", 1, 4), text, plain=True)


def test_a_scalar_in_quotes_is_not_plain():
    assert root("a: '3'").pairs["a"].value == Scalar(Place("a.yaml", 1, 4), "3", plain=False)


def test_the_string_tag_is_the_same_as_quotes():
    assert root("a: !!str 3").pairs["a"].value == Scalar(Place("a.yaml", 1, 4), "3", plain=False)


def test_keys_and_values_have_their_places():
    pair = root("é: x\nlist:\n  - one\n  - {k: two}\n").pairs["list"]
    assert pair.key.place == Place("a.yaml", 2, 1)
    assert pair.value.values[1].pairs["k"].value.place == Place("a.yaml", 4, 9)


def test_columns_count_characters_and_not_bytes():
    assert root("{é: x, ü: y}").pairs["ü"].key.place == Place("a.yaml", 1, 8)


def test_a_file_holds_several_documents_and_the_empty_ones_are_left_out():
    assert len(load("---\na: 1\n---\n# nothing\n---\nb: 2\n", "a.yaml")) == 2


def test_carriage_returns_end_lines():
    assert root("a: 1\r\nb: 2\r\n").pairs["b"].key.place == Place("a.yaml", 2, 1)


def test_a_byte_order_mark_is_passed_over():
    assert decode(b"\xef\xbb\xbfa: 1", "a.yaml") == "a: 1"
    assert root("\ufeffa: 1").pairs["a"].key.place == Place("a.yaml", 1, 1)


def test_an_alias_is_what_it_names():
    assert root("a: &x [1]\nb: *x").pairs["b"].value == Items(
        Place("a.yaml", 1, 4), (Scalar(Place("a.yaml", 1, 8), "1", plain=True),)
    )


def test_a_merge_key_brings_what_is_not_given_beside_it():
    pairs = root("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3").pairs["b"].value.pairs
    assert {key: pair.value.text for key, pair in pairs.items()} == {"p": "1", "q": "3"}


def test_the_first_of_several_merged_mappings_wins():
    pairs = root("a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc:\n  <<: [*x, *y]").pairs["c"].value.pairs
    assert {key: pair.value.text for key, pair in pairs.items()} == {"p": "1", "q": "2"}


def test_a_merge_key_in_quotes_is_a_key_like_any_other():
    assert list(root("'<<': 5").pairs) == ["<<"]


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{new}: &{new} [{', '.join(f'*{old}' for _ in range(10))}]"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: file: empty; expected at least one YAML document"),
        ("# only a remark\n", "1:1: file: empty; expected at least one YAML document"),
        ("a: 1\nb: 2\na: 3", "3:1: a: given twice, first at 1:1; expected once"),
        ("x: {y: [{k: 1, k: 2}]}", "1:16: x.y[0].k: given twice, first at 1:10; expected once"),
        ("a: 1\n'a': 2", "2:1: a: given twice, first at 1:1; expected once"),
        ("a: [b", "2:1: syntax: did not find expected ',' or ']', while parsing a flow sequence at 1:4"),
        ("a: b: c", "1:5: syntax: mapping values are not allowed in this context"),
        ("a: 'b\n", "2:1: syntax: found unexpected end of stream, while scanning a quoted scalar at 1:4"),
        ("a:\n\tb: 1", "2:1: syntax: a tab; expected spaces"),
        ("a: \x00", "1:4: text: character U+0000; expected printable text"),
        ("a: 1\r\nb: \x07", "2:4: text: character U+0007; expected printable text"),
        ("a: \ud800", "1:4: text: character U+D800; expected printable text"),
        ("a: !secret x", "1:4: a: tag !secret; expected a value without a tag"),
        (
            "a: !!python/name:os.system x",
            "1:4: a: tag !!python/name:os.system; expected a value without a tag",
        ),
        ("a: !!int '5'", "1:4: a: tag !!int; expected a value without a tag"),
        ("a: !!set {b}", "1:4: a: tag !!set; expected a value without a tag"),
        ("? [a]\n: 1", "1:3: document: a list or mapping as a key; expected text"),
        ("a: &x [*x]", "1:8: a[0]: *x stands inside itself; expected an alias of something else"),
        ("a: *x", "1:4: a: *x names nothing; expected an anchor &x above"),
        ("a: &x 1\n---\nb: *x", "3:4: b: *x names nothing; expected an anchor &x above"),
        (
            "a: &x {p: 1}\nb:\n  q: 1\n  <<: *x",
            "4:3: b.<<: after other keys; expected once, as the first key",
        ),
        ("<<: 5", "1:5: <<: not a mapping; expected an alias of a mapping"),
        (
            "a: " + "[" * 200,
            f"1:{DEEPEST + 4}: a{'[0]' * DEEPEST}: nested too deep; expected at most {DEEPEST} levels",
        ),
        (LAUGHS, "6:16: f[2]: aliases of aliases; expected at most 500000 values when written out"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text, message):
    assert problems(text) == [f"a.yaml:{message}"]


def test_all_doubled_keys_and_tags_are_told_at_once():
    assert len(problems("a: 1\na: 2\nb: !x 1\n---\nc: 1\nc: 2")) == 3


def test_doubled_keys_are_told_beside_the_syntax_that_ends_the_reading():
    assert [line.split(": ")[1] for line in problems("a: 1\na: 2\nb: [")] == ["a", "syntax"]


def test_bytes_that_are_not_utf_8_are_told_with_their_place():
    with pytest.raises(
        SpecError, match=r"^a.yaml:2:4: text: byte 0xe9 is not UTF-8; expected a file saved as UTF-8$"
    ):
        decode("a: 1\nb: é".encode("latin-1"), "a.yaml")


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(
        SpecError, match=r"x.yaml:1:1: file: No such file or directory; expected a YAML file$"
    ):
        text_of(tmp_path / "x.yaml")


def outcome(text):
    try:
        return load(text, "a.yaml")
    except SpecError as error:
        return error.problems


YAMLISH = st.text("ab:-?[]{},&*!|>'\"%@# \n\t<~01", max_size=60)


@given(st.one_of(st.text(), YAMLISH))
def test_any_text_is_read_or_refused(text):
    assert outcome(text)
