"""An address is asked as a gate may: an allowed host, no redirects, an end in time, a body of some size at most."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.fetch import MOST_BYTES, check_url, cut, fetch, shown
from tests.answering import Reply, serving
from tests.objects import service

ASKED = Asked((), service(), lambda *_: (200, b""), timeout_seconds=0.5)


def refusal(url, asked=ASKED):
    began = time.monotonic()
    with pytest.raises(DeployctlError) as caught:
        fetch(asked, url)
    assert time.monotonic() - began < 2.0
    return str(caught.value)


@contextmanager
def speaking(talk):
    """Listen on loopback, and do with the first connection what a test tells."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def once():
            connection, _ = listening.accept()
            with connection, suppress(OSError):  # it hangs up
                talk(connection)

        threading.Thread(target=once, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://metrics.example/", "metrics.example is not among the hosts that gates may ask (only loopback)"),
        ("http://169.254.169.254/latest/meta-data", "is link-local"),
        ("http://2852039166/", "is link-local"),
        ("http://[fd00:ec2::254]/", "gives out a machine's credentials"),
        ("http://metadata.google.internal/", "gives out a machine's credentials"),
    ],
)  # fmt: skip
def test_a_host_that_is_not_allowed_is_not_asked(url, why):
    assert why in refusal(url)


def test_metadata_is_not_asked_though_all_hosts_are_listed():
    assert "is link-local" in refusal("http://169.254.169.254/", replace(ASKED, hosts=("*",)))


def test_a_redirect_is_an_answer_and_leads_nowhere():
    with serving(lambda _: Reply(302, b"", {"Location": "http://127.0.0.1:1/secret"})) as server:
        page = fetch(ASKED, server.url)
    assert (page.status, page.headers["location"], len(server.calls)) == (302, "http://127.0.0.1:1/secret", 1)


def test_a_refused_connection_says_so():
    assert "refused" in refusal("http://127.0.0.1:1/").lower()


def test_a_connection_that_is_never_answered_ends_in_time():
    with speaking(lambda one: one.recv(65536) and time.sleep(1.0)) as url:
        assert "timed out" in refusal(url)


def test_a_body_that_drips_ends_in_time():
    def drip(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            time.sleep(0.05)
            connection.sendall(b".")

    with speaking(drip) as url:
        assert "did not end within 0.5s" in refusal(url)


def test_a_body_without_end_is_cut_off():
    def flood(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(40):
            connection.sendall(b"x" * 65536)

    with speaking(flood) as url:
        assert refusal(url) == f"the answer is longer than {MOST_BYTES} bytes"


@pytest.mark.parametrize(
    "answer", [b"-ERR unknown command 'GET'\r\n", b"SSH-2.0-x\r\n", b"", b"\x16\x03\x01"]
)
def test_another_server_behind_the_port_is_no_answer(answer):
    def other(connection):
        connection.recv(65536)
        connection.sendall(answer)

    with speaking(other) as url:
        assert refusal(url).startswith(shown(url))


def test_what_is_shown_of_an_address_holds_no_secret():
    assert (
        shown("https://ann:hunter2@wallet.example:8443/ready?token=hunter2#x")
        == "https://wallet.example:8443/ready"
    )


@pytest.mark.parametrize("url", ["http://[::1/", "http://wallet:http/", "http://:80/"])
def test_an_address_that_cannot_be_one_is_refused(url):
    with pytest.raises(ValueError, match=r"^url: .*; expected one such as https://wallet.example/ready"):
        check_url(url)


def test_somebody_elses_words_are_cut_and_in_one_line():
    assert cut("a\n  b") == "a b"
    assert len(cut("x" * 10_000)) == 200
