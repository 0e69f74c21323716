# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Reading the state store, inside a transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property

from ansible_collections.koophone.fleet.plugins.module_utils._memory import LastApplied, Memory
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Run
from ansible_collections.koophone.fleet.plugins.module_utils._state._transaction import Transaction
from ansible_collections.koophone.fleet.plugins.module_utils._wording import instances, utc

_SERVICE = "(SELECT id FROM services WHERE name = :service)"


class Reading:
    """What is remembered of these instances; see `_interface.Reading`."""

    def __init__(self, tx: Transaction, service: str, instance_ids: Collection[str]) -> None:
        self.tx = tx
        self._service = service
        self._ids = instance_ids

    def without(self, instance_ids: Collection[str]) -> Reading:
        """Another reading, of the same instances but for these."""
        return Reading(self.tx, self._service, [i for i in self._ids if i not in instance_ids])

    @cached_property
    def memory(self) -> Memory:
        rows = self.tx.rows(
            "SELECT instance_id, CASE WHEN known = 1 AND marked IS NULL THEN settings END, applied_at, region"
            f" FROM instances WHERE service = {_SERVICE} AND instance_id {{ids}}",
            {"service": self._service},
            ids=self._ids,
        )
        # Last: where each statement has a snapshot of its own, another run may bring new settings between the two.
        texts: dict[int, str] = dict(self.tx.rows("SELECT id, canonical FROM settings"))
        settings: dict[int, Settings] = {}
        records: dict[str, LastApplied] = {}
        for instance_id, key, applied_at, region in rows:
            if key is None:
                # Without a region it says no more than if it weren't there, as before it was ever claimed.
                if region is not None:
                    records[instance_id] = LastApplied(None, None, region)
                continue
            if key not in settings:
                settings[key] = Settings.from_canonical(texts[key])
            records[instance_id] = LastApplied(settings[key].digest, applied_at, region)
        return Memory(records, {value.digest: value for value in settings.values()}, self.tx.wall_now())

    def changed_by_others(self, approved_plan: str, desired_digest: str) -> set[str] | None:
        begun = self._begun(approved_plan, desired_digest)
        if begun is None:
            return None
        # Those that were approved by this digest: the run that had it itself, and the ones that continued it.
        family = (
            f"SELECT id FROM runs WHERE service = {_SERVICE} AND (plan_digest = :plan OR approved_plan = :plan)"
            " AND desired_digest = :desired"
        )
        rows = self.tx.rows(
            f"SELECT instance_id FROM instances WHERE service = {_SERVICE} AND changed_at >= :begun"
            f" AND (changed_run IS NULL OR changed_run NOT IN ({family})) AND instance_id {{ids}}",
            {"service": self._service, "plan": approved_plan, "desired": desired_digest, "begun": begun},
            ids=self._ids,
        )
        return {instance_id for (instance_id,) in rows}

    def latest_changes(self) -> Sequence[str]:
        rows = self.tx.rows(
            "SELECT r.run_id, r.user_name, r.host, r.job, MAX(i.changed_at), COUNT(*) FROM instances i"
            f" JOIN runs r ON r.id = i.changed_run WHERE i.service = {_SERVICE} AND i.instance_id {{ids}}"
            " GROUP BY r.run_id, r.user_name, r.host, r.job ORDER BY 5 DESC LIMIT 3",
            {"service": self._service},
            ids=self._ids,
        )
        return [f"{Run(*run)} changed {instances(count)} at {utc(at)}" for *run, at, count in rows]

    def _begun(self, approved_plan: str, desired_digest: str) -> float | None:
        """When the latest run with that very plan claimed what it was to change: all was as approved at that moment."""
        begun: float | None = self.tx.value(
            f"SELECT MAX(claimed_at) FROM runs WHERE service = {_SERVICE}"
            " AND plan_digest = :plan AND desired_digest = :desired",
            {"service": self._service, "plan": approved_plan, "desired": desired_digest},
        )
        return begun
