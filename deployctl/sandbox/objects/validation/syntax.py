"""How names, labels and ports are written: each rule gives the messages of what a value breaks."""

from __future__ import annotations

import re
from functools import lru_cache

LABEL_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL_1123}(\.{LABEL_1123})*"
LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
VALUE = f"({KEY})?"
CONFIG_KEY = "[-._a-zA-Z0-9]+"
PERCENT = "[0-9]+%"
HEADER = "[-A-Za-z0-9]+"
ENDS = "and must start and end with an alphanumeric character"

Messages = tuple[str, ...]


def _regex(told: str, form: str, *examples: str) -> str:
    such = " or ".join(f"'{one}', " for one in examples)
    return f"{told} (e.g. {such}regex used for validation is '{form}')"


def longest(most: int) -> str:
    return f"must be no more than {most} characters"


def most_bytes(most: int) -> str:
    return f"must be no more than {most} bytes"


def between(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


@lru_cache(maxsize=4096)
def dns_label(value: str) -> Messages:
    told = f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {ENDS}"
    found = [longest(63)] if len(value) > 63 else []
    if not re.fullmatch(LABEL_1123, value):
        dotted = re.fullmatch(SUBDOMAIN, value)
        found.append("must not contain dots" if dotted else _regex(told, LABEL_1123, "my-name", "123-abc"))
    return tuple(found)


@lru_cache(maxsize=4096)
def subdomain(value: str) -> Messages:
    told = f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {ENDS}"
    found = [longest(253)] if len(value) > 253 else []
    if not re.fullmatch(SUBDOMAIN, value):
        found.append(_regex(told, SUBDOMAIN, "example.com"))
    return tuple(found)


@lru_cache(maxsize=4096)
def dns_1035(value: str) -> Messages:
    told = (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        "character, and end with an alphanumeric character"
    )
    found = [longest(63)] if len(value) > 63 else []
    if not re.fullmatch(LABEL_1035, value):
        found.append(_regex(told, LABEL_1035, "my-name", "abc-123"))
    return tuple(found)


@lru_cache(maxsize=4096)
def label_key(value: str) -> Messages:
    told = _regex(
        f"must consist of alphanumeric characters, '-', '_' or '.', {ENDS}",
        KEY,
        "MyName",
        "my.name",
        "123-abc",
    )
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return (
            f"a valid label key {told} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )
    found: list[str] = []
    if slash:
        found += (
            [f"prefix part {text}" for text in _prefix(prefix)]
            if prefix
            else ["prefix part must be non-empty"]
        )
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > 63:
        found.append(f"name part {most_bytes(63)}")
    if not re.fullmatch(KEY, name):
        found.append(f"name part {told}")
    return tuple(found)


def _prefix(value: str) -> Messages:
    return tuple(most_bytes(253) if text == longest(253) else text for text in subdomain(value))


@lru_cache(maxsize=4096)
def label_value(value: str) -> Messages:
    told = f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {ENDS}"
    found = [most_bytes(63)] if len(value) > 63 else []
    if not re.fullmatch(VALUE, value):
        found.append(_regex(told, VALUE, "MyValue", "my_value", "12345"))
    return tuple(found)


def port_number(value: int) -> Messages:
    return () if 1 <= value <= 65535 else (between(1, 65535),)


@lru_cache(maxsize=4096)
def port_name(value: str) -> Messages:
    broken = {
        longest(15): len(value) > 15,
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)": not re.fullmatch(
            "[-a-z0-9]+", value
        ),
        "must contain at least one letter (a-z)": not re.search("[a-z]", value),
        "must not contain consecutive hyphens": "--" in value,
        "must not begin or end with a hyphen": value.startswith("-") or value.endswith("-"),
    }
    return tuple(text for text, breaks in broken.items() if breaks)


def port(value: int | str) -> Messages:
    return port_number(value) if isinstance(value, int) else port_name(value)


def percent(value: str) -> Messages:
    told = "a valid percent string must be a numeric string followed by an ending '%'"
    return () if re.fullmatch(PERCENT, value) else (_regex(told, PERCENT, "1%", "93%"),)


def header(value: str) -> Messages:
    told = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return () if re.fullmatch(HEADER, value) else (_regex(told, HEADER, "X-Header-Name"),)


def env_name(value: str) -> Messages:
    told = "a valid environment variable name must consist only of printable ASCII characters other than '='"
    plain = all(" " <= sign <= "~" and sign != "=" for sign in value)
    return () if plain else (told,)


def config_key(value: str) -> Messages:
    told = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    found = [longest(253)] if len(value) > 253 else []
    if not re.fullmatch(CONFIG_KEY, value):
        found.append(_regex(told, CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    if value in {".", ".."}:
        found.append(f"must not be '{value}'")
    elif value.startswith(".."):
        found.append("must not start with '..'")
    return tuple(found)
