# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Claims, inside a transaction: take, renew, give back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Held, Run
from ansible_collections.koophone.fleet.plugins.module_utils._state._rules import Holder, Row, Verdict
from ansible_collections.koophone.fleet.plugins.module_utils._state._transaction import Transaction, numbers


def lock_instances(tx: Transaction, service: int, instance_ids: Collection[str]) -> dict[str, Row]:
    """The instances' rows, made where there are none, held still until the transaction ends."""
    ids = sorted(instance_ids)
    tx.add_instances(service, ids)
    return {
        row[0]: Row(*row[1:])
        for row in tx.rows(
            "SELECT instance_id, claim, wants, marked, doubt_settings, doubt_until FROM instances"
            f" WHERE service = :service AND instance_id {{ids}} ORDER BY instance_id{tx.for_update}",
            {"service": service},
            ids=ids,
        )
    }


def lock_holders(tx: Transaction, rows: Iterable[Row]) -> dict[int, Holder]:
    """The claims that the instances are under, held still: a heartbeat must not prolong one while it is judged."""
    keys = sorted({row.claim for row in rows if row.claim is not None})
    return {
        key: Holder(run, lease_until, grace, bool(broken))
        for key, run, lease_until, grace, broken in tx.rows(
            f"SELECT id, run, lease_until, grace, broken FROM claims WHERE id IN ({numbers(keys)})"
            f" ORDER BY id{tx.for_update}"
        )
    }


def resolve_marks(tx: Transaction) -> str:
    """SQL that turns a mark into a doubt with a time of its own; for when its claim's time stands still from now on.

    Where two different requests are in doubt, nobody can say which settings may come: then `doubt_settings` is null.
    """
    of_claim = "FROM claims WHERE claims.id = instances.claim)"
    return (
        " known = CASE WHEN marked IS NULL THEN known ELSE 0 END,"
        " doubt_settings = CASE WHEN marked IS NULL THEN doubt_settings"
        "  WHEN doubt_until > :now AND (doubt_settings IS NULL OR doubt_settings <> marked) THEN NULL"
        "  ELSE marked END,"
        " doubt_until = CASE WHEN marked IS NULL THEN doubt_until"
        f"  ELSE {tx.greatest}(doubt_until, COALESCE((SELECT lease_until + grace {of_claim}, 0)) END,"
        " doubt_run = CASE WHEN marked IS NULL THEN doubt_run"
        f"  ELSE COALESCE((SELECT run {of_claim}, doubt_run) END,"
        " marked = NULL"
    )


def take(
    tx: Transaction, service: int, claim: int, now: float, taken: Mapping[str, int], rows: Mapping[str, Row]
) -> None:
    """Put instances under a claim; `taken` says which settings it wants for each, `rows` how they stand."""
    alike: dict[tuple[int, bool], list[str]] = {}
    for instance_id, settings in taken.items():
        alike.setdefault((settings, rows[instance_id].marked is not None), []).append(instance_id)
    for (settings, marked), ids in sorted(alike.items()):
        resolved = f"{resolve_marks(tx)}," if marked else ""
        tx.change(
            f"UPDATE instances SET{resolved} claim = :claim, wants = :settings,"
            " generation = generation + 1, claimed_generation = generation + 1"
            " WHERE service = :service AND instance_id {ids}",
            {"now": now, "claim": claim, "settings": settings, "service": service},
            ids=ids,
        )


def break_claims(tx: Transaction, claims: Collection[int | None]) -> None:
    """No heartbeat prolongs these any more: their runs have to claim anew what is left to them."""
    if claims:
        tx.change(f"UPDATE claims SET broken = 1 WHERE id IN ({numbers(claims)})")


def held_by(
    tx: Transaction, service: int, rows: Mapping[str, Row], verdicts: Mapping[str, Verdict], now: float
) -> dict[str, Held]:
    """Who holds the instances that are not free."""
    waiting = {instance_id: verdict for instance_id, verdict in verdicts.items() if verdict.until is not None}
    if not waiting:
        return {}
    runs = {
        instance_id: Run(run_id, user, host, job)
        for instance_id, run_id, user, host, job in tx.rows(
            "SELECT i.instance_id, r.run_id, r.user_name, r.host, r.job FROM instances i"
            " LEFT JOIN claims c ON c.id = i.claim"
            " JOIN runs r ON r.id = CASE WHEN i.marked IS NULL AND i.doubt_until > :now"
            "  THEN COALESCE(i.doubt_run, c.run) ELSE COALESCE(c.run, i.doubt_run) END"
            " WHERE i.service = :service AND i.instance_id {ids}",
            {"service": service, "now": now},
            ids=waiting,
        )
    }
    nobody = Run("that is no longer in the store")
    return {
        instance_id: Held(runs.get(instance_id, nobody), (verdict.until or now) - now, verdict.in_doubt)
        for instance_id, verdict in waiting.items()
    }


def release(tx: Transaction, service: int, claim: int, marked: Collection[str]) -> None:
    """Give a claim back; `marked` are those of its instances that may have a mark.

    Its number stays with the instances and means nothing any more: no claim ever gets it again.
    """
    if marked:
        tx.rows(
            "SELECT instance_id FROM instances WHERE service = :service AND claim = :claim AND instance_id {ids}"
            f" ORDER BY instance_id{tx.for_update}",
            {"service": service, "claim": claim},
            ids=marked,
        )
        tx.change(
            f"UPDATE instances SET{resolve_marks(tx)}, claim = NULL, wants = NULL"
            " WHERE service = :service AND claim = :claim AND instance_id {ids}",
            {"now": tx.lease_now(), "service": service, "claim": claim},
            ids=marked,
        )
    tx.change("DELETE FROM claims WHERE id = :claim", {"claim": claim})
