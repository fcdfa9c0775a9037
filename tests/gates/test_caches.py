"""The redis and memcached gates on real servers, well and in trouble."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from redis import Redis as Client
from redis.exceptions import RedisError

from deployctl.gates.credential import Credential, SecretKey
from deployctl.gates.memcached import Memcached
from deployctl.gates.peers import Peer
from deployctl.gates.redis import Redis
from deployctl.gates.warmth import Warmth
from tests.gates.asking import PASSWORD, fails, nobody_listens, passes, read, speaking, unknown
from tests.servers.redis import memcached, redis, say
from tests.servers.running import eventually, scratch

pytestmark = pytest.mark.gates
WHERE = Credential(secret=SecretKey("cache", "password"))
ACL = ("ACL", "SETUSER", "gate", "on", f">{PASSWORD}", "resetchannels", "+info", "+cluster|info")


@pytest.fixture(scope="module")
def at():
    with scratch("caches") as folder:
        yield folder


@pytest.fixture(scope="module")
def primary(at):
    memory = ("--maxmemory", "16mb", "--maxmemory-policy", "noeviction", "--maxclients", "20")
    settings = (*memory, "--appendonly", "yes", "--enable-protected-configs", "yes")
    with redis(at, "primary", *settings) as one:
        one.do(*ACL)
        yield one


@pytest.fixture(scope="module")
def replica(at, primary):
    with redis(at, "replica", "--maxmemory", "16mb", "--replicaof", f"127.0.0.1 {primary.port}") as one:
        eventually(lambda: said(one, "master_link_status") == "up")
        one.do(*ACL)
        yield one


def said(one, field):
    """Ask an instance as a test does, with the official client."""
    with Client(port=one.port, password=one.password) as line:
        return line.info().get(field)


@pytest.fixture
def gate(primary):
    servers = (Peer("127.0.0.1", primary.port, "sessions"),)
    return Redis(servers, user="gate", password=WHERE, tls="off", window_seconds=0.2)


@pytest.fixture
def both(gate, primary, replica):
    eventually(lambda: (said(primary, "slave0") or {}).get("state") == "online")
    return replace(gate, servers=(*gate.servers, Peer("127.0.0.1", replica.port, "copy")), replicas=1)


@contextmanager
def meanwhile(deed):
    """Do a thing over and over."""
    over = threading.Event()

    def repeat():
        while not over.is_set():
            deed()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_instances_that_are_well_pass(both):
    assert passes(both).startswith("2 instances: ")
    alone = passes(replace(both, servers=both.servers[:1]))
    assert alone.startswith("1 instances: ")


def test_the_password_may_be_wrong_and_the_default_user_needs_one(gate):
    assert "sessions: WRONGPASS" in unknown(replace(gate, password=Credential(env="PATH")))
    assert "sessions: NOAUTH" in unknown(replace(gate, user=None, password=None))


def test_a_user_without_the_right_to_ask_is_told(gate, primary):
    primary.do("ACL", "SETUSER", "blind", "on", f">{PASSWORD}", "+ping")
    assert "has no permissions to run the 'info' command" in unknown(replace(gate, user="blind"))


def test_nobody_listening_is_no_answer(gate):
    evidence = unknown(replace(gate, servers=(*gate.servers, Peer("127.0.0.1", nobody_listens(), "gone"))))
    assert evidence == "instance: gone: Connection refused"


@pytest.mark.parametrize(
    ("first", "answer", "every"),
    [(b"", b"", None), (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", None), (b"\x05\0\0\0\x0aabcd", b"x", None), (b"$99999999999\r\n", b"", None), (b"", b"$", 0.1)],
    ids=["silent", "http", "mysql", "a huge answer", "a byte now and then"],
)  # fmt: skip
def test_what_is_no_redis_is_no_answer_in_time(gate, first, answer, every):
    with speaking(first, answer, every) as port:
        unknown(replace(gate, servers=(Peer("127.0.0.1", port),)), timeout_seconds=1.5)


def test_an_instance_that_freezes_is_no_answer_in_time(gate, primary):
    primary.server.freeze()
    try:
        assert "sessions" in unknown(gate, timeout_seconds=1.0)
    finally:
        primary.server.thaw()
    eventually(lambda: not any("asking" in one.name for one in threading.enumerate()), 10)


def test_without_tls_at_the_server_a_gate_that_verifies_has_no_answer(gate):
    evidence = unknown(replace(gate, tls="verify"), timeout_seconds=1.0)
    assert evidence.endswith(("asking sessions for TLS", "The handshake operation timed out"))


def test_a_primary_is_no_replica(both):
    evidence = fails(replace(both, role="replica"))
    assert evidence == "role: sessions: it is a primary, expected a replica"


def test_a_replica_that_is_missing_is_told(gate, both):
    assert (
        fails(replace(both, replicas=2))
        == "replicas: sessions: 1 of 2 replicas are online, expected at least 2"
    )


def test_a_replica_that_only_just_came_is_not_counted(at, both, primary):
    primary.do("CONFIG", "SET", "repl-diskless-sync-delay", "3")
    with redis(at, "late", "--maxmemory", "16mb", "--replicaof", f"127.0.0.1 {primary.port}") as late:
        late.do(*ACL)
        eventually(lambda: str(said(primary, "connected_slaves")) == "2")
        every = (*both.servers, Peer("127.0.0.1", late.port, "late"))
        evidence = fails(replace(both, servers=every, replicas=2))
        primary.do("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    assert "replicas: sessions: 1 of 2 replicas are online, one is in wait_bgsave" in evidence
    assert "link: late: its link to the primary is down" in evidence


def test_a_replica_whose_primary_is_gone_is_told(at, gate):
    with redis(at, "other-primary") as gone:
        where = f"127.0.0.1 {gone.port}"
        with redis(at, "orphan", "--maxmemory", "16mb", "--replicaof", where) as orphan:
            orphan.do(*ACL)
            alone = replace(gate, servers=(Peer("127.0.0.1", orphan.port, "orphan"),), role="replica")
            eventually(lambda: str(said(orphan, "master_link_status")) == "up")
            passes(alone)
            gone.server.kill()
            eventually(lambda: str(said(orphan, "master_link_status")) == "down")
            evidence = fails(alone)
    assert evidence == "link: orphan: its link to the primary is down, expected up"


def test_a_replica_that_does_not_read_is_behind(both, primary, replica):
    replica.server.freeze()
    try:
        primary.do("SET", "big", "x" * 200_000)
        evidence = fails(replace(both, servers=both.servers[:1], lag_size="64Ki"))
    finally:
        replica.server.thaw()
        primary.do("DEL", "big")
    assert "lag: sessions: replica 127.0.0.1:" in evidence
    assert "Ki behind, expected at most 64Ki" in evidence


def test_memory_that_is_used_up_is_told(gate):
    evidence = fails(replace(gate, memory=0.01))
    assert "of 16.0Mi used, expected at most 1%" in evidence


def test_memory_without_a_limit_is_unknown_unless_it_may_be_so(at, gate):
    with redis(at, "limitless") as one:
        one.do(*ACL)
        alone = replace(gate, servers=(Peer("127.0.0.1", one.port, "free"),))
        assert "used, and it has no maxmemory" in unknown(alone)
        passes(replace(alone, limitless=True))


def test_another_policy_than_declared_is_told(gate):
    evidence = fails(replace(gate, policy="allkeys-lru"))
    assert evidence == "policy: sessions: maxmemory-policy is noeviction, expected allkeys-lru"


def test_keys_that_are_evicted_are_counted_over_the_window(at, gate):
    with redis(at, "full", "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru") as one:
        one.do(*ACL)
        alone = replace(gate, servers=(Peer("127.0.0.1", one.port, "full"),), memory=1.0, window_seconds=0.5)
        numbers = iter(range(10**9))
        with meanwhile(lambda: one.do("SET", f"key-{next(numbers)}", "x" * 50_000)):
            eventually(lambda: str(said(one, "evicted_keys")) != "0")
            evidence = fails(alone)
            passes(replace(alone, evicted=None))
    assert "evicted: full: " in evidence


def test_connections_that_are_rejected_are_counted_over_the_window(gate, primary):
    def knock():
        for _ in range(30):
            several.enter_context(Client(port=primary.port, password=primary.password)).ping()

    with ThreadPoolExecutor() as asks, ExitStack() as several:
        evidence = asks.submit(fails, replace(gate, clients=1.0, window_seconds=2.0))
        time.sleep(0.5)
        with pytest.raises(RedisError, match="max number of clients reached"):
            knock()
    assert re.fullmatch(
        "rejected: sessions: [1-9][0-9]* connections rejected in 2s, expected at most 0", evidence.result()
    )


def test_what_the_new_revision_opens_is_held_against_maxclients(gate):
    passes(replace(gate, more=10))
    assert "of 20 clients with 18 more, expected at most 90%" in fails(replace(gate, more=18))


def test_what_could_not_be_saved_is_told(gate, primary):
    primary.do("CONFIG", "SET", "dir", "/proc")
    try:
        with pytest.raises(RedisError):
            primary.do("SAVE")
        primary.do("BGSAVE")
        eventually(lambda: str(said(primary, "rdb_last_bgsave_status")) == "err")
        evidence = fails(gate)
        passes(replace(gate, persistence=False))
    finally:
        primary.do("CONFIG", "SET", "dir", f"{primary.server.at}/primary")
        primary.do("BGSAVE")
        eventually(lambda: str(said(primary, "rdb_last_bgsave_status")) == "ok")
    assert evidence == "persistence: sessions: rdb_last_bgsave_status is err, expected ok"


def test_a_cluster_must_serve_every_slot(at, gate):
    assert "cluster: sessions: it is of no cluster" in fails(replace(gate, cluster=True))
    with redis(at, "clustered", "--maxmemory", "16mb", "--cluster-enabled", "yes") as one:
        one.do(*ACL)
        alone = replace(gate, servers=(Peer("127.0.0.1", one.port, "node"),), cluster=True)
        one.do("CLUSTER", "ADDSLOTSRANGE", "0", "16000")
        assert "the cluster is fail, 16001 of 16384 slots served, expected ok and all" in fails(alone)
        one.do("CLUSTER", "ADDSLOTSRANGE", "16001", "16383")
        eventually(lambda: b"cluster_state:ok" in one.do("CLUSTER", "INFO"))
        passes(alone)


def test_a_cache_must_be_warm(gate, primary):
    primary.do("SET", "warm", "1")
    cold = replace(gate, hits=Warmth(least=0.8, lookups=10), window_seconds=0.5)
    assert "hits: 0 of 0 look-ups hit in 0.5s, too few to tell, expected 10" in unknown(cold)
    with Client(port=primary.port, password=primary.password) as line:
        with meanwhile(lambda: line.get("warm")):
            assert "look-ups hit in 0.5s" in passes(cold)
        with meanwhile(lambda: [line.get("warm"), line.get("cold")]):
            assert "look-ups hit in 0.5s, expected at least 80%" in fails(cold)


@pytest.fixture
def cache(at):
    with memcached(at, f"memcached-{time.monotonic_ns()}", "-m", "2", "-c", "30") as (port, server):
        yield Memcached((Peer("127.0.0.1", port, "cache"),), window_seconds=0.3), server


def test_a_memcached_that_is_well_passes(cache):
    assert passes(cache[0]).startswith("1 servers: 4 checks passed")


@pytest.mark.parametrize(
    ("first", "answer", "every"),
    [(b"", b"", None), (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", None), (b"", b"-ERR unknown\r\n", None), (b"", b"S", 0.1), (b"STAT pid 1\r\n" * 2000, b"", None), (b"END\r\n", b"", None)],
    ids=["silent", "http", "redis", "a byte now and then", "without an end", "no counters"],
)  # fmt: skip
def test_what_is_no_memcached_is_no_answer_in_time(cache, first, answer, every):
    with speaking(first, answer, every) as port:
        unknown(replace(cache[0], servers=(Peer("127.0.0.1", port),)), timeout_seconds=1.5)


def test_a_memcached_that_does_not_listen_or_freezes_is_no_answer(cache):
    gate, server = cache
    gone = Peer("127.0.0.1", nobody_listens(), "gone")
    assert unknown(replace(gate, servers=(*gate.servers, gone))) == "server: gone: Connection refused"
    server.freeze()
    assert "cache" in unknown(gate, timeout_seconds=1.0)
    server.thaw()


def test_a_memcached_that_is_full_evicts(cache):
    gate = cache[0]
    port, numbers = gate.servers[0].port, iter(range(10**9))

    def fill():
        for _ in range(50):
            say(port, b"set k%d 0 0 9000\r\n%b\r\n" % (next(numbers), b"x" * 9000))

    with meanwhile(fill):
        time.sleep(0.5)
        evidence = fails(replace(gate, memory=0.2))
    assert "memory: cache: " in evidence
    assert "of 2.0Mi used, expected at most 20%" in evidence
    assert "items evicted a second, expected at most 10" in evidence


def test_a_memcached_must_have_room_for_the_new_revisions_connections(cache):
    passes(replace(cache[0], more=20))
    assert "of 30 connections with 28 more, expected at most 80%" in fails(replace(cache[0], more=28))


def test_a_memcached_must_be_warm(cache):
    gate = replace(cache[0], hits=Warmth(least=0.8, lookups=10))
    port = gate.servers[0].port
    say(port, b"set warm 0 0 1\r\n1\r\n")
    assert "too few to tell" in unknown(gate)
    with meanwhile(lambda: say(port, b"get warm\r\n")):
        passes(gate)
    with meanwhile(lambda: say(port, b"get cold\r\n")):
        assert "hits: 0 of " in fails(gate)


def test_a_memcached_that_was_started_anew_is_no_answer(cache):
    gate, server = cache
    with ThreadPoolExecutor() as asks:
        evidence = asks.submit(unknown, replace(gate, window_seconds=2.5))
        time.sleep(0.5)
        server.kill()
        server.start()
    assert evidence.result() == "server: cache: it was started anew in the window"


@pytest.mark.parametrize(
    ("cls", "text", "problem"),
    [
        (Redis, "{}", "servers: missing; expected a list"),
        (Redis, "{servers: [{host: a}], policy: lru}", "policy: got lru; expected one of allkeys-lfu"),
        (
            Memcached,
            "{servers: [{host: a}], hits: {least: 80}}",
            "hits.least: got 80; expected a share from 0 to 1",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(cls, text, problem):
    with pytest.raises(Exception, match=r"wallet\.yaml:1") as told:
        read(cls, text)
    assert problem in str(told.value)
