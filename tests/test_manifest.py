"""Manifests are read as kubectl reads them; the right-hand sides were printed by sigs.k8s.io/yaml 1.6."""

import pytest

from deployctl.errors import SpecError
from deployctl.manifest import objects

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def read(value):
    return objects(f"{HEAD}{value}", "a.yaml")[0]


def problems(text):
    with pytest.raises(SpecError) as raised:
        objects(text, "a.yaml")
    return str(raised.value).splitlines()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", True),
        ("y", True),
        ("Yes", True),
        ("N", False),
        ("off", False),
        ("yEs", "yEs"),
        ("~", None),
        ("", None),
        ("Null", None),
        ("0", 0),
        ("-0", 0),
        ("100", 100),
        ("017", 15),
        ("-017", -15),
        ("0o17", 15),
        ("0O17", 15),
        ("08", 8),
        ("0_8", 8),
        ("0x1F", 31),
        ("-0x1F", -31),
        ("0b11", 3),
        ("0b1_0", 2),
        ("0b2", "0b2"),
        ("0x", "0x"),
        ("1_000", 1000),
        ("1__0", 10),
        ("1_", 1),
        ("_1", "_1"),
        ("+5", 5),
        ("1.10", 1.1),
        ("1.", 1),
        ("0.0", 0),
        ("09.5", 9.5),
        (".5", 0.5),
        (".5_5", 0.55),
        ("._5", "._5"),
        (".5_", ".5_"),
        ("1e17", 10**17),
        (".e5", ".e5"),
        ("-.5", -0.5),
        ("1e3", 1000),
        ("1.5E3", 1500),
        ("1e-7", 1e-7),
        ("1e400", "1e400"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("10.0.0.1", "10.0.0.1"),
        ("1٣", "1٣"),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", float(2**63)),
        ("99999999999999999999999", 1e23),
        ("'on'", "on"),
        ('"017"', "017"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("|\n  on\n", "on\n"),
        ("[on, 1]", [True, 1]),
    ],
)
def test_a_value_is_what_kubectl_takes_it_for(written, value):
    got = read(f"data: {written}")["data"]
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("written", "key"), [("on", "true"), ("No", "false"), ("017", "15"), ("8080", "8080"), ("'on'", "on")]
)
def test_a_key_is_what_kubectl_takes_it_for(written, key):
    assert list(read(f"data: {{{written}: x}}")["data"]) == [key]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("data: {~: x}", "4:8: data.~: not text; expected a key in quotes"),
        ("data: {1.10: x}", "4:8: data.1.10: not text; expected a key in quotes"),
        ("data: {on: x, yes: y}", "4:15: data.yes: kubectl reads it as true, given twice; expected once"),
        ("data: [{a: .inf}]", "4:12: data[0].a: got .inf; expected a number that JSON can hold"),
        ("data: !!binary aGk=", "4:7: data: tag !!binary; expected a value without a tag"),
        ("kind: Secret", "4:1: kind: given twice, first at 2:1; expected once"),
    ],
)
def test_what_has_no_reading_to_rely_on_is_told(written, message):
    assert problems(HEAD + written) == [f"a.yaml:{message}"]


def test_the_objects_of_all_documents_are_given_in_their_order():
    text = f"{HEAD}---\n# nothing\n---\n{HEAD.replace('name: a', 'name: b')}"
    assert [one["metadata"]["name"] for one in objects(text, "a.yaml")] == ["a", "b"]


def test_lists_are_flattened():
    text = """
        apiVersion: v1
        kind: List
        items:
          - {apiVersion: v1, kind: Service, metadata: {name: a}}
          - {apiVersion: v1, kind: ConfigMapList, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}]}
    """
    assert [one["kind"] for one in objects(text, "a.yaml")] == ["Service", "ConfigMap"]


def test_an_object_needs_a_version_a_kind_and_a_name():
    assert problems("spec: {}") == [
        "a.yaml:1:1: apiVersion: missing; expected a Kubernetes object",
        "a.yaml:1:1: kind: missing; expected a Kubernetes object",
        "a.yaml:1:1: metadata.name: missing; expected a Kubernetes object",
    ]


def test_an_object_inside_a_list_is_told_with_its_path():
    assert problems("{apiVersion: v1, kind: List, items: [text]}") == [
        "a.yaml:1:38: items[0]: not a mapping; expected a Kubernetes object"
    ]
