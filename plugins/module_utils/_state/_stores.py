# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The state store: where last applied is kept. It knows neither the API nor plans."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from ansible_collections.koophone.fleet.plugins.module_utils._memory import Memory
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Look, Record, Store
from ansible_collections.koophone.fleet.plugins.module_utils._state._location import Location

if TYPE_CHECKING:
    from ansible_collections.koophone.fleet.plugins.module_utils._state.postgresql import PostgresqlStore
    from ansible_collections.koophone.fleet.plugins.module_utils._state.sqlite import SqliteStore

Result = TypeVar("Result")


def open_store(location: Location) -> Store:
    """Open the state store for writing, and make it where there is none. Raises `StateError`."""
    if location.path is not None:
        return _sqlite().open(location.path)
    return _postgresql().open(location.dsn or "")


def look_at(location: Location, service: str, instance_ids: Collection[str], look: Look[Result]) -> Result:
    """Show `look` one consistent reading; nothing is made or changed. No store reads as an empty one."""
    with _existing(location) as store:
        return look(_Nothing()) if store is None else store.read(service, instance_ids, look)


def records_of(
    location: Location, service: str | None, instance_ids: Collection[str] | None, *, history: bool
) -> Sequence[Record]:
    """All that is remembered of instances; nothing is made or changed. No store has no records."""
    with _existing(location) as store:
        return [] if store is None else store.records(service, instance_ids, history=history)


@contextlib.contextmanager
def _existing(location: Location) -> Iterator[Store | None]:
    store: Store | None
    if location.path is not None:
        store = _sqlite().open_existing(location.path)
    else:
        store = _postgresql().open_existing(location.dsn or "")
    try:
        yield store
    finally:
        if store is not None:
            store.close()


def _sqlite() -> type[SqliteStore]:
    # Late, like the other one: a run needs only one, and compiles what it imports.
    from ansible_collections.koophone.fleet.plugins.module_utils._state.sqlite import SqliteStore

    return SqliteStore


def _postgresql() -> type[PostgresqlStore]:
    from ansible_collections.koophone.fleet.plugins.module_utils._state.postgresql import PostgresqlStore

    return PostgresqlStore


class _Nothing:
    """The reading of a store that is not there."""

    memory = Memory()

    def changed_by_others(self, approved_plan: str, desired_digest: str) -> set[str] | None:
        return None

    def latest_changes(self) -> Sequence[str]:
        return ()
