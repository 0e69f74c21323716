# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the state store share: settings, runs that use a store step by step, a look at what is there."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._settings import SPEC_KEYS, Settings, Spec
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import (
    Choice,
    Chooser,
    Claim,
    ClaimResult,
    Counts,
    Held,
    Mark,
    Outcome,
    Reading,
    Record,
    Resolution,
    Run,
    Status,
    Wanted,
)
from ansible_collections.koophone.fleet.plugins.module_utils._state._location import Location
from ansible_collections.koophone.fleet.plugins.module_utils._state._store import SqlStore

SERVICE = "https://service.example"
LEASE = 100.0
GRACE = 50.0
DAY = 86400.0

_numbers = itertools.count(1)


def settings(number: int) -> Settings:
    """Settings that differ from those of every other number."""
    return Settings(tuple(Spec(100 + 100 * number, 30) for _unused in SPEC_KEYS))


S, T, U = settings(1), settings(2), settings(3)


def choose(wishes: Mapping[str, Settings], plan: str = "plan", desired: str = "desired", approved: str = "") -> Chooser:
    """Always choose this, whatever is read."""
    by_settings: dict[Settings, list[str]] = {}
    for instance_id, wish in wishes.items():
        by_settings.setdefault(wish, []).append(instance_id)
    wanted = [Wanted(wish, ids) for wish, ids in by_settings.items()]
    return lambda _reading: Choice(wanted, plan, desired, approved)


@dataclass
class Actor:
    """A run that does its steps one by one, with a connection of its own."""

    store: SqlStore
    run: Run
    service: str = SERVICE
    claimed: Claim | None = None

    @property
    def claim(self) -> Claim:
        assert self.claimed is not None, "nothing is claimed"
        return self.claimed

    def try_claim(
        self, wishes: Mapping[str, Settings], *, lease: float = LEASE, grace: float = GRACE, **plan: str
    ) -> ClaimResult:
        result = self.store.claim(
            self.run, self.service, list(wishes), choose(wishes, **plan), lease=lease, grace=grace
        )
        self.claimed = result.claim
        return result

    def claim_all(self, ids: Collection[str], wish: Settings, **options: Any) -> Claim:
        """Claim all of these, or fail."""
        result = self.try_claim(dict.fromkeys(ids, wish), **options)
        assert result.held == {}
        assert result.claim is not None
        assert result.claim.instance_ids == set(ids)
        return result.claim

    def held(self, ids: Collection[str], wish: Settings, **options: Any) -> dict[str, Held]:
        """Claim these in vain; returns who holds them."""
        result = self.try_claim(dict.fromkeys(ids, wish), **options)
        assert result.claim is None
        assert set(result.held) == set(ids)
        return dict(result.held)

    def mark(self, ids: Collection[str], wish: Settings) -> set[str]:
        return self.store.record(self.claim, [], [Mark(tuple(ids), wish)])

    def confirm(
        self, ids: Collection[str], wish: Settings, request_id: str | None = None, *, doubt_for: float = 0.0
    ) -> set[str]:
        request_id = request_id or f"request-{next(_numbers)}"
        return self._resolve(Resolution(tuple(ids), wish, Outcome.CONFIRMED, request_id, doubt_for))

    def fail(self, ids: Collection[str], wish: Settings, *, doubt_for: float = 0.0) -> set[str]:
        """The requests for these were not confirmed, and may still be carried out for so many seconds."""
        return self._resolve(Resolution(tuple(ids), wish, Outcome.UNCONFIRMED, None, doubt_for))

    def take_back(self, ids: Collection[str], wish: Settings) -> set[str]:
        """Nothing was sent for these."""
        return self._resolve(Resolution(tuple(ids), wish, Outcome.NOT_PROCESSED))

    def renew(self, *, lease: float = LEASE) -> bool:
        return self.store.renew(self.claim, lease=lease)

    def release(self) -> None:
        self.store.release(self.claim)

    def finish(self, *, history_age: float = 90 * DAY) -> None:
        self.store.finish(self.run, self.service, Counts(4, 3, 2, 1), history_age=history_age)

    def apply(self, ids: Collection[str], wish: Settings, request_id: str | None = None, **options: Any) -> None:
        """A run from beginning to end, with nothing in its way."""
        self.claim_all(ids, wish, **options)
        assert self.mark(ids, wish) == set()
        assert self.confirm(ids, wish, request_id) == set()
        self.release()
        self.finish()

    def _resolve(self, resolution: Resolution) -> set[str]:
        return self.store.record(self.claim, [resolution], [])


