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


class NewClaim:
    """A claim in the making, inside a transaction."""

    def __init__(self, tx: Transaction, service: int, run: int) -> None:
        self._tx = tx
        self._service = service
        self._run = run
        self._key: int | None = None
        #: Instances that the store had nothing of before: nobody else can have to do with them.
        self.added: set[str] = set()

    @property
    def key(self) -> int:
        """Its number, which nothing else ever had; it lasts no time yet."""
        if self._key is None:
            self._key = self._tx.insert(
                "INSERT INTO claims (run, lease_until, grace, broken) VALUES (:run, 0, 0, 0)", {"run": self._run}
            )
        return self._key

    def lock(self, wanted: Mapping[str, int]) -> dict[str, Row]:
        """The rows of the instances, held still until the transaction ends; `wanted` has the settings of each.

        A row that is not there yet is made, and is under this claim at once: to write it once is half the work.
        """
        rows = self._locked(wanted)
        lacking = {instance_id: wanted[instance_id] for instance_id in sorted(wanted.keys() - rows.keys())}
        if lacking:
            made = self._tx.add_instances(self._service, self.key, lacking)
            if made == len(lacking):
                rows.update((instance_id, Row(self.key, wants)) for instance_id, wants in lacking.items())
            else:
                # Another run was faster with some of them.
                rows.update(self._locked(lacking))
            self.added.update(instance_id for instance_id in lacking if rows[instance_id].claim == self.key)
        return rows

    def take(self, taken: Mapping[str, int], rows: Mapping[str, Row], *, now: float, lease: float, grace: float) -> int:
        """Put instances under the claim, and let it begin; returns its number.

        `taken` says which settings it wants for each, `rows` how they stand; times are in seconds.
        """
        self._tx.change(
            "UPDATE claims SET lease_until = :until, grace = :grace WHERE id = :claim",
            {"until": now + lease, "grace": grace, "claim": self.key},
        )
        alike: dict[tuple[int, bool], list[str]] = {}
        for instance_id, wants in taken.items():
            row = rows[instance_id]
            if (row.claim, row.wants) != (self.key, wants):
                alike.setdefault((wants, row.marked is not None), []).append(instance_id)
        for (wants, marked), ids in sorted(alike.items()):
            resolved = f"{resolve_marks(self._tx)}," if marked else ""
            self._tx.change(
                f"UPDATE instances SET{resolved} claim = :claim, wants = :wants,"
                " generation = generation + 1, claimed_generation = generation + 1"
                " WHERE service = :service AND instance_id {ids}",
                {"now": now, "claim": self.key, "wants": wants, "service": self._service},
                ids=ids,
            )
        # Made for a choice that was changed since.
        spare = self.added.difference(taken)
        if spare:
            self._tx.change(
                "UPDATE instances SET claim = NULL, wants = NULL WHERE service = :service AND instance_id {ids}",
                {"service": self._service},
                ids=spare,
            )
        return self.key

    def drop(self) -> None:
        """There is nothing to claim."""
        if self._key is not None:
            self._tx.change("DELETE FROM claims WHERE id = :claim", {"claim": self._key})

    def _locked(self, instance_ids: Collection[str]) -> dict[str, Row]:
        return {
            row[0]: Row(*row[1:])
            for row in self._tx.rows(
                "SELECT instance_id, claim, wants, marked, doubt_settings, doubt_until FROM instances"
                f" WHERE service = :service AND instance_id {{ids}} ORDER BY instance_id{self._tx.for_update}",
                {"service": self._service},
                ids=instance_ids,
            )
        }


def lock_holders(tx: Transaction, rows: Iterable[Row]) -> dict[int, Holder]:
    """The claims that the instances are under, held still: a heartbeat must not prolong one while it is judged."""
    # Most instances still have the number of a claim that was given back long ago, each perhaps another one.
    keys = {row.claim for row in rows}.intersection(key for (key,) in tx.rows("SELECT id FROM claims"))
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
