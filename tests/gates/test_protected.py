"""The way to a server is protected where the spec does not say otherwise, and only listed hosts are asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trustme
from confluent_kafka.admin import NewTopic, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from cryptography.hazmat.primitives import serialization

from deployctl.gates.credential import Credential, SecretKey
from deployctl.gates.galera import Galera
from deployctl.gates.kafka import Kafka
from deployctl.gates.memcached import Memcached
from deployctl.gates.peers import Peer
from deployctl.gates.postgres import Postgres
from deployctl.gates.rabbitmq import Queue, Rabbitmq
from deployctl.gates.redis import Redis
from tests.gates.asking import PASSWORD, fails, passes, unknown
from tests.servers import galera, kafka, postgres, rabbitmq
from tests.servers.redis import redis
from tests.servers.running import eventually, free_port, own, scratch

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
    paths["both"] = at / "both.pem"
    paths["both"].write_bytes(pkcs8(served.private_key_pem.bytes()) + served.cert_chain_pems[0].bytes())
    for one in paths.values():
        one.chmod(0o600)
        own(one)
    return {name: str(path) for name, path in paths.items()}


def pkcs8(key):
    """Write a key as Kafka reads it."""
    read = serialization.load_pem_private_key(key, None)
    return read.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


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


@pytest.fixture(scope="module")
def sealed(at, pems):
    """The port of a broker that speaks only TLS there, and takes logins by PLAIN and by SCRAM-SHA-512."""
    port, modules = free_port(), "org.apache.kafka.common.security"
    settings = {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SEALED:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": pems["both"],
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.sealed.plain.sasl.jaas.config": f'{modules}.plain.PlainLoginModule required user_gate="{PASSWORD}";',
        "listener.name.sealed.scram-sha-512.sasl.jaas.config": f"{modules}.scram.ScramLoginModule required;",
    }
    with kafka.brokers(at, 1, f"SEALED://localhost:{port}", **settings) as brokers:
        client = kafka.admin(*brokers)
        new = UserScramCredentialUpsertion(
            "gate", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), PASSWORD.encode()
        )
        for one in (
            *client.alter_user_scram_credentials([new]).values(),
            *client.create_topics([NewTopic("bets", 1, 1)]).values(),
        ):
            one.result(20)
        yield port


@pytest.fixture(params=["PLAIN", "SCRAM-SHA-512"])
def login(request, sealed, pems):
    """The gate, logged in over TLS by either mechanism."""
    return Kafka(
        (Peer("localhost", sealed),), user="gate", password=WHERE, mechanism=request.param, ca=pems["ca"]
    )


@pytest.mark.gates
def test_a_kafka_is_verified_by_its_name_and_logged_in_at(login, sealed, pems):
    told = is_verified(login, lambda gate, host: replace(gate, brokers=(Peer(host, sealed),)), pems)
    assert "certificate verify failed" in told


@pytest.mark.gates
def test_a_kafka_that_is_logged_in_at_says_no(login):
    assert "there is no topic odds" in fails(replace(login, topics=("odds",)))


@pytest.mark.gates
def test_a_wrong_password_is_no_answer_of_a_kafka(login):
    wrong = replace(login, password=Credential(env="PATH"))
    assert "uthentication failed" in unknown(wrong, timeout_seconds=5.0)


@pytest.mark.gates
def test_a_kafka_that_wants_tls_is_no_answer_without(login):
    unknown(replace(login, tls="off"), timeout_seconds=3.0)


@pytest.mark.gates
def test_a_rabbitmq_is_verified_by_its_name_and_logged_in_at(at, pems):
    port = free_port()
    lines = {
        "port": port,
        "ip": "127.0.0.1",
        "certfile": pems["cert"],
        "keyfile": pems["key"],
        "cacertfile": pems["ca"],
    }
    more = [f"management.ssl.{key} = {value}" for key, value in lines.items()]
    with rabbitmq.names() as epmd, rabbitmq.node(at, epmd, "sealed-rabbit", *more) as one:
        one.ask("PUT", "/users/gate", {"password": PASSWORD, "tags": "monitoring"}).raise_for_status()
        for user in ("gate", rabbitmq.USER):
            rights = {"configure": ".*", "write": ".*", "read": ".*"}
            one.ask("PUT", f"/permissions/%2F/{user}", rights).raise_for_status()
        eventually(lambda: "mem_used" in one.ask("GET", "/nodes").json()[0])
        gate = Rabbitmq((Peer("localhost", port),), user="gate", password=WHERE, listener=one.amqp)
        told = is_verified(gate, lambda gate, host: replace(gate, nodes=(Peer(host, port),)), pems)
        right = replace(gate, ca=pems["ca"])
        assert "odds" in fails(replace(right, queues=(Queue("odds"),)))
        assert "401" in unknown(replace(right, password=Credential(env="PATH")))
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
