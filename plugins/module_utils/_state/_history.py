# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Who applied what when: told and pruned, inside a transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Confirmed, Record, Run, Status
from ansible_collections.koophone.fleet.plugins.module_utils._state._transaction import Params, Transaction


def records(
    tx: Transaction, service: str | None, instance_ids: Collection[str] | None, *, history: bool
) -> Sequence[Record]:
    """See `_interface.Store.records`; sorted by service and instance id."""
    settings = {key: Settings.from_canonical(text) for key, text in tx.rows("SELECT id, canonical FROM settings")}
    runs = {key: Run(*rest) for key, *rest in tx.rows("SELECT id, run_id, user_name, host, job FROM runs")}
    which, params = "", {}
    if service is not None:
        which += " AND s.name = :service"
        params["service"] = service
    if instance_ids is not None:
        which += " AND i.instance_id {ids}"
    past = _past(tx, which, params, instance_ids, settings, runs) if history else {}
    found = []
    for key, name, instance_id, region, applied, settings_key, applied_at, request_id, run in tx.rows(
        "SELECT i.service, s.name, i.instance_id, i.region,"
        " CASE WHEN i.known = 1 AND i.marked IS NULL THEN 1 ELSE 0 END,"
        " i.settings, i.applied_at, i.request_id, i.run FROM instances i JOIN services s ON s.id = i.service"
        f" WHERE 1 = 1{which}",
        params,
        ids=instance_ids,
    ):
        last = None
        if settings_key is not None:
            last = Confirmed(settings[settings_key], applied_at, request_id, runs[run])
        status = Status.APPLIED if applied else Status.UNKNOWN
        found.append(Record(name, instance_id, region, status, last, tuple(past.get((key, instance_id), ()))))
    return sorted(found, key=lambda record: (record.service, record.instance_id))


def prune(tx: Transaction, *, wall_before: float, lease_before: float) -> None:
    """Forget the history before a time, but nothing that is still referred to; and the claims of runs long dead.

    Settings stay: there are few, and a transaction that is just about to refer to some must still find them.
    """
    params = {"before": wall_before}
    tx.change(
        "DELETE FROM history WHERE applied_at < :before AND NOT EXISTS ("
        " SELECT 1 FROM instances i WHERE i.service = history.service AND i.instance_id = history.instance_id"
        " AND i.run = history.run AND COALESCE(i.request_id, '') = history.request_id)",
        params,
    )
    if not tx.rows("SELECT id FROM runs WHERE started_at < :before LIMIT 1", params):
        return
    tx.change(
        "DELETE FROM claims WHERE lease_until + grace < :before"
        " AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.claim = claims.id)",
        {"before": lease_before},
    )
    tx.change(
        "DELETE FROM runs WHERE started_at < :before"
        " AND NOT EXISTS (SELECT 1 FROM history h WHERE h.run = runs.id)"
        " AND NOT EXISTS (SELECT 1 FROM claims c WHERE c.run = runs.id)"
        " AND NOT EXISTS (SELECT 1 FROM instances i"
        "  WHERE i.run = runs.id OR i.changed_run = runs.id OR i.doubt_run = runs.id)",
        params,
    )


def _past(
    tx: Transaction,
    which: str,
    params: Params,
    instance_ids: Collection[str] | None,
    settings: dict[int, Settings],
    runs: dict[int, Run],
) -> dict[tuple[int, str], list[Confirmed]]:
    """Each instance's confirmed settings, the newest first."""
    past: dict[tuple[int, str], list[Confirmed]] = {}
    rows: Sequence[tuple[Any, ...]] = tx.rows(
        "SELECT i.service, i.instance_id, i.settings, i.applied_at, i.request_id, i.run FROM history i"
        f" JOIN services s ON s.id = i.service WHERE 1 = 1{which} ORDER BY i.applied_at DESC, i.run DESC",
        params,
        ids=instance_ids,
    )
    for service, instance_id, settings_key, applied_at, request_id, run in rows:
        confirmed = Confirmed(settings[settings_key], applied_at, request_id or None, runs[run])
        past.setdefault((service, instance_id), []).append(confirmed)
    return past
