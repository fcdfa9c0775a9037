"""A credential is a reference until it is used, and what it refers to is told nowhere."""

from __future__ import annotations

import base64
import traceback
from urllib.parse import quote

import msgspec
import pytest

from deployctl.cluster import secrets
from deployctl.cluster.api import NotFound
from deployctl.document import compose
from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.credential import Credential, Revealed, SecretKey, revealed
from deployctl.reading import Reader, written
from deployctl.shapes import shape

SECRET = "hunter2 'ü/@"


class Asks(msgspec.Struct, frozen=True, kw_only=True):
    """A gate's options, as far as a credential goes."""

    password: Credential | None = None


def read(text):
    documents, problems = compose(text, "wallet.yaml")
    reader = Reader(problems)
    value = reader.read(documents[0].root, shape(Asks), "")
    return value, [str(one) for one in problems]


def asked(secret=None):
    options = {} if secret is None else {"secret": secret}
    return Asked((), {}, lambda *_: (200, b""), **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{env: DB_PASSWORD}", Credential(env="DB_PASSWORD")),
        ("{file: /run/secrets/db}", Credential(file="/run/secrets/db")),
        ("{secret: {name: db.main, key: pass_word}}", Credential(secret=SecretKey("db.main", "pass_word"))),
    ],
)
def test_a_spec_names_one_place(text, expected):
    value, problems = read(f"password: {text}")
    assert (value.password, problems) == (expected, [])
    assert read(msgspec.json.encode(written(value)).decode())[0] == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hunter2", "wallet.yaml:1:11: password: got hunter2; expected a mapping"),
        ("{}", "password: 0 places are given; expected exactly one of env, file, secret"),
        ("{env: A, file: b}", "password: 2 places are given; expected exactly one of env, file, secret"),
        ("{env: A-B}", "password.env: got A-B; expected the name of an environment variable"),
        ("{value: hunter2}", "password.value: unknown; expected one of env, file, secret"),
        ("{secret: {name: db}}", "password.secret.key: missing; expected a key of the Secret"),
    ],
)
def test_anything_else_is_a_problem_at_its_place(text, problem):
    assert problem in "\n".join(read(f"password: {text}")[1])


def test_it_is_read_when_it_is_used(monkeypatch, tmp_path):
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    (tmp_path / "db").write_text(f"{SECRET}\r\n")
    places = (
        Credential(env="DB_PASSWORD"),
        Credential(file=str(tmp_path / "db")),
        Credential(secret=SecretKey("db", "password")),
    )
    by_name = asked(lambda *which: f"{SECRET}\n".encode() if which == ("db", "password") else b"")
    assert {one.reveal(by_name).plain for one in places} == {SECRET}


def test_only_one_newline_is_taken_off(tmp_path):
    (tmp_path / "db").write_text("two\n\n")
    assert Credential(file=str(tmp_path / "db")).reveal(asked()).plain == "two\n"


@pytest.mark.parametrize(
    ("credential", "message"),
    [
        (Credential(env="NOT_SET_HERE"), "the environment variable NOT_SET_HERE is empty or not set"),
        (Credential(file="/no/such/file"), "the file /no/such/file: No such file or directory"),
        (Credential(secret=SecretKey("db", "password")), "password of the Secret db cannot be read here"),
    ],
)
def test_what_is_not_there_is_told_by_its_place(credential, message):
    with pytest.raises(DeployctlError, match=message):
        credential.reveal(asked())


def test_what_is_no_text_is_not_quoted():
    broken = asked(lambda *_: SECRET.encode() + b"\xff")
    with pytest.raises(DeployctlError) as told:
        Credential(secret=SecretKey("db", "password")).reveal(broken)
    assert "hunter2" not in "".join(traceback.format_exception(told.value))


def test_a_file_that_never_ends_is_no_credential():
    with pytest.raises(DeployctlError, match="longer than 65536 bytes"):
        Credential(file="/dev/zero").reveal(asked())


@pytest.mark.parametrize(
    "form", [str, repr, quote, lambda one: quote(one, safe=""), "postgres://ann:{}@db".format]
)
def test_a_drivers_words_are_scrubbed(form):
    told = Revealed(SECRET).scrub(f"login with {form(SECRET)} failed")
    assert "hunter2" not in told
    assert "(hidden)" in told


def test_a_login_in_somebody_elses_words_is_scrubbed_too():
    assert (
        Revealed("").scrub("no answer of amqp://ann:other@mq:5672/")
        == "no answer of amqp://(hidden)@mq:5672/"
    )


def test_it_shows_in_no_representation():
    known = Revealed(SECRET)
    assert {str(known), repr(known), f"{known}", repr([known])} == {"(hidden)", "[(hidden)]"}
    assert not hasattr(known, "__dict__")


def test_without_a_credential_there_is_nothing_to_reveal():
    assert revealed(None, asked()).plain == ""


class Cluster:
    """Knows one Secret."""

    def get(self, path):
        if path != "/api/v1/namespaces/igaming/secrets/db":
            raise NotFound(404, "no")
        return {"data": {"password": base64.b64encode(b"hunter2").decode(), "broken": "hunter2!"}}


def test_a_secret_is_one_of_the_apps_namespace():
    assert secrets.through(Cluster(), "igaming")("db", "password") == b"hunter2"


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (("other", "password"), "there is no Secret other in igaming"),
        (("db", "user"), "the Secret db has no key user"),
        (("db", "broken"), "broken of the Secret db is not base64"),
    ],
)
def test_a_secret_that_cannot_be_read_is_told(which, message):
    with pytest.raises(DeployctlError, match=message):
        secrets.through(Cluster(), "igaming")(*which)
