"""The galera gate on a real cluster of three nodes, well and in every kind of trouble."""

from __future__ import annotations

import re
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace

import pymysql
import pytest

from deployctl.gates.credential import Credential, SecretKey
from deployctl.gates.galera import Galera
from deployctl.gates.peers import Connections, Peer
from strategies.quantities import Amount
from tests.gates.asking import PASSWORD, fails, measured, nobody_listens, passes, read, speaking, unknown
from tests.servers import galera
from tests.servers.running import eventually, scratch

pytestmark = pytest.mark.gates
WHERE = Credential(secret=SecretKey("db", "password"))
SETUP = (
    f"CREATE USER gate@'%' IDENTIFIED BY '{PASSWORD}'",
    f"CREATE USER full@'%' IDENTIFIED BY '{PASSWORD}'",
    "GRANT PROCESS, SLAVE MONITOR ON *.* TO full@'%'",
    "CREATE USER wallet@'%' IDENTIFIED BY 'wallet'",
    "CREATE USER copy@'%' IDENTIFIED BY 'copy'",
    "GRANT REPLICATION SLAVE ON *.* TO copy@'%'",
    "CREATE DATABASE wallet",
    "CREATE TABLE wallet.accounts (id int PRIMARY KEY, cents int)",
    "INSERT INTO wallet.accounts VALUES (1, 100), (2, 100)",
    "GRANT ALL ON wallet.* TO wallet@'%'",
)


@pytest.fixture(scope="module")
def at():
    with scratch("galera") as folder:
        yield folder


@pytest.fixture(scope="module")
def nodes(at):
    with galera.nodes(at, 3) as several:
        several[0].do(*SETUP)
        yield several


def listed(nodes):
    return tuple(Peer("127.0.0.1", one.port, f"node-{n}") for n, one in enumerate(nodes))


@pytest.fixture
def gate(nodes):
    eventually(lambda: all(one.synced() and one.status("wsrep_local_recv_queue") == "0" for one in nodes))
    return Galera(listed(nodes), user="gate", password=WHERE, tls="off", window_seconds=0.3)


@contextmanager
def meanwhile(*deeds):
    """Do things over and over, each in a thread of its own."""
    over = threading.Event()

    def repeat(deed):
        while not over.is_set():
            deed()

    threads = [threading.Thread(target=repeat, args=(one,)) for one in deeds]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        over.set()
        for one in threads:
            one.join()


def test_a_cluster_that_is_well_passes(gate):
    assert passes(gate).startswith("3 nodes, size 3: ")


def test_the_password_may_be_wrong(gate):
    evidence = unknown(replace(gate, password=Credential(env="PATH")))
    assert "node: node-0: Access denied for user 'gate'" in evidence


def test_nobody_listening_is_no_answer_and_the_other_nodes_are_asked_all_the_same(gate):
    gone = Peer("127.0.0.1", nobody_listens(), "gone")
    evidence = unknown(replace(gate, nodes=(gone, *gate.nodes), size=3))
    assert evidence == "node: gone: Connection refused"


