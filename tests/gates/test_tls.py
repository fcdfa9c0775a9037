"""The tls gate against a real TLS server, a Secret and a Certificate, with certificates made for the test."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
import warnings
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from deployctl.errors import DeployctlError
from deployctl.gates import About, Asked
from deployctl.gates.tls import Tls, max_age
from strategies.analysis import Answer
from tests.objects import service

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
NAME = "wallet.example"
ASKED = Asked(
    (), service(), lambda *_: (200, b""), timeout_seconds=3.0, about=About("wallet", "igaming", "old", "new")
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    made.cert_pem.write_to_path(path)
    made.path = str(path)
    return made


class Page(BaseHTTPRequestHandler):
    hsts = ""

    def do_GET(self):
        self.send_response(200)
        if self.hsts:
            self.send_header("Strict-Transport-Security", self.hsts)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *_):
        """Bear clients that refuse our certificate."""


@contextmanager
def serving(issued, hsts="", oldest=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    if oldest:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = oldest
    server = Server(("127.0.0.1", 0), type("Page", (Page,), {"hsts": hsts}))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def measured(at, authority, **options):
    one = Tls(address=at, ca=authority.path, **{"names": (NAME,), **options}).measure(ASKED)
    return one.answer, one.evidence


def issued(authority, *names, ends=90, begins=-1, **more):
    return authority.issue_cert(
        *(names or (NAME,)), not_after=NOW + ends * DAY, not_before=NOW + begins * DAY, **more
    )


def test_a_certificate_in_order_passes_and_says_how_long(authority):
    with serving(issued(authority, NAME, "odds.example")) as at:
        answer, told = measured(at, authority, names=(NAME, "odds.example"))
    assert answer is Answer.PASS
    assert told.startswith(f"{at} as {NAME}: the certificate is good for ")
    assert told.endswith("days, TLSv1.3")


@pytest.mark.parametrize(
    ("ends", "why"),
    [(-1, "certificate has expired"), (3, "the certificate is good for 3.0 days, TLSv1.3, expected 14")],
)
def test_a_certificate_that_ends_or_has_ended_says_no(authority, ends, why):
    with serving(issued(authority, ends=ends, begins=-30)) as at:
        answer, told = measured(at, authority)
    assert answer is Answer.FAIL
    assert why in told.replace("good for 2.9", "good for 3.0").replace("2.999", "3.0")


def test_a_certificate_that_is_not_good_yet_may_be_a_wrong_clock(authority):
    with serving(issued(authority, begins=2)) as at:
        answer, told = measured(at, authority)
    assert answer is Answer.UNKNOWN
    assert told == f"{at}: the certificate is not good yet; is this machine's clock right?"


def test_another_name_says_no(authority):
    with serving(issued(authority, "odds.example")) as at:
        answer, told = measured(at, authority)
    assert answer is Answer.FAIL
    assert "wallet.example" in told


def test_every_name_must_be_good(authority):
    with serving(issued(authority, NAME)) as at:
        assert measured(at, authority, names=(NAME, "odds.example"))[0] is Answer.FAIL


def test_a_chain_that_ends_elsewhere_says_no(authority):
    with serving(issued(trustme.CA())) as at:
        answer, told = measured(at, authority)
    assert answer is Answer.FAIL
    assert "issuer certificate" in told


def test_a_chain_without_its_intermediate_says_no(authority):
    whole = issued(authority.create_child_ca())
    with serving(whole) as at:
        assert measured(at, authority)[0] is Answer.PASS
    whole.private_key_and_cert_chain_pem = trustme.Blob(
        whole.private_key_pem.bytes() + whole.cert_chain_pems[0].bytes()
    )
    with serving(whole) as at:
        assert measured(at, authority)[0] is Answer.FAIL


def test_a_version_that_is_too_old_must_be_refused(authority):
    with serving(issued(authority), oldest=ssl.TLSVersion.TLSv1_1) as at:
        answer, told = measured(at, authority)
    assert (answer, told) == (Answer.FAIL, f"{at}: it speaks TLSv1.1, expected TLS 1.2 or later")
    with serving(issued(authority)) as at:
        assert measured(at, authority)[0] is Answer.PASS
        assert measured(at, authority, minimum="1.3") == (
            Answer.FAIL, f"{at}: it speaks TLSv1.2, expected TLS 1.3 or later",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("hsts", "answer"),
    [("max-age=31536000; includeSubDomains", Answer.PASS), ("max-age=60", Answer.FAIL), ("", Answer.FAIL)],
)
def test_hsts_must_last(authority, hsts, answer):
    with serving(issued(authority), hsts=hsts) as at:
        assert measured(at, authority, hsts_seconds=86400 * 180)[0] is answer


@pytest.mark.parametrize(
    ("header", "seconds"), [("max-age=5", 5), ('Max-Age="5"', 5), ("preload; max-age = x", None), ("", None)]
)
def test_the_max_age_of_a_header(header, seconds):
    assert max_age(header) == seconds


def test_pods_are_asked_through_their_tunnels(authority):
    pod = {
        "metadata": {"name": "a"},
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8443}]}]},
    }

    @contextmanager
    def tunnel(name, port):
        assert (name, port) == ("a", 8443)
        host, _, number = at.rpartition(":")
        yield host, int(number)

    gate = Tls(names=(NAME,), ca=authority.path)
    with serving(issued(authority)) as at:
        one = gate.measure(replace(ASKED, pods=(pod,), tunnel=tunnel))
    assert one.answer is Answer.PASS
    assert one.evidence.startswith(f"a:8443 as {NAME}")


# a Secret


def of_secret(one, other=None, **options):
    parts = {
        "tls.crt": b"".join(pem.bytes() for pem in one.cert_chain_pems),
        "tls.key": (other or one).private_key_pem.bytes(),
    }
    return judged(parts, **options)


def judged(parts, **options):
    def secret(name, key):
        if name != "wallet-tls":
            raise DeployctlError(f"there is no Secret {name}")
        return parts[key]

    gate = Tls(**{"secret": "wallet-tls", "names": (NAME,), **options})
    found = gate.measure(replace(ASKED, secret=secret))
    for part in parts.values():
        assert part.decode(errors="replace").strip() not in found.evidence
    assert "PRIVATE" not in found.evidence
    assert "PRIVATE" not in repr(found)
    return found.answer, found.evidence


def test_a_secret_in_order_passes(authority):
    answer, told = of_secret(issued(authority), ca=authority.path)
    assert answer is Answer.PASS, told
    assert told.startswith("the Secret wallet-tls: the certificate is good for ")


def test_a_wildcard_covers_a_name(authority):
    assert of_secret(issued(authority, "*.example"))[0] is Answer.PASS


@pytest.mark.parametrize(
    ("names", "ends", "why"),
    [(("odds.example",), 90, "the certificate is not good for wallet.example"), ((NAME,), 2, "expected 14")],
)
def test_a_secret_of_another_name_or_that_ends_says_no(authority, names, ends, why):
    answer, told = of_secret(issued(authority, *names, ends=ends))
    assert answer is Answer.FAIL
    assert why in told


def test_a_key_of_another_certificate_says_no(authority):
    told = of_secret(issued(authority), issued(authority))
    assert told == (Answer.FAIL, "the Secret wallet-tls: the key is not the certificate's")


def test_a_secret_whose_chain_ends_elsewhere_says_no(authority):
    answer, told = of_secret(issued(trustme.CA()), ca=authority.path)
    assert answer is Answer.FAIL
    assert "its chain does not end in" in told


def test_a_secret_that_is_not_good_yet_may_be_a_wrong_clock(authority):
    assert of_secret(issued(authority, begins=3))[0] is Answer.UNKNOWN


@pytest.mark.parametrize(
    "parts", [{"tls.crt": b"hunter2", "tls.key": b"hunter2"}, {"tls.crt": b"", "tls.key": b""}]
)
def test_what_is_no_certificate_is_no_answer(parts):
    gate = Tls(secret="wallet-tls", names=(NAME,))
    one = gate.measure(replace(ASKED, secret=lambda _, key: parts[key]))
    assert (one.answer, one.evidence) == (
        Answer.UNKNOWN, "the Secret wallet-tls holds no certificate with its key in PEM",
    )  # fmt: skip


def test_a_secret_that_is_not_there_is_no_answer(authority):
    gate = Tls(secret="gone", names=(NAME,))
    assert gate.measure(ASKED).answer is Answer.UNKNOWN


# a Certificate of cert-manager


class Cluster:
    def __init__(self, **status):
        self.status = status

    def get(self, path):
        assert path == "/apis/cert-manager.io/v1/namespaces/igaming/certificates/wallet"
        return {"spec": {"dnsNames": [NAME]}, "status": self.status}


def ready(status="True", **more):
    return [{"type": "Ready", "status": status, **more}]


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [
        ({"conditions": ready(), "notAfter": (NOW + 60 * DAY).isoformat()}, Answer.PASS, "is good for 60.0 days"),
        ({"conditions": ready(), "notAfter": (NOW + 2 * DAY).isoformat()}, Answer.FAIL, "expected 14"),
        ({"conditions": ready()}, Answer.UNKNOWN, "does not say until when"),
        ({"conditions": ready("False", reason="Failed", message="denied")}, Answer.FAIL, "is not ready: Failed: denied"),
        ({}, Answer.UNKNOWN, "is not ready: no status"),
    ],
)  # fmt: skip
def test_a_certificate_of_cert_manager_must_be_ready_and_last(status, answer, why):
    gate = Tls(certificate="wallet", names=(NAME,))
    one = gate.measure(replace(ASKED, cluster=Cluster(**status)))
    assert (one.answer, why in one.evidence.replace("59.9", "60.0").replace("59.99", "60.0")) == (
        answer,
        True,
    ), one


def test_a_certificate_for_other_names_says_no():
    gate = Tls(certificate="wallet", names=("odds.example",))
    one = gate.measure(replace(ASKED, cluster=Cluster(conditions=ready())))
    assert (one.answer, one.evidence) == (Answer.FAIL, "the Certificate wallet is not for odds.example")


@pytest.mark.parametrize(
    ("options", "why"),
    [({}, "names: none"), ({"secret": "a", "certificate": "b", "names": (NAME,)}, "at most one of")],
)
def test_what_is_looked_at_is_one_thing(options, why):
    with pytest.raises(ValueError, match=why):
        Tls(**options)
