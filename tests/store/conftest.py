# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._state._location import Location
from ansible_collections.koophone.fleet.plugins.module_utils._state.postgresql import PostgresqlStore
from ansible_collections.koophone.fleet.plugins.module_utils._state.sqlite import SqliteStore
from tests.store.acting import Stores
from tests.support.postgres import PostgreSQL


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    """One PostgreSQL for all tests that don't stop it."""
    with PostgreSQL({"max_connections": "200"}) as running:
        yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    """A new folder, in memory where that is possible: these tests kill processes, they don't cut the power."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="koophone-store-", dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


@pytest.fixture(scope="session")
def _database(server: PostgreSQL) -> str:
    return server.url(server.create_database())


@pytest.fixture
def database(server: PostgreSQL, _database: str) -> Iterator[str]:
    """The URL of a database without a state store."""
    yield _database
    with psycopg.connect(_database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS koophone_fleet CASCADE")


class _Twice:
    """Mixed into a store: every transaction happens twice, as when nobody can tell whether the first was committed."""

    def _writing(self, work: Callable[[Any], Any]) -> Any:
        super()._writing(work)  # type: ignore[misc]
        return super()._writing(work)  # type: ignore[misc]


class _SqliteTwice(_Twice, SqliteStore):
    pass


class _PostgresqlTwice(_Twice, PostgresqlStore):
    pass


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest, folder: Path) -> Iterator[Stores]:
    """A new state store of each kind."""
    kind = SqliteStore if request.param == "sqlite" else PostgresqlStore
    yield from _stores(request, folder, postgresql=request.param == "postgresql", kind=kind)


@pytest.fixture(params=["sqlite", "postgresql", "sqlite-twice", "postgresql-twice"])
def repeated(request: pytest.FixtureRequest, folder: Path) -> Iterator[Stores]:
    """A new state store of each kind, and of each kind one whose transactions all happen twice."""
    name = request.param
    kinds = {
        "sqlite": SqliteStore,
        "postgresql": PostgresqlStore,
        "sqlite-twice": _SqliteTwice,
        "postgresql-twice": _PostgresqlTwice,
    }
    yield from _stores(request, folder, postgresql=name.startswith("postgresql"), kind=kinds[name])


def _stores(request: pytest.FixtureRequest, folder: Path, *, postgresql: bool, kind: Any) -> Iterator[Stores]:
    if postgresql:
        location = Location(dsn=request.getfixturevalue("database"))
    else:
        location = Location(path=folder / "state" / "fleet.sqlite3")
    made = Stores(location, kind, PostgresqlStore if postgresql else SqliteStore)
    yield made
    made.close()
