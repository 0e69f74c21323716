# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The state store in a PostgreSQL database, for the runs of any number of machines.

The database's own clock counts (`clock_timestamp()`), rows are inserted and locked in the order of their keys, and what
the server asks to do again (deadlock, serialisation failure), or what it may or may not have done (a connection that
breaks during COMMIT), is done again: every transaction of the store may be repeated without harm.
"""

from __future__ import annotations

import contextlib
import functools
import random
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._state import _schema
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import StateError
from ansible_collections.koophone.fleet.plugins.module_utils._state._libpq import import_psycopg, is_refusal, parse
from ansible_collections.koophone.fleet.plugins.module_utils._state._store import SqlStore
from ansible_collections.koophone.fleet.plugins.module_utils._state._transaction import (
    Params,
    Transaction,
)

if TYPE_CHECKING:
    import psycopg

Result = TypeVar("Result")

SCHEMA = "koophone_fleet"
# Any number will do as long as no other application in the same database uses it ("KooP").
_CREATION_LOCK = 0x4B6F6F50
# For how many seconds a server that restarts, or a network that is down, is asked again.
PATIENCE = 30.0
# And before it was ever reached: then the address is wrong more often than the server is just starting.
FIRST_PATIENCE = 5.0
# After how many seconds of silence in a transaction the server ends it: a run that is paused, or whose machine is gone,
# must not keep the others from their rows.
SILENCE = 30.0
_GRANT = (
    f"; let a role that may create a schema run once, or grant this one USAGE on the schema {SCHEMA}"
    " and SELECT, INSERT, UPDATE, DELETE on its tables"
)
_NAMED = re.compile(r"(?<!:):([a-z_]+)")


class PostgresqlStore(SqlStore):
    """The state store in one database. Of use to one thread."""

    def __init__(self, dsn: str) -> None:
        """`dsn` is a URL as libpq reads it, with its TLS options. Raises `StateError`."""
        self._psycopg = import_psycopg()
        self._conninfo, self._secrets, self._name = parse(self._psycopg, dsn)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._reached = False

    @classmethod
    def open_existing(cls, dsn: str) -> PostgresqlStore | None:
        """Connect for reading; None when there is no store. It creates nothing."""
        store = cls(dsn)
        with _closed_on_error(store):
            version = store._reading(_version)
            if version is not None:
                _schema.check_version(version, store._name, reading=True)
                return store
        store.close()
        return None

    @classmethod
    def open(cls, dsn: str) -> PostgresqlStore:
        """Connect for writing, and make the tables where there are none."""
        store = cls(dsn)
        with _closed_on_error(store):
            version = store._reading(_version)
            if version != _schema.VERSION:
                store._make_tables()
            elif lacking := store._reading(_lacking_rights):
                # Found out now, not when what was sent is to be recorded.
                raise StateError(
                    f"the state store ({store._name}) cannot be used: permission denied: {lacking}{_GRANT}"
                )
        return store

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _reading(self, work: Callable[[Transaction], Result]) -> Result:
        return self._patiently("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work)

    def _writing(self, work: Callable[[Transaction], Result]) -> Result:
        return self._patiently("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", work)

    def _make_tables(self) -> None:
        def work(tx: Transaction) -> None:
            tx.rows("SELECT pg_advisory_xact_lock(:key)", {"key": _CREATION_LOCK})
            version = _version(tx)
            if version is not None:
                _schema.check_version(version, self._name)
                for statement in _schema.migrations(version, schema=f"{SCHEMA}."):
                    tx.change(statement)
                tx.change(f"UPDATE {SCHEMA}.schema_version SET version = :version", {"version": _schema.VERSION})
                return
            # Not `IF NOT EXISTS`: that needs the right to create one in the database even where there is one.
            if tx.value("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = :schema", {"schema": SCHEMA}) is None:
                tx.change(f"CREATE SCHEMA {SCHEMA}")
            for statement in _schema.statements(
                key="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
                real="DOUBLE PRECISION",
                instance_id='TEXT COLLATE "C"',
                schema=f"{SCHEMA}.",
            ):
                tx.change(statement)
            tx.change(f"CREATE TABLE {SCHEMA}.schema_version (version INTEGER NOT NULL)")
            tx.change(f"INSERT INTO {SCHEMA}.schema_version VALUES (:version)", {"version": _schema.VERSION})

        self._writing(work)

    def _patiently(self, begin: str, work: Callable[[Transaction], Result]) -> Result:
        """Run a transaction, and again while that may help."""
        errors = self._psycopg.errors
        ends: float | None = None
        delay = 0.05
        while True:
            try:
                return self._once(begin, work)
            except (errors.SerializationFailure, errors.DeadlockDetected) as error:
                last: Exception = error
            except (
                self._psycopg.OperationalError,
                self._psycopg.InterfaceError,
                errors.IdleInTransactionSessionTimeout,
            ) as error:
                self.close()
                last = error
                if is_refusal(error):
                    raise self._explained(error) from error
            except self._psycopg.Error as error:
                raise self._explained(error) from error
            # From the first failure on: before it, this process may have been paused for any time.
            if ends is None:
                ends = _clock.now() + (PATIENCE if self._reached else FIRST_PATIENCE)
            if _clock.now() + delay > ends:
                raise self._explained(last) from last
            time.sleep(random.uniform(delay / 2, delay))
            delay = min(2 * delay, 2.0)

    def _once(self, begin: str, work: Callable[[Transaction], Result]) -> Result:
        connection = self._connected()
        try:
            connection.execute(begin)
            # For this transaction only, so that a pooler between us and the server does no harm. What the server does
            # beyond waiting for the disk (`remote_apply`) is left to it.
            connection.execute(
                "SELECT set_config('search_path', %s, true), set_config('synchronous_commit', CASE"
                " WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write') THEN 'on'"
                " ELSE current_setting('synchronous_commit') END, true),"
                " set_config('idle_in_transaction_session_timeout', %s, true)",
                (SCHEMA, f"{SILENCE * 1000:.0f}"),
            )
            result = work(_PostgresqlTransaction(connection))
            connection.execute("COMMIT")
            self._reached = True
        except BaseException:
            with contextlib.suppress(self._psycopg.Error):
                connection.execute("ROLLBACK")
            raise
        return result

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = self._psycopg.connect(
                self._conninfo,
                autocommit=True,
                # A pooler may hand the next transaction to another server process.
                prepare_threshold=None,
            )
        return self._connection

    def _explained(self, error: Exception) -> StateError:
        text = " ".join(str(error).split()) or type(error).__name__
        for secret in self._secrets:
            text = text.replace(secret, "********")
        advice = ""
        if isinstance(error, self._psycopg.errors.InsufficientPrivilege):
            advice = _GRANT
        elif isinstance(error, self._psycopg.errors.ReadOnlySqlTransaction):
            advice = "; is this a standby? The state store needs the primary"
        return StateError(f"the state store ({self._name}) cannot be used: {text}{advice}")


class _PostgresqlTransaction(Transaction):
    for_update = " FOR UPDATE"

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def rows(
        self, sql: str, params: Params | None = None, ids: Collection[str] | None = None
    ) -> Sequence[tuple[Any, ...]]:
        return self._execute(sql, params, ids).fetchall()

    def change(self, sql: str, params: Params | None = None, ids: Collection[str] | None = None) -> int:
        return self._execute(sql, params, ids).rowcount

    def insert(self, sql: str, params: Params) -> int:
        [(key,)] = self.rows(f"{sql} RETURNING id", params)
        return int(key)

    def add_instances(self, service: int, claim: int, wants: Mapping[str, int]) -> int:
        return self.change(
            "INSERT INTO instances (service, instance_id, claim, wants, generation, claimed_generation)"
            " SELECT :service, new.id, :claim, new.wants, 1, 1"
            " FROM unnest(CAST(:ids AS text[]), CAST(:wants AS bigint[])) WITH ORDINALITY AS new (id, wants, place)"
            " ORDER BY new.place ON CONFLICT DO NOTHING",
            {"service": service, "claim": claim, "wants": _array([str(key) for key in wants.values()])},
            ids=wants,
        )

    def lease_now(self) -> float:
        return float(self.value("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)"))

    def wall_now(self) -> float:
        return self.lease_now()

    def _execute(self, sql: str, params: Params | None, ids: Collection[str] | None) -> psycopg.Cursor[tuple[Any, ...]]:
        if ids is not None:
            params = {**(params or {}), "ids": _array(ids)}
        # The SQL is all our own; what comes from outside is always a parameter.
        return self._connection.execute(_translated(sql), params or None)


@functools.lru_cache(maxsize=256)
def _translated(sql: str) -> str:
    return _NAMED.sub(r"%(\1)s", sql.replace("{ids}", "= ANY(CAST(:ids AS text[]))"))


def _array(texts: Collection[str]) -> str:
    """An array as PostgreSQL reads it. psycopg makes the same of a list, in ten times the time."""
    if not texts:
        return "{}"
    inside = '","'.join(texts)
    if "\\" in inside or inside.count('"') != 2 * (len(texts) - 1):
        inside = '","'.join(text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return '{"' + inside + '"}'


def _version(tx: Transaction) -> int | None:
    # Not `to_regclass`: within a transaction it may not see what another one has just created.
    find = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = :schema AND tablename = 'schema_version'"
    if tx.value(find, {"schema": SCHEMA}) is None:
        return None
    version = tx.value(f"SELECT version FROM {SCHEMA}.schema_version")
    return None if version is None else int(version)


def _lacking_rights(tx: Transaction) -> str:
    """Which rights this role lacks on the tables; '' when it has all that it needs."""
    return ", ".join(
        f"{right} on {table}"
        for table, right in tx.rows(
            "SELECT tablename, wanted FROM pg_catalog.pg_tables,"
            " unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted"
            " WHERE schemaname = :schema AND tablename <> 'schema_version'"
            " AND NOT has_table_privilege(format('%%I.%%I', schemaname, tablename), wanted) ORDER BY 1, 2",
            {"schema": SCHEMA},
        )
    )


@contextlib.contextmanager
def _closed_on_error(store: PostgresqlStore) -> Iterator[None]:
    try:
        yield
    except BaseException:
        store.close()
        raise
