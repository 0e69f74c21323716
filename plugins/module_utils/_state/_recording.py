# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""How batches ended and which are about to be sent, written inside a transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import (
    Claim,
    Mark,
    Outcome,
    Resolution,
)
from ansible_collections.koophone.fleet.plugins.module_utils._state._transaction import Transaction

# Adds the doubt of this request to what is in doubt already.
_IN_DOUBT = (
    " doubt_settings = CASE WHEN :doubt_for <= 0 THEN doubt_settings"
    "  WHEN doubt_until > :now AND (doubt_settings IS NULL OR doubt_settings <> :settings) THEN NULL"
    "  ELSE :settings END,"
    " doubt_until = CASE WHEN :doubt_for <= 0 THEN doubt_until"
    "  ELSE {greatest}(doubt_until, :now + :doubt_for) END,"
    " doubt_run = CASE WHEN :doubt_for <= 0 THEN doubt_run ELSE :run END,"
    " changed_at = :now,"
)
_DOUBT = f"{_IN_DOUBT} changed_run = :run"
# Whatever the instance has or may still get, from whomever, is these settings.
_NOTHING_ELSE = (
    "COALESCE(marked, :settings) = :settings"
    " AND (wants IS NULL OR wants = :settings OR NOT EXISTS (SELECT 1 FROM claims WHERE claims.id = instances.claim))"
    " AND (known = 0 OR settings = :settings) AND (doubt_until <= :now OR doubt_settings = :settings)"
)
# Of two that may have changed it, neither may go on as if nobody else had.
_DOUBT_OF_NOBODY = f"{_IN_DOUBT} changed_run = CASE WHEN {_NOTHING_ELSE} THEN :run END"
_SET = {
    Outcome.CONFIRMED: (
        " known = 1, settings = :settings, applied_at = :wall, request_id = :request_id, run = :run, marked = NULL,"
        + _DOUBT
    ),
    Outcome.UNCONFIRMED: " known = 0, marked = NULL," + _DOUBT,
    Outcome.NOT_PROCESSED: " marked = NULL",
}


def record(
    tx: Transaction, service: int, run: int, claim: Claim, resolutions: Sequence[Resolution], marks: Sequence[Mark]
) -> set[str]:
    """See `_interface.Store.record`."""
    parts = [part.instance_ids for part in resolutions] + [part.instance_ids for part in marks]
    ids = [instance_id for part in parts for instance_id in part]
    ours = _lock_claimed(tx, service, claim.key, ids)
    now, wall = tx.lease_now(), tx.wall_now()
    params: dict[str, Any] = {"service": service, "run": run, "now": now, "wall": wall}
    settings = [resolution.settings for resolution in resolutions] + [mark.settings for mark in marks]
    key_of = settings_keys(tx, settings)
    confirmed: set[str] = set()
    for resolution in resolutions:
        params_of = {
            **params,
            "settings": key_of[resolution.settings.digest],
            "request_id": resolution.request_id,
            "doubt_for": resolution.doubt_for,
        }
        kept, lost = _split(resolution.instance_ids, ours)
        if not confirmed.isdisjoint(kept):
            # Confirmed a second time, it is in the history twice.
            _remember(tx, service, confirmed)
            confirmed.clear()
        tx.change(
            f"UPDATE instances SET{_SET[resolution.outcome]} WHERE service = :service AND instance_id {{ids}}".replace(
                "{greatest}", tx.greatest
            ),
            params_of,
            ids=kept,
        )
        if resolution.outcome is Outcome.CONFIRMED:
            confirmed.update(kept)
        if lost and resolution.outcome is not Outcome.NOT_PROCESSED:
            _disown(tx, params_of, lost)
    _remember(tx, service, confirmed)
    to_mark: dict[str, list[str]] = {}
    for mark in marks:
        to_mark.setdefault(mark.settings.digest, []).extend(mark.instance_ids)
    for digest, marked in sorted(to_mark.items()):
        tx.change(
            "UPDATE instances SET marked = :settings, changed_at = :now, changed_run = :run"
            " WHERE service = :service AND instance_id {ids}",
            {**params, "settings": key_of[digest]},
            ids=_split(marked, ours)[0],
        )
    return set(ids) - ours


