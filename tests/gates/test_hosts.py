"""Gates ask the hosts that are listed, and never what gives out a machine's credentials."""

from __future__ import annotations

import socket

import pytest

from deployctl.errors import DeployctlError
from deployctl.gates.hosts import allowed, refusal, resolved


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "LOCALHOST.", "2130706433"]
)
def test_loopback_may_always_be_asked(host):
    assert allowed(host, ())


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("db.example", ("db.example",)),
        ("DB.example.", ("db.EXAMPLE",)),
        ("db-1.pg.example", ("*.pg.example",)),
        ("anything.at.all", ("*",)),
        ("10.1.2.3", ("10.0.0.0/8",)),
        ("10.1.2.3", ("10.1.2.3",)),
        ("fd12::5", ("fd12::/16",)),
    ],
)
def test_a_listed_host_may_be_asked(host, names):
    assert allowed(host, names)


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("db.example", ()),
        ("evil.example", ("db.example",)),
        ("pg.example", ("*.pg.example",)),
        ("10.1.2.3.evil.example", ("10.0.0.0/8", "10.1.2.3")),
        ("11.1.2.3", ("10.0.0.0/8",)),
        ("", ("db.example",)),
    ],
)
def test_any_other_host_may_not(host, names):
    assert not allowed(host, names)
    assert refusal(host, names).startswith(f"{host} is not among the hosts that gates may ask")


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "fe80::1", "fe80::1%1", "fd00:ec2::254", "100.100.100.200",
        "168.63.129.16", "metadata.google.internal", "METADATA.google.internal.", "0.0.0.0", "::", "224.0.0.1",
    ],
)  # fmt: skip
def test_what_gives_out_credentials_is_never_asked_whatever_is_listed(host):
    assert not allowed(host, ("*", host, "169.254.0.0/16", "::/0"))
    with pytest.raises(DeployctlError, match="no gate may ask it"):
        resolved(host, 80, ("*", host))


def test_a_host_is_connected_to_by_an_address_that_was_checked():
    assert resolved("127.0.0.1", 5432, ()) == ("127.0.0.1",)
    assert set(resolved("localhost", 5432, ())) <= {"127.0.0.1", "::1"}


def test_a_listed_name_that_leads_to_credentials_is_refused(monkeypatch):
    true = socket.getaddrinfo

    def poisoned(host, *rest, **options):
        if host == "db.example" and options.get("flags") != socket.AI_NUMERICHOST:
            return true("169.254.169.254", *rest, **options)
        return true(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", poisoned)
    with pytest.raises(DeployctlError, match=r"db\.example is 169\.254\.169\.254, which is link-local"):
        resolved("db.example", 5432, ("*.example",))


def test_a_host_without_an_address_is_told():
    with pytest.raises(DeployctlError, match=r"no\.such\.invalid has no address"):
        resolved("no.such.invalid", 5432, ("*",))
