# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The state store in an SQLite file, for the runs of one machine.

Durability: a rollback journal (`journal_mode=DELETE`) with `synchronous=EXTRA`. With EXTRA the folder is synced after
the journal was unlinked, so that a commit survives a power cut; with FULL the journal could reappear and roll a
committed mark back (https://www.sqlite.org/pragma.html#pragma_synchronous). There is no write-ahead log: readers under
check mode then need no shared-memory file beside the database, and between runs the store is one single file.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._state import _schema
from ansible_collections.koophone.fleet.plugins.module_utils._state._file_system import shared_by_machines
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import StateError
from ansible_collections.koophone.fleet.plugins.module_utils._state._store import SqlStore
from ansible_collections.koophone.fleet.plugins.module_utils._state._transaction import (
    Params,
    Transaction,
)

Result = TypeVar("Result")

# Says "this file is a state store of koophone.fleet" to `file` and to us ("KooP").
APPLICATION_ID = 0x4B6F6F50
# How long to wait for a transaction of another run, in seconds. Each takes some hundredths of a second.
BUSY_TIMEOUT = 60.0


class SqliteStore(SqlStore):
    """The state store in one file. Of use to one thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    def open_existing(cls, path: Path) -> SqliteStore | None:
        """Open the store for reading; None when there is none. It creates nothing."""
        with _explained(path):
            if not path.exists():
                return None
            _refuse_network(path)
            # Not read-only: a journal that a killed run has left must be rolled back before anything is read.
            writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
            store = cls(path, _connect(path, "rw" if writable else "ro"))
            with _closed_on_error(store):
                store._connection.execute("PRAGMA query_only = ON")
                _schema.check_version(store._version(), str(path), reading=True)
            return store

    @classmethod
    def open(cls, path: Path) -> SqliteStore:
        """Open the store for writing, and make it where there is none; readable by its owner alone."""
        with _explained(path):
            _refuse_network(path)
            if not path.exists():
                _create(path)
            store = cls(path, _connect(path, "rw"))
            with _closed_on_error(store):
                store._bring_up_to_date()
            return store

    def close(self) -> None:
        self._connection.close()

    def _reading(self, work: Callable[[Transaction], Result]) -> Result:
        return self._transaction("BEGIN DEFERRED", work)

    def _writing(self, work: Callable[[Transaction], Result]) -> Result:
        return self._transaction("BEGIN IMMEDIATE", work)

    def _transaction(self, begin: str, work: Callable[[Transaction], Result]) -> Result:
        with _explained(self._path):
            self._connection.execute(begin)
            try:
                result = work(_SqliteTransaction(self._connection))
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return result

    def _version(self) -> int:
        """The version of the schema. Raises `StateError` where the file is not a state store."""
        application_id = self._connection.execute("PRAGMA application_id").fetchone()[0]
        if application_id != APPLICATION_ID:
            raise StateError(f"{self._path} is not a state store of koophone.fleet; nothing was written to it")
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _bring_up_to_date(self) -> None:
        """Migrate an older store; also finds out, before anything is sent, whether the file can be written."""

        def work(tx: Transaction) -> None:
            version = self._version()
            _schema.check_version(version, str(self._path))
            for statement in _schema.migrations(version):
                tx.change(statement)
            if version != _schema.VERSION:
                self._connection.execute(f"PRAGMA user_version = {_schema.VERSION}")

        self._writing(work)


class _SqliteTransaction(Transaction):
    greatest = "MAX"
    serial = True

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._shift: float | None = None

    def rows(
        self, sql: str, params: Params | None = None, ids: Collection[str] | None = None
    ) -> Sequence[tuple[Any, ...]]:
        return self._execute(sql, params, ids).fetchall()

    def change(self, sql: str, params: Params | None = None, ids: Collection[str] | None = None) -> int:
        return self._execute(sql, params, ids).rowcount

    def insert(self, sql: str, params: Params) -> int:
        return int(self._connection.execute(sql, params).lastrowid or 0)

    def add_instances(self, service: int, claim: int, wants: Mapping[str, int]) -> int:
        return self._connection.executemany(
            "INSERT INTO instances (service, instance_id, claim, wants, generation, claimed_generation)"
            " VALUES (?, ?, ?, ?, 1, 1) ON CONFLICT DO NOTHING",
            ((service, instance_id, claim, settings) for instance_id, settings in wants.items()),
        ).rowcount

    def lease_now(self) -> float:
        """The time since the machine started, shifted once per start so that it goes on from the wall clock's time.

        All who use the file are on this machine, so that this clock is theirs alike, and nobody's setting of the
        wall clock ends a claim early.
        """
        if self._shift is None:
            self._shift = self._anchored()
        return _clock.now() + self._shift

    def wall_now(self) -> float:
        return time.time()

    def _anchored(self) -> float:
        boot_id, now = _clock.boot_id(), _clock.now()
        row = self._connection.execute("SELECT boot_id, shift, seen FROM clock").fetchone()
        if row is None:
            shift = time.time() - now
        elif row[0] == boot_id and now + row[1] >= row[2]:
            shift = float(row[1])
        else:
            # Another start. Whatever the wall clock says by now, this clock never runs back: it would keep for years
            # what is in doubt for a minute.
            shift = max(time.time(), float(row[2])) - now
        self._connection.execute("DELETE FROM clock")
        self._connection.execute(
            "INSERT INTO clock (boot_id, shift, seen) VALUES (?, ?, ?)", (boot_id, shift, now + shift)
        )
        return shift

    def _execute(self, sql: str, params: Params | None, ids: Collection[str] | None) -> sqlite3.Cursor:
        if ids is None:
            return self._connection.execute(sql, params or {})
        in_ids = "IN (SELECT value FROM json_each(:ids))"
        return self._connection.execute(sql.replace("{ids}", in_ids), {**(params or {}), "ids": json.dumps(list(ids))})


def _refuse_network(path: Path) -> None:
    kind = shared_by_machines(path)
    if kind is not None:
        raise StateError(
            f"the state store {path} would be on a network file system ({kind}), which cannot promise that what was"
            " written is there after a crash, nor that runs on other machines see each other's claims; use a local"
            " folder, or PostgreSQL: state_url: postgresql://user:password@host/database"
        )


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
    )
    connection.execute("PRAGMA synchronous = EXTRA")
    return connection


def _create(path: Path) -> None:
    """Make a store under another name and put it into place whole, so that nobody ever opens half a store."""
    _make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = _connect(draft, "rw")
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _schema.statements(
                key="INTEGER PRIMARY KEY AUTOINCREMENT", real="REAL", instances_options=" WITHOUT ROWID"
            ):
                connection.execute(statement)
            connection.execute("CREATE TABLE clock (boot_id TEXT NOT NULL, shift REAL NOT NULL, seen REAL NOT NULL)")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_schema.VERSION}")
            connection.execute("COMMIT")
        finally:
            connection.close()
        # Unlike a rename, a link fails where another run was faster; then its store is the one.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _make_folder(folder: Path) -> None:
    """Make a folder, and those above it, their owner's alone; `parents=True` would leave the latter to the umask."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def _closed_on_error(store: SqliteStore) -> Iterator[None]:
    try:
        yield
    except BaseException:
        store.close()
        raise


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the database or the system says into an error that its reader can act on."""
    try:
        yield
    except sqlite3.Error as error:
        raise StateError(f"the state store {path} cannot be used: {error}{_advice(error, path)}") from error
    except OSError as error:
        raise StateError(f"the state store {path} cannot be used: {error.strerror or error}") from error


def _advice(error: sqlite3.Error, path: Path) -> str:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return (
            "; nothing was written to it. Restore it from a backup and forget what it remembers,"
            " or move it away: every instance is then unknown and applied anew"
        )
    if "locked" in text:
        return f"; another run has kept it locked for more than {BUSY_TIMEOUT:.0f} seconds"
    if "readonly" in text or "unable to open" in text:
        return f"; this user must be able to write to it and to its folder {path.parent}"
    if "full" in text:
        return "; make room on its file system"
    return ""
