"""The postgres gate on real servers: a primary, its replica and shards, well and in every kind of trouble."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import psycopg
import pytest

from deployctl.gates.credential import Credential, SecretKey
from deployctl.gates.peers import Connections, Peer
from deployctl.gates.postgres import Postgres
from deployctl.gates.postgres.options import PgBouncer, Plan, Shard
from strategies.analysis import Answer
from strategies.quantities import Amount
from tests.gates.asking import PASSWORD, fails, measured, nobody_listens, passes, read, speaking, unknown
from tests.gates.test_scaling import asked, scalers
from tests.servers import postgres
from tests.servers.running import eventually, scratch

pytestmark = pytest.mark.gates
STREAMING = "SELECT count(replay_lsn) FROM pg_stat_replication WHERE state = 'streaming'"
WHERE = Credential(secret=SecretKey("db", "password"))
TABLES = (
    "CREATE TABLE accounts (id int PRIMARY KEY, owner text, cents int)",
    "INSERT INTO accounts SELECT n, 'player ' || n, n FROM generate_series(1, 20000) n",
    "CREATE TABLE games (id int PRIMARY KEY)",
    "CREATE TABLE schema_migrations (version int)",
    "INSERT INTO schema_migrations VALUES (41), (42)",
    "ANALYZE",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO gate",
)
ROLES = (
    f"CREATE ROLE gate LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_monitor",
    f"CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'",
    f"CREATE ROLE wallet LOGIN PASSWORD '{PASSWORD}'",
)


@pytest.fixture(scope="module")
def at():
    with scratch("postgres") as folder:
        yield folder


@pytest.fixture(scope="module")
def primary(at):
    with postgres.primary(at) as one:
        one.do(*ROLES, "CREATE DATABASE wallet OWNER postgres")
        one.do(*TABLES, database="wallet")
        yield one


@pytest.fixture(scope="module")
def replica(at, primary):
    with postgres.replica(at, primary) as one:
        eventually(lambda: primary.one(STREAMING))
        yield one


@pytest.fixture(scope="module")
def shards(at):
    with ExitStack() as several:
        made = [several.enter_context(postgres.primary(at, f"shard{n}")) for n in (0, 1)]
        for one in made:
            one.do(*ROLES, "CREATE DATABASE wallet")
            one.do(*TABLES, database="wallet")
        yield made


@pytest.fixture
def gate(primary):
    """The gate with its defaults, on the primary."""
    return Postgres(
        host="127.0.0.1", port=primary.port, database="wallet", user="gate", password=WHERE, tls="off"
    )


@pytest.fixture
def both(gate, replica):
    """The gate that asks the replica, too."""
    return replace(gate, standbys=1, replicas=(Peer("127.0.0.1", replica.port, "balances-ro"),))


@contextmanager
def held(one, *statements, **options):
    """Hold a transaction open that has carried out statements."""
    with one.connect("wallet", **{"autocommit": False, **options}) as connection:
        for each in statements:
            connection.execute(each)
        yield connection
        connection.rollback()


@contextmanager
def waiting(one, statement):
    """Let a session wait for what it asked."""

    def wait():
        with one.connect("wallet", application_name="migration") as connection:
            connection.execute(statement)

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        eventually(
            lambda: one.one(
                "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"
            )
        )
        yield
    finally:
        thread.join()


def test_a_server_that_is_well_passes(both):
    evidence = passes(both)
    assert evidence.startswith(f"127.0.0.1:{both.port}: it is a primary; ")
    assert "1 of 1 replicas are streaming; replica replica is 0." in evidence
    assert "balances-ro: it is streaming; balances-ro: it is 0." in evidence


def test_the_password_may_be_wrong(gate):
    wrong = replace(gate, password=Credential(env="PATH"))
    evidence = unknown(wrong)
    assert 'password authentication failed for user "gate"' in evidence


def test_a_reference_that_leads_nowhere_is_told(gate):
    nowhere = replace(gate, password=Credential(file="/no/such/file"))
    assert measured(nowhere) == (Answer.UNKNOWN, "the file /no/such/file: No such file or directory")


def test_a_role_that_sees_only_its_own_sessions_can_tell_nothing(gate):
    evidence = unknown(replace(gate, user="stranger"))
    assert 'rights: stranger may not see other sessions; GRANT pg_monitor TO "stranger"' in evidence


def test_nobody_listening_is_no_answer(gate):
    evidence = unknown(replace(gate, port=nobody_listens()))
    assert "Connection refused" in evidence


@pytest.mark.parametrize(
    ("first", "answer", "every"),
    [(b"", b"", None), (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", None), (b"-ERR unknown\r\n", b"", None), (b"", b"R", 0.1)],
    ids=["silent", "http", "redis", "a byte now and then"],
)  # fmt: skip
def test_what_is_no_postgres_is_no_answer_in_time(gate, first, answer, every):
    with speaking(first, answer, every) as port:
        unknown(replace(gate, port=port), timeout_seconds=1.5)


def test_a_server_that_freezes_is_no_answer_in_time(gate, primary):
    primary.server.freeze()
    try:
        answer, evidence = measured(gate, timeout_seconds=1.5)
    finally:
        primary.server.thaw()
    assert (answer, evidence) == (Answer.UNKNOWN, f"no answer within 1.5s, asking 127.0.0.1:{gate.port}")
    eventually(lambda: not any("asking" in one.name for one in threading.enumerate()), 10)


def test_without_its_driver_the_gate_says_what_to_install(gate, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    what = "the driver psycopg is not installed; install it with: pip install 'deployctl[postgres]'"
    assert measured(gate) == (Answer.UNKNOWN, what)


def test_without_tls_at_the_server_a_gate_that_verifies_has_no_answer(gate):
    evidence = unknown(replace(gate, tls="verify", ca=None))
    assert "server does not support SSL" in evidence


def test_the_cloud_that_gives_out_credentials_is_not_asked(gate):
    evidence = unknown(replace(gate, host="169.254.169.254"))
    assert "no gate may ask it" in evidence


def test_a_database_that_is_not_there_is_told(gate):
    assert 'database "walet" does not exist' in measured(replace(gate, database="walet"))[1]


def test_a_replica_is_no_primary(gate, replica):
    answer, evidence = measured(replace(gate, port=replica.port))
    assert (answer, evidence) == (
        Answer.FAIL,
        f"127.0.0.1:{replica.port}: target: it is a replica, expected a primary",
    )
    passes(replace(gate, port=replica.port, role="replica"))


def test_a_primary_that_takes_no_writes_is_the_wrong_target(gate, primary):
    primary.do("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    try:
        eventually(lambda: primary.one("SHOW default_transaction_read_only") == "on")
        answer, evidence = measured(gate)
    finally:
        with primary.connect() as one:
            one.execute("SET default_transaction_read_only = off")
            one.execute("ALTER SYSTEM RESET default_transaction_read_only")
            one.execute("SELECT pg_reload_conf()")
    assert answer is Answer.FAIL
    assert "target: it is read-only (default_transaction_read_only is on), expected a primary" in evidence


def test_what_our_own_role_may_not_do_says_nothing_of_the_server(gate, primary):
    primary.do("ALTER ROLE gate SET default_transaction_read_only = on")
    passes(gate)
    primary.do("ALTER ROLE gate RESET ALL")


def test_a_replica_that_stopped_is_missed(both, replica, primary):
    replica.server.stop()
    try:
        eventually(lambda: primary.one("SELECT count(*) FROM pg_stat_replication") == 0)
        answer, evidence = measured(both)
    finally:
        replica.server.start()
        eventually(lambda: primary.one(STREAMING))
    assert answer is Answer.FAIL
    assert "standbys: 0 of 1 replicas are streaming, expected at least 1" in evidence
    assert "slots: slot replica is read by nobody and keeps " in evidence


def test_a_replica_that_cannot_be_asked_is_no_answer(both):
    evidence = unknown(replace(both, replicas=(Peer("127.0.0.1", nobody_listens(), "gone"),)))
    assert evidence.startswith(f"127.0.0.1:{both.port}: server: gone: connection failed")


def test_a_replica_whose_replay_is_paused_is_behind_though_the_primary_sees_no_lag(both, replica, primary):
    primary.do("UPDATE accounts SET cents = 1 WHERE id = 1", database="wallet")
    eventually(lambda: replica.one("SELECT pg_last_xact_replay_timestamp() IS NOT NULL"))
    replica.do("SELECT pg_wal_replay_pause()")
    try:
        eventually(lambda: replica.one("SELECT pg_get_wal_replay_pause_state()") == "paused")
        primary.do("UPDATE accounts SET cents = 0 WHERE id = 1", database="wallet")
        eventually(lambda: replica.one("SELECT pg_last_wal_receive_lsn() <> pg_last_wal_replay_lsn()"))
        time.sleep(1.2)
        answer, evidence = measured(replace(both, lag_seconds=1.0))
    finally:
        replica.do("SELECT pg_wal_replay_resume()")
    assert answer is Answer.FAIL
    assert "replay: balances-ro: its replay is paused" in evidence
    assert "lag: balances-ro: it is " in evidence
    assert "expected at most 1s and 16Mi" in evidence


def test_bytes_are_a_lag_of_their_own(both, replica, primary):
    replica.do("SELECT pg_wal_replay_pause()")
    try:
        primary.do("UPDATE accounts SET cents = cents + 1", database="wallet")
        answer, evidence = measured(replace(both, lag_seconds=3600, lag_size="64Ki"))
    finally:
        replica.do("SELECT pg_wal_replay_resume()")
    assert answer is Answer.FAIL
    assert "lag: replica replica is " in evidence
    assert "Mi behind, expected at most 3600s and 64Ki" in evidence


def test_another_servers_replica_is_the_wrong_one(gate, at, primary, shards):
    with postgres.replica(at, shards[0], "elsewhere") as other:
        answer, evidence = measured(replace(gate, replicas=(Peer("127.0.0.1", other.port, "ro"),)))
    shards[0].do("SELECT pg_drop_replication_slot('elsewhere')")
    assert (answer, "target: ro: it is a replica of another server" in evidence) == (Answer.FAIL, True)


def test_a_primary_among_the_replicas_is_the_wrong_one(gate, shards):
    evidence = fails(replace(gate, replicas=(Peer("127.0.0.1", shards[0].port, "ro"),)))
    assert "target: ro: it is a primary, expected a replica" in evidence


def test_a_long_transaction_is_found(gate, primary):
    with held(primary, "SELECT 1", application_name="report"), held(primary, "SELECT 1") as busy:
        time.sleep(0.3)
        busy.execute("SELECT 1")
        evidence = fails(replace(gate, transaction_seconds=0.2, idle_seconds=3600))
        assert "transactions: 2 in one transaction for over 0.2s, pid " in evidence
        evidence = fails(replace(gate, idle_seconds=0.2))
        assert "of postgres (report): " in evidence
        assert "idle: " in evidence
    passes(replace(gate, transaction_seconds=0.2, idle_seconds=0.2))


def test_a_chain_of_locks_is_told_with_its_head(gate, primary):
    with ExitStack() as several:
        head = several.enter_context(held(primary, "LOCK accounts IN ACCESS SHARE MODE"))
        several.enter_context(waiting(primary, "SET lock_timeout = '3s'; ALTER TABLE accounts ADD COLUMN x int; ALTER TABLE accounts DROP COLUMN x"))  # fmt: skip
        time.sleep(0.2)
        answer, evidence = measured(replace(gate, blocked_seconds=0.1))
        pid = head.info.backend_pid
        head.rollback()
    assert answer is Answer.FAIL
    assert f"blocked: 1 wait for locks behind pid {pid}: " in evidence
    assert "(migration), the longest for " in evidence


def test_a_prepared_transaction_that_nobody_ends_is_found(gate, primary):
    with primary.connect("wallet") as one:
        one.execute("BEGIN")
        one.execute("INSERT INTO games VALUES (1)")
        one.execute("PREPARE TRANSACTION 'payout-7'")
        answer, evidence = measured(replace(gate, prepared_seconds=0.0))
        one.execute("ROLLBACK PREPARED 'payout-7'")
    assert answer is Answer.FAIL
    assert "prepared: 1 prepared transactions are older than 0s, the oldest 'payout-7': " in evidence


def test_an_index_whose_build_failed_is_found(gate, primary):
    with primary.connect("wallet") as one:
        with pytest.raises(psycopg.errors.UniqueViolation):
            one.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON accounts ((cents / 2))")
        answer, evidence = measured(gate)
        one.execute("DROP INDEX broken")
    assert answer is Answer.FAIL
    assert "indexes: 1 invalid indexes: broken, expected none" in evidence


def test_an_index_that_is_being_built_is_found_and_not_taken_for_a_failed_one(gate, primary):
    build = "CREATE INDEX CONCURRENTLY slow ON accounts (owner)"
    with held(primary, "INSERT INTO accounts VALUES (0)") as writer, waiting(primary, build):
        answer, evidence = measured(gate)
        writer.rollback()
    primary.do("DROP INDEX slow", database="wallet")
    assert answer is Answer.FAIL
    assert (
        "builds: 1 indexes being built: accounts (waiting for writers before build), expected none"
        in evidence
    )
    assert "invalid" not in evidence


def test_a_constraint_that_was_not_validated_is_told_and_refused_where_the_spec_says_so(gate, primary):
    primary.do("ALTER TABLE games ADD CONSTRAINT positive CHECK (id > 0) NOT VALID", database="wallet")
    told, refused = measured(gate), measured(replace(gate, unvalidated="refuse"))
    primary.do("ALTER TABLE games DROP CONSTRAINT positive", database="wallet")
    assert (told[0], "1 unvalidated constraints: games.positive" in told[1]) == (Answer.PASS, True)
    assert (refused[0], "constraints: 1 unvalidated constraints: games.positive" in refused[1]) == (
        Answer.FAIL,
        True,
    )


def test_a_slot_that_nobody_reads_is_found_unless_it_may_be_so(gate, primary):
    primary.do("SELECT pg_create_physical_replication_slot('forgotten', true)")
    bad, fine = measured(gate), measured(replace(gate, idle_slots=("forgotten",)))
    primary.do("SELECT pg_drop_replication_slot('forgotten')")
    assert (bad[0], "slots: slot forgotten is read by nobody and keeps " in bad[1]) == (Answer.FAIL, True)
    assert fine[0] is Answer.PASS


def test_an_old_transaction_id_is_found(gate):
    evidence = fails(replace(gate, xid_age=1))
    assert "transactions old, expected at most 1" in evidence


def test_a_check_that_is_skipped_says_nothing(gate):
    passes(replace(gate, xid_age=1, skip=("wraparound",)))


def test_the_budget_counts_both_revisions_at_the_autoscalers_maximum(gate):
    fits = Connections(pool=2, max_replicas=3, user="wallet")
    evidence = passes(replace(gate, connections=fits))
    assert "6 pods x 2 + 0 others = 12 connections" in evidence
    evidence = fails(replace(gate, connections=replace(fits, max_replicas=4)))
    text = "connections: 8 pods x 2 + 0 others = 16 connections, expected at most 13 (0.8 of 17 slots; wallet holds 0 now)"
    assert text in evidence
    rolling = replace(fits, max_replicas=4, surge=Amount(1))
    passes(replace(gate, connections=rolling))


def test_the_budget_reads_the_most_pods_from_the_live_autoscaler(gate):
    wanted = replace(gate, connections=Connections(pool=2, user="wallet"))
    password = {"secret": lambda *_: PASSWORD.encode()}
    assert (
        "6 pods x 2"
        in wanted.measure(replace(asked(scalers(("Deployment", "wallet", 3))), **password)).evidence
    )
    one = wanted.measure(replace(asked(scalers(("Deployment", "wallet", 4))), **password))
    assert one.answer is Answer.FAIL, one.evidence
    assert "maxReplicas is not given, and there is no workload" in unknown(wanted)


def test_the_budget_knows_the_others_and_the_limits_of_role_and_database(gate, primary):
    fits = Connections(pool=2, max_replicas=3, user="wallet")
    with held(primary, "SELECT 1"), held(primary, "SELECT 1", user="wallet", password=PASSWORD):
        evidence = passes(replace(gate, connections=fits))
    assert "6 pods x 2 + 1 others = 13 connections" in evidence
    primary.do("ALTER ROLE wallet CONNECTION LIMIT 11", "ALTER DATABASE wallet CONNECTION LIMIT 10")
    answer, evidence = measured(replace(gate, connections=fits))
    primary.do("ALTER ROLE wallet CONNECTION LIMIT -1", "ALTER DATABASE wallet CONNECTION LIMIT -1")
    assert answer is Answer.FAIL
    assert "role wallet may open 11, expected at least 12" in evidence
    assert "the database takes 10, expected at least 12" in evidence
    assert "there is no role walet" in measured(replace(gate, connections=replace(fits, user="walet")))[1]


def test_slots_that_are_used_up_are_no_answer(gate, primary):
    with ExitStack() as several:
        for _ in range(17):
            several.enter_context(held(primary, user="wallet", password=PASSWORD))
        evidence = unknown(gate)
    assert "remaining connection slots are reserved" in evidence


def test_a_query_that_lost_its_index_is_found(gate, primary):
    cheap = Plan("by id", "SELECT cents FROM accounts WHERE id = $1", ("7",), cost=8.3)
    passes(replace(gate, plans=(cheap,)))
    by_owner = replace(cheap, name="by owner", query="SELECT cents FROM accounts WHERE owner = $1", cost=None)
    evidence = fails(replace(gate, plans=(cheap, by_owner)))
    text = "by owner: it reads public.accounts whole, of 20000 rows, expected an index above 10000 rows"
    assert text in evidence
    passes(replace(gate, plans=(replace(by_owner, scans=("accounts",)),)))
    dear = measured(replace(gate, plans=(replace(by_owner, scans=("accounts",), cost=8.3),)))
    assert (dear[0], "expected at most 3 x 8.3" in dear[1]) == (Answer.FAIL, True)


def test_a_table_that_nobody_counted_is_no_answer(gate, primary):
    primary.do("CREATE TABLE fresh (id int)", "GRANT SELECT ON fresh TO gate", database="wallet")
    answer, evidence = measured(replace(gate, plans=(Plan("fresh", "SELECT * FROM fresh"),)))
    primary.do("DROP TABLE fresh", database="wallet")
    assert (answer, "no one knows its rows: run ANALYZE fresh" in evidence) == (Answer.UNKNOWN, True)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT 1; DROP TABLE accounts", "cannot insert multiple commands"),
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM nothing", 'relation "nothing" does not exist'),
        ("ANALYZE DELETE FROM accounts", "syntax error"),
        ("DROP TABLE accounts", "syntax error"),
    ],
)
def test_a_query_that_is_not_one_statement_to_plan_is_no_answer(gate, primary, query, reason):
    evidence = unknown(replace(gate, plans=(Plan("bad", query),)))
    assert reason in evidence
    assert primary.one("SELECT count(*) FROM accounts", database="wallet") == 20000


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO schema_migrations VALUES (1) RETURNING version",
        "SELECT set_config('transaction_read_only', 'off', false)",
    ],
)
def test_a_declared_query_cannot_write(at, shards, gate, query):
    shards[0].do("GRANT INSERT ON schema_migrations TO gate", database="wallet")
    one = replace(gate, host=None, shards=(Shard("127.0.0.1", shards[0].port),), schema_version=query)
    evidence = unknown(one)
    assert "read-only" in evidence or "read-write" in evidence


@pytest.fixture
def sharded(gate, shards):
    several = tuple(Shard("127.0.0.1", one.port, f"shard-{n}") for n, one in enumerate(shards))
    return replace(
        gate, host=None, shards=several, schema_version="SELECT max(version) FROM schema_migrations"
    )


def test_every_shard_is_asked(sharded):
    evidence = passes(sharded)
    assert evidence.startswith("2 shards: ")
    assert evidence.endswith("checks passed; 42")


def test_the_shard_that_is_not_well_is_named(sharded, shards):
    shards[1].do("SELECT pg_create_physical_replication_slot('forgotten', true)")
    answer, evidence = measured(sharded)
    shards[1].do("SELECT pg_drop_replication_slot('forgotten')")
    assert answer is Answer.FAIL
    assert evidence.startswith("slots: shard-1: slot forgotten is read by nobody")


def test_a_shard_with_another_schema_is_named(sharded, shards, primary):
    third = replace(sharded, shards=(*sharded.shards, Shard("127.0.0.1", primary.port, "shard-2")))
    primary.do("INSERT INTO schema_migrations VALUES (43)", database="wallet")
    answer, evidence = measured(third)
    primary.do("DELETE FROM schema_migrations WHERE version = 43", database="wallet")
    assert (answer, evidence) == (Answer.FAIL, "schema version: shard-2 has 43, expected 42 as on the others")


def test_a_shard_that_cannot_be_asked_is_no_answer(sharded):
    gone = replace(sharded, shards=(Shard("127.0.0.1", nobody_listens(), "gone"), *sharded.shards))
    evidence = unknown(gone)
    assert evidence.startswith("server: gone: connection failed")


@pytest.fixture
def bounced(gate, at, primary):
    """The gate of an app that connects through a PgBouncer of two connections a pool, for thirty clients."""
    with postgres.bouncer(at, primary, {"gate": PASSWORD, "wallet": PASSWORD}, pool=2, clients=30) as port:
        wanted = Connections(pool=5, max_replicas=3, user="wallet")
        yield replace(gate, pgbouncer=PgBouncer("127.0.0.1", port), connections=wanted)


def through(gate, **options):
    where = {
        "host": "127.0.0.1",
        "port": gate.pgbouncer.port,
        "user": "wallet",
        "dbname": "wallet",
        **options,
    }
    return psycopg.connect(**{"password": PASSWORD, "autocommit": True, "prepare_threshold": None, **where})


def test_through_pgbouncer_its_pools_are_the_budget(bounced):
    with through(bounced) as client:
        client.execute("SELECT 1")
        evidence = passes(bounced)
        assert "PgBouncer's pools of 2 + " in evidence
        assert "30 connections of 6 pods to PgBouncer" in evidence
        assert "0 clients wait for PgBouncer" in evidence
        more = replace(bounced, connections=replace(bounced.connections, max_replicas=4))
        assert "40 connections of 8 pods to PgBouncer, expected at most 30" in measured(more)[1]
        less = replace(bounced, connections=replace(bounced.connections, share=0.05))
        assert "expected at most 0 (0.05 of 17 slots" in measured(less)[1]


def test_clients_that_wait_for_pgbouncer_are_found(bounced):
    with ExitStack() as several:
        first, second = (several.enter_context(through(bounced)) for _ in range(2))
        for one in (first, second):
            one.execute("BEGIN")
        third = several.enter_context(through(bounced))
        waits = threading.Thread(target=third.execute, args=("SELECT 1",))
        waits.start()
        time.sleep(1.5)
        answer, evidence = measured(bounced)
        first.execute("ROLLBACK")
        waits.join()
    assert (answer, "pgbouncer: 1 clients wait for PgBouncer, the longest for 1." in evidence) == (
        Answer.FAIL,
        True,
    )


def test_a_pgbouncer_that_does_not_answer_is_no_answer(bounced):
    gone = replace(bounced, pgbouncer=PgBouncer("127.0.0.1", nobody_listens(), "front"))
    evidence = unknown(gone)
    assert evidence.startswith("front: connection failed")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{host: db}", "user: missing; expected a name"),
        ("{user: gate}", "none given; expected exactly one of host, shards"),
        ("{user: gate, host: db, shards: [{host: a}]}", "both given; expected exactly one of host, shards"),
        ("{user: gate, host: 'a b'}", 'host: got "a b"; expected a host such as db.igaming.svc'),
        ("{user: gate, host: db, lagSize: 16MB}", "lagSize: got 16MB; expected a number of bytes such as 16Mi"),
        ("{user: gate, host: db, password: hunter2}", "password: got hunter2; expected a mapping"),
        ("{user: gate, host: db, skip: [lags]}", "skip[0]: got lags; expected one of blocked, builds, "),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(text, problem):
    with pytest.raises(Exception, match=r"wallet\.yaml:1") as told:
        read(Postgres, text)
    assert problem in str(told.value)


def test_options_are_read_as_a_spec_has_them():
    text = """
      host: db.igaming.svc
      user: gate
      password: {secret: {name: db, key: password}}
      lag: 1s
      replicas: [{host: db-ro.igaming.svc}]
      connections: {pool: 20, maxReplicas: 6, user: wallet, surge: 25%}
    """
    one = read(Postgres, text)
    assert (one.lag_seconds, one.password, one.connections.pods) == (1.0, WHERE, 8)