class Stores:
    """One state store and the connections to it."""

    def __init__(self, location: Location, kind: type[SqlStore], plain: type[SqlStore]) -> None:
        """`plain` is the kind by which the tests themselves write."""
        self.location = location
        self._kind = kind
        self._plain = plain
        self._open: list[SqlStore] = []

    def open(self) -> SqlStore:
        """A connection of its own, closed with the others."""
        store = self.open_for_thread()
        self._open.append(store)
        return store

    def open_for_thread(self, kind: type[SqlStore] | None = None) -> SqlStore:
        """A connection that the caller closes, in the thread that opened it."""
        where = self.location.dsn if self.location.dsn is not None else self.location.path
        return (kind or self._kind).open(where)  # type: ignore[attr-defined,no-any-return]

    def actor(self, name: str, *, service: str = SERVICE) -> Actor:
        """A new run, with a connection of its own."""
        return self.actor_with(self.open(), name, service=service)

    def actor_with(self, store: SqlStore, name: str, *, service: str = SERVICE) -> Actor:
        return Actor(store, Run(f"run-{name}", f"user-{name}", f"host-{name}", f"job-{name}"), service)

    def actors(self, *names: str) -> list[Actor]:
        return [self.actor(name) for name in names]

    def known(self, ids: Collection[str], *, service: str = SERVICE) -> dict[str, str | None]:
        """What the plan is told of these instances: the digests of last applied, None where unknown."""
        return self.open().read(service, ids, lambda reading: {i: reading.memory.of(i).digest for i in ids})

    def assert_known(self, ids: Iterable[str], wish: Settings | None, *, service: str = SERVICE) -> None:
        ids = list(ids)
        assert self.known(ids, service=service) == dict.fromkeys(ids, wish.digest if wish is not None else None)
        records = {record.instance_id: record for record in self.records(ids, service=service)}
        for instance_id in ids:
            record = records.get(instance_id)
            if wish is None:
                assert record is None or record.status is Status.UNKNOWN
            else:
                assert record is not None
                assert record.status is Status.APPLIED
                assert record.last is not None
                assert record.last.settings == wish

    def records(
        self, ids: Collection[str] | None, *, service: str | None = SERVICE, history: bool = False
    ) -> Sequence[Record]:
        return self.open().records(service, ids, history=history)

    def let_pass(self, seconds: float) -> None:
        """Let the store's time pass, by moving all that it has written down into the past."""

        def move(tx: Any) -> None:
            tx.change("UPDATE claims SET lease_until = lease_until - :seconds", {"seconds": seconds})
            tx.change(
                "UPDATE instances SET doubt_until = doubt_until - :seconds WHERE doubt_until > 0", {"seconds": seconds}
            )

        store = self.open_for_thread(self._plain)
        store._writing(move)
        store.close()

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        return sorted(self.open()._reading(lambda tx: tx.rows(f"SELECT {columns} FROM {table}")), key=repr)

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that the store holds."""
        return {name: self.rows(name) for name in ("services", "settings", "runs", "claims", "instances", "history")}

    def close(self) -> None:
        for store in self._open:
            store.close()
        self._open.clear()


def seen(reading: Reading, ids: Iterable[str]) -> dict[str, str | None]:
    return {instance_id: reading.memory.of(instance_id).digest for instance_id in ids}


def at_once(count: int, work: Callable[[], object]) -> list[str]:
    """Do this in so many threads at the same moment; returns their names."""
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []

    def begin() -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=begin, name=f"thread-{number}") for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    return [thread.name for thread in threads]
