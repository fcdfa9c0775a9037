"""The way to a server is protected where the spec does not say otherwise, and only listed hosts are asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trustme

from deployctl.gates.credential import Credential, SecretKey
from deployctl.gates.galera import Galera
from deployctl.gates.kafka import Kafka
from deployctl.gates.memcached import Memcached
from deployctl.gates.peers import Peer
from deployctl.gates.postgres import Postgres
from deployctl.gates.rabbitmq import Rabbitmq
from deployctl.gates.redis import Redis
from tests.gates.asking import PASSWORD, passes, unknown
from tests.servers import galera, postgres
from tests.servers.redis import redis
from tests.servers.running import free_port, own, scratch

WHERE = Credential(secret=SecretKey("db", "password"))
ELSEWHERE = (Peer("db.example"),)


@pytest.fixture(scope="module")
def at():
    with scratch("protected") as folder:
        yield folder


@pytest.fixture(scope="module")
def pems(at):
    """An authority, and the certificate of a server that is called localhost."""
    authority = trustme.CA()
    served = authority.issue_cert("localhost")
    paths = {name: at / f"{name}.pem" for name in ("ca", "cert", "key", "other")}
    authority.cert_pem.write_to_path(paths["ca"])
    trustme.CA().cert_pem.write_to_path(paths["other"])
    served.cert_chain_pems[0].write_to_path(paths["cert"])
    served.private_key_pem.write_to_path(paths["key"])
    for one in paths.values():
        one.chmod(0o600)
        own(one)
    return {name: str(path) for name, path in paths.items()}


def is_verified(gate, named, pems):
    """Hold that the right name and authority pass, and that neither another authority nor another name does."""
    right = replace(named(gate, "localhost"), ca=pems["ca"])
    passes(right)
    assert "certificate verify failed" in unknown(replace(right, ca=pems["other"]))
    unknown(replace(right, ca="/no/such/file"))
    return unknown(named(right, "127.0.0.1"))


@pytest.mark.gates
def test_a_postgres_is_verified_by_its_name(at, pems):
    settings = {"ssl": "on", "ssl_cert_file": pems["cert"], "ssl_key_file": pems["key"]}
    with postgres.primary(at, "sealed", **settings) as one:
        one.do(f"CREATE ROLE gate LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_monitor")
        gate = Postgres(user="gate", host="localhost", port=one.port, password=WHERE)
        told = is_verified(gate, lambda gate, host: replace(gate, host=host), pems)
    assert "does not match host name" in told


@pytest.mark.gates
def test_a_node_of_galera_is_verified_by_its_name(at, pems):
    options = (f"--ssl-cert={pems['cert']}", f"--ssl-key={pems['key']}", f"--ssl-ca={pems['ca']}")
    with galera.nodes(at, 1, "sealed-cluster", *options) as (one,):
        one.do(f"CREATE USER gate@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL")
        gate = Galera(
            (Peer("localhost", one.port),), user="gate", password=WHERE, survives=0, window_seconds=0.1
        )
        told = is_verified(gate, lambda gate, host: replace(gate, nodes=(Peer(host, one.port),)), pems)
    assert "IP address mismatch" in told


@pytest.mark.gates
def test_a_redis_is_verified_by_its_name(at, pems):
    sealed = free_port()
    options = ("--tls-port", str(sealed), "--tls-cert-file", pems["cert"], "--tls-key-file", pems["key"])
    ca = ("--tls-ca-cert-file", pems["ca"], "--tls-auth-clients", "no")
    with redis(at, "sealed-redis", *options, *ca, password=PASSWORD):
        gate = Redis((Peer("localhost", sealed),), password=WHERE, limitless=True, window_seconds=0.1)
        told = is_verified(gate, lambda gate, host: replace(gate, servers=(Peer(host, sealed),)), pems)
    assert "IP address mismatch" in told


@pytest.mark.parametrize(
    "gate",
    [
        Postgres(user="gate", host="db.example"),
        Galera(ELSEWHERE, user="gate", survives=0),
        Redis(ELSEWHERE),
        Memcached(ELSEWHERE),
        Rabbitmq(ELSEWHERE, user="gate", password=WHERE),
        Kafka(ELSEWHERE),
    ],
    ids=lambda gate: type(gate).__name__,
)
def test_a_host_that_the_spec_does_not_list_is_not_asked(gate):
    assert "db.example is not among the hosts that gates may ask (only loopback)" in unknown(gate)