def forget(tx: Transaction, service: int, run: int, instance_ids: Collection[str]) -> None:
    """Make instances unknown and raise their generation, so that what is being confirmed for them is not."""
    params = {"service": service, "run": run, "now": tx.lease_now()}
    tx.rows(
        "SELECT instance_id FROM instances WHERE service = :service AND instance_id {ids}"
        f" ORDER BY instance_id{tx.for_update}",
        params,
        ids=instance_ids,
    )
    tx.change(
        "UPDATE instances SET known = 0, generation = generation + 1, changed_at = :now, changed_run = :run"
        " WHERE service = :service AND instance_id {ids}",
        params,
        ids=instance_ids,
    )


def learn_regions(tx: Transaction, service: int, claim: int, regions: Mapping[str, Sequence[str]]) -> None:
    """Remember regions of instances that are still claimed."""
    ours = _lock_claimed(tx, service, claim, [instance_id for ids in regions.values() for instance_id in ids])
    for region, ids in sorted(regions.items()):
        tx.change(
            "UPDATE instances SET region = :region WHERE service = :service AND instance_id {ids}",
            {"region": region, "service": service},
            ids=_split(ids, ours)[0],
        )


def settings_keys(tx: Transaction, several: Iterable[Settings]) -> dict[str, int]:
    """Digest → the key under which such settings are stored, once for all instances that have them."""
    distinct = {settings.digest: settings for settings in several}
    find = "SELECT digest, id FROM settings WHERE digest {ids}"
    found: dict[str, int] = dict(tx.rows(find, ids=distinct))
    # In one order for all, so that no two runs with the same new settings wait for each other.
    lacking = sorted(distinct.keys() - found.keys())
    for digest in lacking:
        tx.change(
            "INSERT INTO settings (digest, canonical) VALUES (:digest, :canonical) ON CONFLICT (digest) DO NOTHING",
            {"digest": digest, "canonical": distinct[digest].canonical},
        )
    if lacking:
        found.update(tx.rows(find, ids=lacking))
    return found


def _lock_claimed(tx: Transaction, service: int, claim: int, ids: Collection[str]) -> set[str]:
    """Which of the instances the claim still holds; their rows are held still until the transaction ends."""
    return {
        instance_id
        for instance_id, holder, generation, claimed_generation in tx.rows(
            "SELECT instance_id, claim, generation, claimed_generation FROM instances"
            " WHERE service = :service AND instance_id {ids} AND EXISTS (SELECT 1 FROM claims WHERE id = :claim)"
            f" ORDER BY instance_id{tx.for_update}",
            {"service": service, "claim": claim},
            ids=ids,
        )
        if holder == claim and generation == claimed_generation
    }


def _split(ids: Iterable[str], ours: Collection[str]) -> tuple[list[str], list[str]]:
    kept: list[str] = []
    lost: list[str] = []
    for instance_id in ids:
        (kept if instance_id in ours else lost).append(instance_id)
    return kept, lost


def _remember(tx: Transaction, service: int, ids: Collection[str]) -> None:
    """Append what was just confirmed to the history."""
    if not ids:
        return
    tx.change(
        "INSERT INTO history (service, instance_id, settings, applied_at, request_id, run)"
        " SELECT service, instance_id, settings, applied_at, COALESCE(request_id, ''), run FROM instances"
        " WHERE service = :service AND instance_id {ids}"
        " ON CONFLICT (service, instance_id, run, request_id) DO NOTHING",
        {"service": service},
        ids=ids,
    )


def _disown(tx: Transaction, params: dict[str, Any], ids: Sequence[str]) -> None:
    """Instances that somebody else has claimed while a request of ours may have been out.

    Which of the two the API carried out last, nobody can say: they become unknown, and the other's confirmation is
    made to fail. It is harmless where the other brings the very same settings.
    """
    tx.change(
        f"UPDATE instances SET known = CASE WHEN {_NOTHING_ELSE} THEN known ELSE 0 END,"
        f" generation = generation + CASE WHEN {_NOTHING_ELSE} THEN 0 ELSE 1 END,"
        f" marked = CASE WHEN claim IS NULL THEN NULL ELSE marked END,{_DOUBT_OF_NOBODY}"
        " WHERE service = :service AND instance_id {ids}".replace("{greatest}", tx.greatest),
        params,
        ids=ids,
    )