@pytest.mark.parametrize(
    ("first", "answer", "every"),
    [(b"", b"", None), (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", None), (b"-ERR unknown\r\n", b"", None), (b"\x05\0\0\0\x0aabcd", b"x", None), (b"", b"\x01", 0.1)],
    ids=["silent", "http", "redis", "half a greeting", "a byte now and then"],
)  # fmt: skip
def test_what_is_no_mysql_is_no_answer_in_time(gate, first, answer, every):
    with speaking(first, answer, every) as port:
        unknown(replace(gate, nodes=(Peer("127.0.0.1", port),), survives=0), timeout_seconds=1.5)


def test_a_node_that_freezes_is_no_answer_in_time(gate, at):
    with galera.nodes(at, 1, "frozen") as (one,):
        one.do(*SETUP[:1])
        alone = replace(gate, nodes=(Peer("127.0.0.1", one.port, "one"),), survives=0)
        passes(alone)
        one.server.freeze()
        assert unknown(alone, timeout_seconds=1.5) in {
            "no answer within 1.5s, asking one",
            "node: one: Lost connection to MySQL server during query (timed out)",
        }
        one.server.thaw()
    eventually(lambda: not any("asking" in one.name for one in threading.enumerate()), 10)


def test_without_its_driver_the_gate_says_what_to_install(gate, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymysql", None)
    what = "the driver pymysql is not installed; install it with: pip install 'deployctl[mysql]'"
    assert unknown(gate) == what


def test_without_tls_at_the_server_a_gate_that_verifies_has_no_answer(gate):
    assert "SSL" in unknown(replace(gate, tls="verify"))
    assert "ca: /no/such/file: No such file" in unknown(replace(gate, tls="verify", ca="/no/such/file"))


def test_a_window_that_does_not_fit_is_told(gate):
    evidence = unknown(replace(gate, window_seconds=5.0), timeout_seconds=2.0)
    assert evidence == "a window of 5s does not fit into 2s; raise the timeout"


def test_a_cluster_that_would_not_survive_a_loss_is_told(gate):
    assert "survives: of 3 nodes 1 are left after the loss of 2, expected at least 2" in fails(
        replace(gate, survives=2)
    )


def test_a_node_that_is_missing_from_the_cluster_is_told(gate):
    evidence = fails(replace(gate, size=4, survives=0))
    assert "cluster size: node-0: wsrep_cluster_size is 3, expected 4" in evidence


def test_two_addresses_of_one_node_are_told(gate):
    evidence = fails(
        replace(gate, nodes=(gate.nodes[0], replace(gate.nodes[0], name="again"), *gate.nodes[1:]), size=3)
    )
    assert "nodes: again is a node that has another address in the list" in evidence


def test_a_donor_is_no_synced_node_though_all_else_looks_well(gate, nodes):
    nodes[2].do("SET GLOBAL wsrep_desync = ON")
    try:
        evidence = fails(gate)
    finally:
        nodes[2].do("SET GLOBAL wsrep_desync = OFF")
    assert evidence == "local state: node-2: wsrep_local_state_comment is Donor/Desynced, expected Synced"


def test_a_node_that_is_read_only_is_the_wrong_target(gate, nodes):
    nodes[1].do("SET GLOBAL read_only = ON")
    evidence = fails(gate)
    nodes[1].do("SET GLOBAL read_only = OFF")
    assert evidence == "target: node-1: read_only is ON, expected OFF"


def test_a_stalled_nodes_queue_is_found(gate, nodes):
    with nodes[2].connect() as stalled, stalled.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        for _ in range(30):
            nodes[0].do("UPDATE wallet.accounts SET cents = cents + 1 WHERE id = 1")
        evidence = fails(gate)
        cursor.execute("UNLOCK TABLES")
    assert "queue: node-2: " in evidence
    assert "write sets wait, expected at most 10" in evidence
    eventually(lambda: nodes[2].status("wsrep_local_recv_queue") == "0")


def test_flow_control_is_measured_over_the_window(gate, nodes):
    rows = " UNION ALL ".join(f"SELECT {n}" for n in range(2000))
    nodes[0].do("CREATE TABLE wallet.keyless (cents int)", f"INSERT INTO wallet.keyless {rows}")

    def write():  # what is one statement here is a search through all rows for each row elsewhere
        nodes[0].do("UPDATE wallet.keyless SET cents = cents + 1")

    with meanwhile(write):
        eventually(lambda: nodes[0].status("wsrep_flow_control_paused_ns") != "0")
        evidence = fails(replace(gate, paused=0.05, window_seconds=1.0, queue=1000, conflicts=1000))
    nodes[0].do("DROP TABLE wallet.keyless")
    eventually(lambda: all(one.status("wsrep_local_recv_queue") == "0" for one in nodes))
    assert "flow control stood for " in evidence
    assert "of 1s, expected at most 5%" in evidence


def test_conflicts_are_counted_over_the_window(gate, nodes):
    def clash():
        try:
            with nodes[0].connect(autocommit=False) as line, line.cursor() as cursor:
                cursor.execute("UPDATE wallet.accounts SET cents = cents + 1 WHERE id = 2")
                nodes[1].do("UPDATE wallet.accounts SET cents = cents - 1 WHERE id = 2")
                line.commit()
        except pymysql.Error:
            pass  # the deadlock that the test is about

    with meanwhile(clash):
        evidence = fails(replace(gate, window_seconds=1.5, conflicts=0.0, queue=1000, paused=1.0))
    assert "conflicts a second, expected at most 0" in evidence


def test_connections_are_held_against_what_a_node_takes(gate, nodes):
    assert "connections: node-0: " in fails(replace(gate, used=0.01))
    wanted = Connections(pool=2, max_replicas=3, user="wallet")
    full = replace(gate, user="full", connections=wanted)
    passes(full)
    tight = replace(full, connections=replace(wanted, pool=3))
    before = others(fails(tight))
    with nodes[0].connect(user="wallet", password="wallet"):
        eventually(lambda: others(fails(tight)) <= before)
    passes(replace(full, connections=replace(wanted, pool=3, surge=Amount(1))))


def others(evidence):
    """How many sessions beside the pods' own were counted on the first node, where the sum that is told agrees."""
    text = r"connections: node-0: 6 pods x 3 \+ (\d+) others = (\d+) connections, expected at most 16 \(0.8 of 20\)"
    found = re.search(text, evidence)
    assert found, evidence
    assert int(found[2]) == 18 + int(found[1])
    return int(found[1])


def test_a_user_that_sees_only_its_own_connections_cannot_tell_the_budget(gate, nodes):
    with nodes[0].connect(), nodes[0].connect():
        evidence = unknown(replace(gate, connections=Connections(pool=1, max_replicas=1, user="wallet")))
    assert (
        "rights: node-0: gate may not see the connections of others; GRANT PROCESS ON *.* TO 'gate'"
        in evidence
    )


def test_an_asynchronous_replica_is_asked_itself(gate, nodes, at):
    with galera.replica(at, nodes[0]) as one:
        asked = replace(gate, user="full", replicas=(Peer("127.0.0.1", one.port, "reports"),))
        eventually(lambda: measured(asked)[0].value == "pass", 30)
        one.do("STOP SLAVE SQL_THREAD")
        assert "replica: reports: its threads run: IO Yes, SQL No, expected Yes" in fails(asked)
        one.do("START SLAVE SQL_THREAD")
        evidence = unknown(replace(asked, user="gate"))
        assert "replica: reports: " in evidence
        assert "GRANT SLAVE MONITOR ON *.* TO 'gate'" in evidence
        alone = replace(asked, nodes=asked.replicas, survives=0)
        assert "node: reports is no node of Galera: it has no wsrep_" in unknown(alone)
        none = replace(asked, replicas=(asked.nodes[1],))
        assert "replica: node-1: it replicates from nobody" in fails(none)


def test_a_node_that_was_killed_leaves_a_smaller_cluster(gate, nodes):
    nodes[2].server.kill()
    try:
        eventually(lambda: nodes[0].status("wsrep_cluster_size") == "2")
        evidence = fails(gate)
        smaller = unknown(replace(gate, size=2, survives=0))
    finally:
        nodes[2].server.start()
        eventually(lambda: nodes[0].status("wsrep_cluster_size") == "3")
    assert "cluster size: node-0: wsrep_cluster_size is 2, expected 3" in evidence
    assert smaller == "node: node-2: Connection refused"


def test_a_node_without_a_majority_is_no_cluster(at, gate):
    with galera.nodes(at, 2, "pair") as (one, other):
        one.do(*SETUP[:1])
        pair = replace(gate, nodes=listed((one, other)))
        assert fails(pair) == "survives: of 2 nodes 1 are left after the loss of 1, expected at least 2"
        passes(replace(pair, survives=0))
        other.server.kill()
        eventually(lambda: one.status("wsrep_cluster_status") == "non-Primary")
        evidence = fails(replace(pair, survives=0))
    assert "cluster status: node-0: wsrep_cluster_status is non-Primary, expected Primary" in evidence
    assert "ready: node-0: wsrep_ready is OFF, expected ON" in evidence


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{user: gate}", "nodes: missing; expected a list"),
        ("{user: gate, nodes: []}", "nodes: empty; expected at least one"),
        (
            "{user: gate, nodes: [{host: db, prot: 1}]}",
            "nodes[0].prot: unknown; expected one of host, port, name",
        ),
        (
            "{user: gate, nodes: [{host: db}], paused: 5}",
            "paused: got 5; expected a share from 0 to 1 such as 0.8",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(text, problem):
    with pytest.raises(Exception, match=r"wallet\.yaml:1") as told:
        read(Galera, text)
    assert problem in str(told.value)
