"""The schema for editors and the reader of spec files agree, as far as a schema can say."""

import io
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from deployctl.errors import SpecError
from deployctl.schema import schema
from deployctl.spec import canonical, read
from tests.test_reading import Options
from tests.test_spec import FULL, SMALL

VALIDATOR = Draft202012Validator(schema())
PLATFORM = Path(__file__).parent.parent / "manifests/igaming"
EXAMPLES = sorted([*PLATFORM.glob("*/deployctl.yaml"), *PLATFORM.glob("*/production.yaml")])


def app(text):
    return read("-", stdin=io.BytesIO(text.encode())).apps[0]


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(schema())


def test_the_schema_offers_the_options_of_every_plugin():
    defs = schema()["$defs"]
    assert set(defs["strategies.rolling.Rolling"]["properties"]) == {"batch", "surge", "bake"}
    assert "http" in defs["deployctl.spec.Gate"]["properties"]


def test_the_schema_says_what_a_key_means():
    assert schema()["$defs"]["deployctl.spec.Gate"]["properties"]["interval"] == {
        "type": "string",
        "pattern": r"^(([0-9]+\.?[0-9]*|\.[0-9]+)(h|ms|m|s))+$",
        "description": "from one measurement to the next",
        "default": "1s",
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_examples_are_valid(path):
    assert list(map(str, VALIDATOR.iter_errors(yaml.safe_load(path.read_text())))) == []
    assert read(path).warnings == ()


@pytest.mark.parametrize("text", [SMALL, FULL.replace("1.10", "'1.10'")])
def test_a_good_file_is_valid(text):
    assert list(map(str, VALIDATOR.iter_errors(yaml.safe_load(text)))) == []


@pytest.mark.parametrize("text", [SMALL, FULL])
def test_the_canonical_form_is_valid(text):
    assert list(map(str, VALIDATOR.iter_errors(canonical(app(text))))) == []


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{limit: 0.1, ratio: 1, strict: true, level: -1, mode: slow, target: none, share: 3}",
        "{labels: {a: b}, headers: [{name: a}], warmUp: 1s}",
    ],
)
def test_the_schema_knows_every_type_of_option(text):
    assert list(map(str, Draft202012Validator(schema(Options)).iter_errors(yaml.safe_load(text)))) == []


@pytest.mark.parametrize(
    "text",
    [
        "{limit: a}",
        "{ratio: 2}",
        "{strict: 1}",
        "{level: 10}",
        "{mode: x}",
        "{target: x}",
        "{labels: {a: []}}",
        "{headers: [{}]}",
        "{warmUp: 1}",
    ],
)
def test_the_schema_refuses_options_of_another_type(text):
    assert not Draft202012Validator(schema(Options)).is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind: App", "kind: Train"),
        ("deployctl.dev/v1alpha1", "deployctl.dev/v1"),
        ("kind: App\n", ""),
        ("metadata:", "status: {}\nmetadata:"),
        ("  name: wallet\n", ""),
        ("namespace: igaming", "namespace:"),
        ("surge: 0", "surge: null"),
        ("name: wallet\n", "name: Wallet\n"),
        ("name: wallet\n", f"name: {'x' * 64}\n"),
        ("0f2c1a5e", "prod"),
        ("    deployment: wallet\n", ""),
        ("[wallet, wallet-internal]", "[]"),
        ("[wallet, wallet-internal]", "[wallet, wallet]"),
        ("[wallet, wallet-internal]", "wallet"),
        ("rolling:", "canary:"),
        ("    rolling:", "    blueGreen: {}\n    rolling:"),
        ("    rolling: {batch: 2, surge: 0, bake: 1m30s}", "    {}"),
        ("batch: 2", "bach: 2"),
        ("batch: 2", "batch: -2"),
        ("batch: 2", "batch: 101%"),
        ("surge: 0", "surge: some"),
        ("1m30s", "30"),
        ("1m30s", "30 s"),
        ("1m30s", "1d"),
        ("preStop: keep", "preStop: never"),
        ("  drain: {preStop: keep}", "  drain:"),
        ("  drain: {preStop: keep}", "  policy: {}"),
        ("count: 3", "count: 0"),
        ("count: 3", "count: '3'"),
        ("failureLimit: 2", "failureLimit: -1"),
        ("http: {path", "htp: {path"),
        ("path: /healthz", "path: healthz"),
        ("[200, 204]", "99"),
        ("[200, 204]", "[200, 600]"),
        ("port: 8080", "port: 65536"),
        ("scheme: https", "scheme: ftp"),
        ('"https://wallet.example/ready"', "wallet.example"),
        ("    during:\n", "      - {name: second}\n    during:\n"),
        ("    during:\n", "      - second\n    during:\n"),
    ],
)
def test_a_bad_file_is_refused_by_the_schema_and_by_the_reader(old, new):
    text = FULL.replace(old, new, 1)
    assert not VALIDATOR.is_valid(yaml.safe_load(text))
    with pytest.raises(SpecError):
        app(text)
