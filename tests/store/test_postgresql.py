# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state store in PostgreSQL: what is missing or wrong, rights, versions, server settings, lost connections."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._state import _schema
from ansible_collections.koophone.fleet.plugins.module_utils._state import postgresql as postgresql_module
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Reading as AnyReading
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import StateError
from ansible_collections.koophone.fleet.plugins.module_utils._state._location import Location, parse_state_url
from ansible_collections.koophone.fleet.plugins.module_utils._state._reading import Reading
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import look_at
from ansible_collections.koophone.fleet.plugins.module_utils._state.postgresql import SCHEMA, PostgresqlStore
from tests.store.acting import GRACE, LEASE, SERVICE, S, Stores, T, U, at_once, choose, seen
from tests.store.proxy import Proxy, Where
from tests.support.postgres import PostgreSQL

AB = ["a", "b"]
KNOWN = dict.fromkeys(AB, S.digest)


def _stores(url: str) -> Stores:
    return Stores(Location(dsn=url), PostgresqlStore, PostgresqlStore)


@pytest.fixture
def stores(database: str) -> Iterator[Stores]:
    made = _stores(database)
    yield made
    made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait for what will not come."""
    monkeypatch.setattr(postgresql_module, "PATIENCE", 0.1)
    monkeypatch.setattr(postgresql_module, "FIRST_PATIENCE", 0.1)


def _look(url: str) -> dict[str, str | None]:
    return look_at(Location(dsn=url), SERVICE, AB, lambda reading: seen(reading, AB))


def _execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


# --- what is missing or wrong ----------------------------------------------------------------------------------------


def test_without_psycopg_it_says_what_to_install_and_where(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for use in (_look, PostgresqlStore.open):
        with pytest.raises(StateError, match=r"psycopg.*pip install") as caught:
            use(database)
        assert sys.executable in str(caught.value)


def _wrong(url: str, kind: str) -> tuple[str, str]:
    """A URL with a mistake of that kind, and what the message has to say."""
    start, _unused, rest = url.rpartition("@")
    address, _unused, database = rest.rpartition("/")
    return {
        "password": (f"postgresql://postgres:hunter2@{rest}", "authentication failed"),
        "role": (f"postgresql://nobody:hunter2@{rest}", "authentication failed|does not exist"),
        "database": (f"{start}@{address}/absent_database", 'database "absent_database" does not exist'),
        "port": (f"{start}@127.0.0.1:1/{database}", "refused"),
        "host": (f"{start}@absent.invalid:5432/{database}", "absent.invalid"),
        "tls": (f"{url}?sslmode=require", "SSL"),
        "certificate": (f"{url}?sslmode=verify-full&sslrootcert=/absent/ca.pem", "/absent/ca.pem|SSL"),
    }[kind]


@pytest.mark.parametrize("kind", ["password", "role", "database", "port", "host", "tls", "certificate"])
def test_what_is_wrong_is_said_without_the_password(database: str, impatient: None, kind: str) -> None:
    url, message = _wrong(database, kind)
    password = url.rpartition("@")[0].rpartition(":")[2]
    for use in (_look, PostgresqlStore.open):
        with pytest.raises(StateError, match=message) as caught:
            use(url)
        assert password not in str(caught.value)
        assert "PostgreSQL" in str(caught.value)


@pytest.mark.parametrize("kind", ["password", "database", "host", "tls", "certificate"])
def test_what_will_not_change_is_not_tried_again(database: str, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    url, _message = _wrong(database, kind)
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("it waits"))
    with pytest.raises(StateError):
        _look(url)


def test_a_role_that_may_not_connect_is_told_soat_once(
    server: PostgreSQL, database: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = database.rpartition("/")[2]
    server.sql(f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC')
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("it waits"))
    try:
        with pytest.raises(StateError, match="permission denied for database"):
            _look(role)
    finally:
        server.sql(f'GRANT CONNECT ON DATABASE "{name}" TO PUBLIC')


@pytest.mark.parametrize(
    "state_url",
    [
        "postgresql://user:se@cret@127.0.0.1:1/base",
        "postgresql://user:se/cret@127.0.0.1:1/base",
        "postgresql://user:se/cr@et@127.0.0.1:1/base",
        "postgresql://user:se#cret@127.0.0.1:1/base",
        "postgresql://user:se?cret@127.0.0.1:1/base",
        "postgresql://user:se%cret@127.0.0.1:1/base",
        "postgresql://user:se:cret@127.0.0.1:1/base",
        "postgresql://user:[se]cret@127.0.0.1:1/base",
        "postgresql://user:se cret@127.0.0.1:1/base",
        "postgresql://user:se\\cret@127.0.0.1:1/base",
        "postgresql://user:se'cret@127.0.0.1:1/base",
        "postgresql://user:se&cret=1@127.0.0.1:1/base",
        "postgresql://user:secret@127.0.0.1:port/base",
        "postgresql://user:secret@127.0.0.1:1/base?nonsense=secret",
        "postgresql://user:secret@[127.0.0.1:1/base",
        "postgresql://127.0.0.1:1/base?user=user&password=se@cret",
        "postgresql://user:se%40cret@127.0.0.1:1/base",
        "postgres://user:se/cret@127.0.0.1:1/base",
        "postgresql://user:se\ncret@127.0.0.1:1/base",
    ],
)
def test_no_part_of_a_password_is_ever_shown(state_url: str, impatient: None) -> None:
    mistakes: list[str] = []
    location = parse_state_url(state_url, mistakes)
    said = list(mistakes)
    if location is not None:
        assert location.dsn is not None
        with pytest.raises(StateError) as caught:
            PostgresqlStore.open(location.dsn)
        said.append(str(caught.value))
    assert said
    for text in said:
        for part in ("se@cret", "cret", "se/", "se#", "secret", "se@", ":se"):
            assert part not in text


# --- rights ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def role(server: PostgreSQL, database: str) -> Iterator[str]:
    """The URL of a role that may connect and nothing else."""
    name = server.create_role("reader-and-writer")
    yield server.url(database.rpartition("/")[2], name)
    _execute(database, f'DROP OWNED BY "{name}"', f'DROP ROLE "{name}"')


_GRANTS = (
    f'GRANT USAGE ON SCHEMA {SCHEMA} TO "reader-and-writer"',
    f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO "reader-and-writer"',
)


def test_a_role_that_may_not_create_tables_is_told_so_before_anything_is_sent(database: str, role: str) -> None:
    assert _look(role) == dict.fromkeys(AB)
    with pytest.raises(StateError, match=r"permission denied.*grant"):
        PostgresqlStore.open(role)
    PostgresqlStore.open(database).close()
    for use in (_look, PostgresqlStore.open):
        with pytest.raises(StateError, match=r"permission denied.*grant"):
            use(role)


def test_a_role_that_may_not_create_tables_works_once_they_are_there(database: str, role: str) -> None:
    PostgresqlStore.open(database).close()
    _execute(database, *_GRANTS)
    stores = _stores(role)
    stores.actor("one").apply(AB, S)
    stores.actor("two").apply(["a"], T)
    forgetting = stores.actor("three")
    forgetting.store.forget(forgetting.run, SERVICE, ["b"])
    forgetting.finish(history_age=-1.0)
    stores.close()
    assert _look(role) == {"a": T.digest, "b": None}


def test_a_schema_that_was_made_for_it_is_enough_for_a_role_to_make_the_tables(
    server: PostgreSQL, database: str, role: str
) -> None:
    server.sql(f'CREATE SCHEMA {SCHEMA} AUTHORIZATION "reader-and-writer"', database=database.rpartition("/")[2])
    stores = _stores(role)
    stores.actor("one").apply(AB, S)
    stores.close()
    assert _look(role) == KNOWN


_STRANGE = ['"', "\\", '","', '\\"', "{}", "{a,b}", "NULL", "'", "é", "a" * 32, "--", "%s", ":ids", '""']


def test_ids_reach_the_database_as_they_are_whatever_they_contain(stores: Stores) -> None:
    stores.actor("one").apply(_STRANGE, S)
    reading = stores.open().read(SERVICE, [*_STRANGE, "other"], lambda reading: seen(reading, [*_STRANGE, "other"]))
    assert reading == {**dict.fromkeys(_STRANGE, S.digest), "other": None}
    assert stores.open().read(SERVICE, [], lambda reading: reading.memory.records) == {}


@pytest.mark.parametrize(
    "missing",
    ["SELECT ON settings", "INSERT ON instances", "UPDATE ON instances", "UPDATE ON claims", "INSERT ON history"],
)
def test_a_role_that_lacks_one_right_is_told_so_before_anything_is_sent(database: str, role: str, missing: str) -> None:
    owners, lacking = _stores(database), _stores(role)
    owners.actor("zero").apply(AB, S)
    right, _unused, table = missing.partition(" ON ")
    _execute(database, *_GRANTS, f'REVOKE {right} ON {SCHEMA}.{table} FROM "reader-and-writer"')
    with pytest.raises(StateError, match=r"permission denied.*grant"):
        lacking.actor("one")
    owners.close()
    assert _look(database) == KNOWN


def test_a_standby_or_a_read_only_database_is_told_from_the_real_one(
    database: str, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = stores.actors("one")
    run.apply(AB, S)
    # A standby takes read-only transactions, and no others.
    monkeypatch.setattr(
        PostgresqlStore,
        "_writing",
        lambda self, work: self._patiently("BEGIN READ ONLY", work),
    )
    with pytest.raises(StateError, match=r"read-only transaction.*standby"):
        run.claim_all(AB, T)


# --- versions --------------------------------------------------------------------------------------------------------


def test_a_newer_store_is_refused_and_left_as_it_is(database: str, stores: Stores) -> None:
    stores.actor("one").apply(AB, S)
    before = stores.everything()
    stores.close()
    _execute(database, f"UPDATE {SCHEMA}.schema_version SET version = {_schema.VERSION + 1}")
    for use in (_look, PostgresqlStore.open):
        with pytest.raises(StateError, match=r"newer koophone\.fleet"):
            use(database)
    _execute(database, f"UPDATE {SCHEMA}.schema_version SET version = {_schema.VERSION}")
    assert stores.everything() == before


def test_an_older_store_is_migrated_once_by_whoever_writes_first(
    database: str, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.actor("one").apply(AB, S)
    stores.close()
    older = _schema.VERSION
    monkeypatch.setattr(_schema, "VERSION", older + 1)
    monkeypatch.setitem(_schema.MIGRATIONS, older, ("ALTER TABLE {schema}instances ADD COLUMN added TEXT",))
    with pytest.raises(StateError, match=r"older koophone\.fleet"):
        _look(database)
    at_once(8, lambda: PostgresqlStore.open(database).close())
    assert _look(database) == KNOWN
    assert stores.rows("instances", "added") == [(None,), (None,)]


def test_a_migration_that_fails_leaves_the_older_store_whole(
    database: str, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.actor("one").apply(AB, S)
    older = _schema.VERSION
    with monkeypatch.context() as newer:
        newer.setattr(_schema, "VERSION", older + 1)
        statements = ("ALTER TABLE {schema}instances ADD COLUMN added TEXT", "DROP TABLE {schema}absent")
        newer.setitem(_schema.MIGRATIONS, older, statements)
        with pytest.raises(StateError, match="does not exist"):
            PostgresqlStore.open(database)
    assert _look(database) == KNOWN
    stores.actor("two").apply(AB, T)


def test_tables_are_made_once_by_whoever_comes_first(database: str) -> None:
    def open_and_apply() -> None:
        name = threading.current_thread().name
        actor = _stores(database).actor(name)
        actor.apply([name], S)
        actor.store.close()

    names = at_once(8, open_and_apply)
    stores = _stores(database)
    assert [record.instance_id for record in stores.records(None)] == sorted(names)
    stores.close()


def test_it_keeps_to_a_schema_of_its_own(database: str, stores: Stores) -> None:
    others = ("instances", "settings", "runs", "claims", "services", "history", "schema_version")
    try:
        _execute(database, *(f"CREATE TABLE public.{name} (note TEXT)" for name in others))
        stores.actor("one").apply(AB, S)
        assert _look(database) == KNOWN
        with psycopg.connect(database) as connection:
            for name in others:
                assert connection.execute(f"SELECT count(*) FROM public.{name}".encode()).fetchone() == (0,)
    finally:
        _execute(database, *(f"DROP TABLE IF EXISTS public.{name}" for name in others))


# --- what the server is set to ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("default", "ours"),
    [("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on"), ("remote_apply", "remote_apply")],
)
@pytest.mark.parametrize("whose", ["DATABASE", "ROLE"])
def test_commits_are_synchronous_whatever_the_default_is(
    database: str, stores: Stores, whose: str, default: str, ours: str
) -> None:
    name = database.rpartition("/")[2] if whose == "DATABASE" else "postgres"
    _execute(database, f'ALTER {whose} "{name}" SET synchronous_commit = {default}')
    try:
        store = stores.open()
        told = store._writing(lambda tx: tx.value("SELECT current_setting('synchronous_commit')"))
        assert told == ours
        # For that transaction only: a pooler may hand the connection to somebody else.
        connection = store._connection  # type: ignore[attr-defined]
        assert connection.execute("SHOW synchronous_commit").fetchone() == (default,)
    finally:
        _execute(database, f'ALTER {whose} "{name}" RESET synchronous_commit')


def test_options_of_the_url_reach_libpq_and_win_over_ours(database: str) -> None:
    url = (
        "postgresql://user:secret@db.example:5433/base?sslmode=verify-full&sslrootcert=/etc/ca.pem"
        "&connect_timeout=3&application_name=ours&target_session_attrs=read-write"
    )
    given = psycopg.conninfo.conninfo_to_dict(PostgresqlStore(url)._conninfo)
    assert given["sslmode"] == "verify-full"
    assert given["sslrootcert"] == "/etc/ca.pem"
    assert str(given["connect_timeout"]) == "3"
    assert given["application_name"] == "ours"
    assert given["target_session_attrs"] == "read-write"
    store = PostgresqlStore.open(f"{database}?application_name=seen-there")
    assert store._reading(lambda tx: tx.value("SELECT current_setting('application_name')")) == "seen-there"
    store.close()


def test_other_isolation_by_default_changes_nothing(database: str, stores: Stores) -> None:
    name = database.rpartition("/")[2]
    _execute(
        database,
        f'ALTER DATABASE "{name}" SET default_transaction_isolation = serializable',
        f'ALTER DATABASE "{name}" SET default_transaction_read_only = on',
    )
    try:
        stores.actor("one").apply(AB, S)
        assert _look(database) == KNOWN
    finally:
        _execute(
            database.replace("?", "?") + "?options=-c%20default_transaction_read_only%3Doff",
            f'ALTER DATABASE "{name}" RESET ALL',
        )


def test_the_servers_clock_counts(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = stores.actors("first", "other")
    first.claim_all(AB, S)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86400)
    other.held(AB, T)
    assert first.renew()

    def moments(tx: Any) -> tuple[float, float]:
        before = tx.lease_now()
        tx.rows("SELECT pg_sleep(0.01)")
        return before, tx.lease_now()

    before, after = first.store._writing(moments)
    # Not that of the transaction, which stands still.
    assert after > before


# --- what moves between two statements -------------------------------------------------------------------------------


def test_a_reading_survives_settings_that_another_run_brings_meanwhile(stores: Stores) -> None:
    """Between the two statements of one reading, since each has a snapshot of its own in a transaction that writes."""
    first, second, other = stores.actors("first", "second", "other")
    first.apply(AB, S)
    looked_at: list[dict[str, str | None]] = []
    moved: list[str] = []

    def look(reading: AnyReading) -> Any:
        assert isinstance(reading, Reading)
        rows = reading.tx.rows

        def rows_and_move(sql: str, *args: Any, **options: Any) -> Sequence[tuple[Any, ...]]:
            found = rows(sql, *args, **options)
            if not moved:
                moved.append(sql)
                other.apply(AB, U)
            return found

        reading.tx.rows = rows_and_move  # type: ignore[method-assign]
        looked_at.append(seen(reading, AB))
        return choose(dict.fromkeys(AB, T))(reading)

    result = second.store.claim(second.run, SERVICE, AB, look, lease=LEASE, grace=GRACE)
    assert result.claim is not None
    assert looked_at[-1] == dict.fromkeys(AB, U.digest)


def test_a_choice_is_made_again_when_what_it_was_made_on_has_moved(stores: Stores) -> None:
    first, second, other = stores.actors("first", "second", "other")
    first.apply(AB, S)
    looked_at: list[dict[str, str | None]] = []

    def look(reading: AnyReading) -> Any:
        looked_at.append(seen(reading, AB))
        if len(looked_at) == 1:
            other.apply(AB, U)
        return choose(dict.fromkeys(AB, T))(reading)

    second.store.claim(second.run, SERVICE, AB, look, lease=LEASE, grace=GRACE)
    assert looked_at == [KNOWN, dict.fromkeys(AB, U.digest)]


def test_what_is_chosen_no_more_when_something_has_moved_is_left_free(stores: Stores) -> None:
    """Instances that the store has never heard of are claimed as they are written down, before the choice is final."""
    first, other, third = stores.actors("first", "other", "third")
    third.apply(["d"], T)
    rounds: list[int] = []

    def look(reading: AnyReading) -> Any:
        rounds.append(len(reading.memory.records))
        if len(rounds) == 1:
            other.claim_all(["b"], T)
            other.mark(["b"], T)
            other.confirm(["b"], T)
        return choose(dict.fromkeys(["a", "b", "c"] if len(rounds) == 1 else ["a", "b"], S))(reading)

    result = first.store.claim(first.run, SERVICE, ["a", "b", "c"], look, lease=LEASE, grace=GRACE)
    assert rounds == [0, 1]
    assert result.claim is not None
    assert result.claim.instance_ids == {"a"}
    assert result.held.keys() == {"b"}
    assert third.held(["a"], T)["a"].run == first.run
    third.claim_all(["c"], T)


def test_a_claim_that_another_run_was_faster_with_leaves_nothing_behind(stores: Stores) -> None:
    """The other one comes after it was seen that nobody has the instances, and before they are written down."""
    first, second = stores.actors("first", "second")
    second.apply(["d"], T)

    def look(reading: AnyReading) -> Any:
        assert isinstance(reading, Reading)
        add_instances = reading.tx.add_instances

        def add_too_late(*args: Any) -> int:
            second.claim_all(AB, T)
            return add_instances(*args)

        reading.tx.add_instances = add_too_late  # type: ignore[method-assign]
        return choose(dict.fromkeys(AB, S))(reading)

    result = first.store.claim(first.run, SERVICE, AB, look, lease=LEASE, grace=GRACE)
    assert result.claim is None
    assert {held.run for held in result.held.values()} == {second.run}
    second.release()
    assert stores.open()._reading(lambda tx: tx.rows("SELECT id FROM claims")) == []
    first.claim_all(AB, S)


def test_rows_are_locked_in_one_order_so_that_runs_do_not_block_each_other(server: PostgreSQL, database: str) -> None:
    name = database.rpartition("/")[2]
    ids = [f"i{number:03}" for number in range(150)]
    before = server.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", [name])
    numbers = iter(range(100))

    def work() -> None:
        forwards = next(numbers) % 2 == 0
        store = PostgresqlStore.open(database)
        for _unused in range(6):
            actor = _stores(database).actor(f"{threading.current_thread().name}-{next(numbers)}")
            actor.store.close()
            actor.store = store
            if actor.try_claim(dict.fromkeys(ids if forwards else ids[::-1], S)).claim is not None:
                actor.mark(ids if forwards else ids[::-1], S)
                actor.confirm(ids[::-1] if forwards else ids, S)
                actor.release()
        store.close()

    at_once(6, work)
    # Closed connections have reported what they counted.
    assert server.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", [name]) == before


# --- lost connections ------------------------------------------------------------------------------------------------


def test_what_the_server_asks_to_do_again_is_done_again(stores: Stores) -> None:
    store = stores.open()
    asked: list[type[psycopg.Error]] = [
        psycopg.errors.SerializationFailure,
        psycopg.errors.DeadlockDetected,
        psycopg.errors.AdminShutdown,
        psycopg.errors.CannotConnectNow,
    ]

    def work(tx: Any) -> str:
        tx.change("INSERT INTO services (name) VALUES ('once')")
        if asked:
            raise asked.pop()("again")
        return "done"

    assert store._writing(work) == "done"
    assert stores.rows("services", "name") == [("once",)]


def test_what_the_server_will_not_do_is_not_done_again(stores: Stores) -> None:
    store = stores.open()
    tries = []

    def work(tx: Any) -> None:
        tries.append(1)
        tx.rows("SELECT 1 / 0")

    with pytest.raises(StateError, match="division by zero"):
        store._writing(work)
    assert len(tries) == 1
    stores.actor("one").claim_all(AB, S)


def test_a_deadlock_with_somebody_else_is_resolved(database: str, stores: Stores) -> None:
    (run,) = stores.actors("one")
    run.claim_all(AB, S)
    with psycopg.connect(database) as other:
        # The other one is patient, so that ours is the one that the server ends.
        other.execute("SET deadlock_timeout = '1min'")
        other.execute(f"UPDATE {SCHEMA}.instances SET region = 'x' WHERE instance_id = 'b'".encode())
        marking = threading.Thread(target=run.mark, args=(AB, S))
        marking.start()
        _until(lambda: _waiting(database) == 1)
        other.execute(f"UPDATE {SCHEMA}.instances SET region = 'x' WHERE instance_id = 'a'".encode())
        other.commit()
        marking.join()
    assert run.confirm(AB, S) == set()
    stores.assert_known(AB, S)


def _waiting(database: str) -> int:
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def _until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_run_that_is_paused_in_a_transaction_does_not_keep_the_others_waiting(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_module, "SILENCE", 0.2)
    first, paused, other = stores.actors("first", "paused", "other")
    first.apply(AB, S)
    going_on = threading.Event()
    looked = []

    def look(reading: AnyReading) -> Any:
        looked.append(seen(reading, AB))
        if len(looked) == 1:
            # What it has locked by now, others need.
            assert isinstance(reading, Reading)
            reading.tx.change("UPDATE services SET name = name")
            reading.tx.change("UPDATE instances SET region = 'x'")
            waiting.set()
            going_on.wait(30)
        return choose(dict.fromkeys(AB, T))(reading)

    waiting = threading.Event()
    store = paused.store
    claiming = threading.Thread(
        target=lambda: store.claim(paused.run, SERVICE, AB, look, lease=LEASE, grace=GRACE), daemon=True
    )
    claiming.start()
    waiting.wait(30)
    other.apply(AB, U)
    going_on.set()
    claiming.join()
    assert looked[0] == KNOWN
    assert looked[-1] == dict.fromkeys(AB, U.digest)
    stores.assert_known(AB, U)


def test_a_connection_that_was_lost_over_a_long_pause_is_made_anew(
    database: str, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = stores.actors("one")
    run.claim_all(AB, S)
    monkeypatch.setattr(postgresql_module, "PATIENCE", 1.0)
    tries = []

    def work(_tx: Any) -> str:
        tries.append(1)
        if len(tries) == 1:
            time.sleep(1.5)
            raise psycopg.OperationalError("the connection was lost meanwhile")
        return "done"

    assert run.store._writing(work) == "done"


def test_a_connection_that_the_server_ended_is_made_anew(database: str, stores: Stores) -> None:
    (run,) = stores.actors("one")
    for step in (
        lambda: run.claim_all(AB, S),
        lambda: run.mark(AB, S),
        run.renew,
        lambda: run.confirm(AB, S),
        run.release,
        run.finish,
    ):
        _execute(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        step()
    stores.assert_known(AB, S)


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_commit_of_which_nobody_knows_is_resolved_by_doing_it_again(database: str, where: Where) -> None:
    """At every step of a run, the connection breaks at COMMIT: the server has done it, or it has not."""
    with Proxy(database) as proxy:
        stores = _stores(proxy.url)
        before, run, other = stores.actors("before", "one", "other")
        before.apply(["a"], U)
        steps: list[Callable[[], Any]] = [
            lambda: run.claim_all(AB, S),
            lambda: run.mark(AB, S),
            run.renew,
            lambda: run.confirm(AB, S, "request-1"),
            run.release,
            run.finish,
            lambda: other.store.forget(other.run, SERVICE, ["b"]),
        ]
        for number, step in enumerate(steps, 1):
            proxy.break_at_commit(where)
            done = step()
            assert number == 1 or done in (None, set(), True)
            assert proxy.breaks == number
        stores.assert_known(["a"], S)
        stores.assert_known(["b"], None)
        history = {record.instance_id: record.history for record in stores.records(AB, history=True)}
        assert [entry.request_id for entry in history["b"]] == ["request-1"]
        other.apply(AB, T)
        stores.assert_known(AB, T)
        stores.close()


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_mark_of_which_nobody_knows_keeps_its_instances_unknown(database: str, where: Where) -> None:
    with Proxy(database) as proxy:
        stores = _stores(proxy.url)
        first, second = stores.actors("first", "second")
        first.apply(AB, S)
        second.claim_all(AB, T)
        proxy.break_at_commit(where)
        second.mark(AB, T)
        stores.assert_known(AB, None)
        stores.close()


def test_tables_of_whose_commit_nobody_knows_are_there(database: str) -> None:
    with Proxy(database) as proxy:
        proxy.break_at_commit("after")
        stores = _stores(proxy.url)
        stores.actor("one").apply(AB, S)
        stores.assert_known(AB, S)
        stores.close()


@pytest.fixture(scope="module")
def restarted() -> Iterator[PostgreSQL]:
    """A server of its own, for tests that stop it."""
    with PostgreSQL() as running:
        yield running


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_run_goes_on_after_a_restart_of_the_server(restarted: PostgreSQL, mode: str) -> None:
    stores = _stores(restarted.url(restarted.create_database()))
    (run,) = stores.actors("one")
    run.claim_all(AB, S)
    run.mark(["a"], S)
    restarted.stop("fast" if mode == "fast" else "immediate")
    starting = threading.Timer(0.5, restarted.start)
    starting.start()
    try:
        assert run.confirm(["a"], S) == set()
    finally:
        starting.join()
    assert run.renew()
    run.mark(["b"], S)
    restarted.restart("fast" if mode == "fast" else "immediate")
    assert run.confirm(["b"], S) == set()
    stores.assert_known(AB, S)
    stores.close()


def test_a_server_that_stays_away_is_an_error_in_the_end(restarted: PostgreSQL, impatient: None) -> None:
    stores = _stores(restarted.url(restarted.create_database()))
    (run,) = stores.actors("one")
    run.claim_all(AB, S)
    restarted.stop()
    try:
        with pytest.raises(StateError, match="PostgreSQL database"):
            run.mark(AB, S)
    finally:
        restarted.start()
    run.mark(AB, S)
    assert run.confirm(AB, S) == set()
    stores.close()
