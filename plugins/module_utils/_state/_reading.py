# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Reading the state store, inside a transaction."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from ansible_collections.koophone.fleet.plugins.module_utils._memory import LastApplied, Memory
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.module_utils._state._transaction import Transaction


class Reading:
    """What is remembered of these instances; see `_interface.Reading`."""

    def __init__(self, tx: Transaction, service: str, instance_ids: Collection[str]) -> None:
        self._tx = tx
        self._service = service
        self._ids = instance_ids

    @cached_property
    def memory(self) -> Memory:
        rows = self._tx.rows(
            "SELECT instance_id, CASE WHEN known = 1 AND marked IS NULL THEN settings END, applied_at, region"
            " FROM instances WHERE service = (SELECT id FROM services WHERE name = :service) AND instance_id {ids}",
            {"service": self._service},
            ids=self._ids,
        )
        # Last: where each statement has a snapshot of its own, another run may bring new settings between the two.
        texts: dict[int, str] = dict(self._tx.rows("SELECT id, canonical FROM settings"))
        settings: dict[int, Settings] = {}
        records: dict[str, LastApplied] = {}
        for instance_id, key, applied_at, region in rows:
            if key is None:
                records[instance_id] = LastApplied(None, None, region)
                continue
            if key not in settings:
                settings[key] = Settings.from_canonical(texts[key])
            records[instance_id] = LastApplied(settings[key].digest, applied_at, region)
        return Memory(records, {value.digest: value for value in settings.values()}, self._tx.wall_now())

    def continues(self, approved_plan: str, desired_digest: str) -> bool:
        params = {"service": self._service, "plan": approved_plan, "desired": desired_digest}
        # Those that were approved by this digest: the run that had it itself, and the ones that continued it.
        family = (
            "SELECT id FROM runs WHERE service = (SELECT id FROM services WHERE name = :service)"
            " AND (plan_digest = :plan OR approved_plan = :plan) AND desired_digest = :desired"
        )
        begun = self._tx.value(
            "SELECT MIN(claimed_at) FROM runs WHERE service = (SELECT id FROM services WHERE name = :service)"
            " AND plan_digest = :plan AND desired_digest = :desired",
            params,
        )
        if begun is None:
            return False
        foreign = self._tx.rows(
            "SELECT COUNT(*) FROM instances WHERE service = (SELECT id FROM services WHERE name = :service)"
            f" AND changed_at >= :begun AND (changed_run IS NULL OR changed_run NOT IN ({family}))"
            " AND instance_id {ids}",
            {**params, "begun": begun},
            ids=self._ids,
        )
        return bool(foreign[0][0] == 0)
