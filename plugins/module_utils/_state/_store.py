# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The state store on a database: what both databases do alike. They differ in connections, locks, clocks, types."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._state import _claiming, _recording
from ansible_collections.koophone.fleet.plugins.module_utils._state._history import prune, records
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import (
    Choice,
    Chooser,
    Claim,
    ClaimResult,
    Counts,
    Look,
    Mark,
    Record,
    Resolution,
    Run,
)
from ansible_collections.koophone.fleet.plugins.module_utils._state._reading import Reading
from ansible_collections.koophone.fleet.plugins.module_utils._state._rules import Row, judge
from ansible_collections.koophone.fleet.plugins.module_utils._state._transaction import Transaction

Result = TypeVar("Result")


class SqlStore(ABC):
    """The state store on top of transactions; see `_interface.Store` for what each method promises."""

    @abstractmethod
    def _reading(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work` on one consistent snapshot; it writes nothing."""

    @abstractmethod
    def _writing(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work` in a durable transaction, and again where the database asks for that."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the database."""

    def read(self, service: str, instance_ids: Collection[str], look: Look[Result]) -> Result:
        return self._reading(lambda tx: look(Reading(tx, service, instance_ids)))

    def claim(
        self, run: Run, service: str, instance_ids: Collection[str], choose: Chooser, *, lease: float, grace: float
    ) -> ClaimResult:
        def work(tx: Transaction) -> ClaimResult:
            # Taken before the database tells its time, so that the claim does not end later here than there.
            started = _clock.now()
            service_key = _service_key(tx, service)
            run_key = _run_key(tx, run, service_key)
            new = _claiming.NewClaim(tx, service_key, run_key)
            choice, wanted, rows = _choose(Reading(tx, service, instance_ids), choose, new)
            now = tx.lease_now()
            _note_plan(tx, run_key, choice, now)
            holders = _claiming.lock_holders(tx, rows.values())
            verdicts = {
                instance_id: judge(row, holders.get(row.claim or 0), run=run_key, wanted=wanted[instance_id], now=now)
                for instance_id, row in rows.items()
            }
            taken = {i: wanted[i] for i, verdict in verdicts.items() if verdict.until is None}
            held = _claiming.held_by(tx, service_key, rows, verdicts, now)
            if not taken:
                new.drop()
                return ClaimResult(None, held)
            _claiming.break_claims(tx, {rows[i].claim for i in taken if verdicts[i].breaks_claim})
            key = new.take(taken, rows, now=now, lease=lease, grace=grace)
            return ClaimResult(Claim(key, service, run, started + lease, set(taken)), held)

        return self._writing(work)

    def renew(self, claim: Claim, *, lease: float) -> bool:
        def work(tx: Transaction) -> bool:
            started = _clock.now()
            now = tx.lease_now()
            renewed = tx.change(
                "UPDATE claims SET lease_until = :until WHERE id = :claim AND broken = 0 AND lease_until > :now",
                {"until": now + lease, "claim": claim.key, "now": now},
            )
            if renewed:
                claim.ends_at = started + lease
            return bool(renewed)

        return self._writing(work)

    def record(self, claim: Claim, resolutions: Iterable[Resolution], marks: Iterable[Mark]) -> set[str]:
        resolved, marked = list(resolutions), list(marks)
        to_mark = {instance_id for mark in marked for instance_id in mark.instance_ids}
        # Beforehand: a transaction that failed may have been carried out all the same.
        claim.marked |= to_mark

        def work(tx: Transaction) -> set[str]:
            service_key = _service_key(tx, claim.service)
            run_key = _run_key(tx, claim.run, service_key)
            return _recording.record(tx, service_key, run_key, claim, resolved, marked)

        lost = self._writing(work)
        claim.marked -= {instance_id for one in resolved for instance_id in one.instance_ids} - to_mark
        return lost

    def learn_regions(self, claim: Claim, regions: Mapping[str, Sequence[str]]) -> None:
        def work(tx: Transaction) -> None:
            _recording.learn_regions(tx, _service_key(tx, claim.service), claim.key, regions)

        self._writing(work)

    def release(self, claim: Claim) -> None:
        self._writing(lambda tx: _claiming.release(tx, _service_key(tx, claim.service), claim.key, claim.marked))

    def records(self, service: str | None, instance_ids: Collection[str] | None, *, history: bool) -> Sequence[Record]:
        return self._reading(lambda tx: records(tx, service, instance_ids, history=history))

    def forget(self, run: Run, service: str, instance_ids: Collection[str]) -> None:
        def work(tx: Transaction) -> None:
            service_key = _service_key(tx, service)
            _recording.forget(tx, service_key, _run_key(tx, run, service_key), instance_ids)

        self._writing(work)

    def finish(self, run: Run, service: str, counts: Counts, *, history_age: float) -> None:
        def work(tx: Transaction) -> None:
            run_key = _run_key(tx, run, _service_key(tx, service))
            tx.change(
                "UPDATE runs SET ended_at = :wall, instances = :instances, changed = :changed, failed = :failed,"
                " not_attempted = :not_attempted WHERE id = :run",
                {
                    "wall": tx.wall_now(),
                    "run": run_key,
                    "instances": counts.instances,
                    "changed": counts.changed,
                    "failed": counts.failed,
                    "not_attempted": counts.not_attempted,
                },
            )
            prune(tx, wall_before=tx.wall_now() - history_age, lease_before=tx.lease_now() - history_age)

        self._writing(work)


def _choose(
    reading: Reading, choose: Chooser, new: _claiming.NewClaim
) -> tuple[Choice, dict[str, int], dict[str, Row]]:
    """Let the run choose on what then stands still: read, choose, lock, and once more if it moved meanwhile.

    Returns the choice, the key of the settings that it wants for each instance, and the instances' rows.
    """
    while True:
        choice = choose(reading)
        keys = _recording.settings_keys(reading.tx, [want.settings for want in choice.wanted])
        wanted = {i: keys[want.settings.digest] for want in choice.wanted for i in want.instance_ids}
        rows = new.lock(wanted)
        # What was made just now is held still already, and says nothing.
        if reading.tx.serial or (again := reading.without(new.added)).memory.records == reading.memory.records:
            return choice, wanted, rows
        reading = again


def _service_key(tx: Transaction, service: str) -> int:
    find, params = "SELECT id FROM services WHERE name = :name", {"name": service}
    key = tx.value(find, params)
    if key is None:
        tx.change("INSERT INTO services (name) VALUES (:name) ON CONFLICT (name) DO NOTHING", params)
        key = tx.value(find, params)
    return int(key)


def _run_key(tx: Transaction, run: Run, service: int) -> int:
    find, params = "SELECT id FROM runs WHERE run_id = :run_id", {"run_id": run.run_id}
    key = tx.value(find, params)
    if key is None:
        tx.change(
            "INSERT INTO runs (run_id, service, user_name, host, job, started_at)"
            " VALUES (:run_id, :service, :user, :host, :job, :wall) ON CONFLICT (run_id) DO NOTHING",
            {
                **params,
                "service": service,
                "user": run.user,
                "host": run.host,
                "job": run.job,
                "wall": tx.wall_now(),
            },
        )
        key = tx.value(find, params)
    return int(key)


def _note_plan(tx: Transaction, run: int, choice: Choice, now: float) -> None:
    """The run's first plan is the one that it carries out; what it claims later belongs to that."""
    tx.change(
        "UPDATE runs SET plan_digest = :plan, desired_digest = :desired, approved_plan = :approved, claimed_at = :now"
        " WHERE id = :run AND plan_digest IS NULL",
        {
            "plan": choice.plan_digest,
            "desired": choice.desired_digest,
            "approved": choice.approved_plan,
            "now": now,
            "run": run,
        },
    )
