# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What a plan has to pass before the first request: `max_changed` and `approved_plan`. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.koophone.fleet.plugins.module_utils._limits import Portion
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Plan
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Reading


class RefusedError(Exception):
    """The plan was refused, before anything was sent."""


class Guard(NamedTuple):
    """The limits that the user set; None where they set none.

    `fleet_size` is how many instances a share in `max_changed` is of, where that is more than are named.
    """

    max_changed: Portion | None = None
    approved_plan: str | None = None
    fleet_size: int | None = None

    def check(self, plan: Plan, reading: Reading) -> None:
        """Raise `RefusedError` unless the plan, which was made of that reading, passes."""
        if not plan.changes:
            return
        self._check_max_changed(plan)
        approved = self.approved_plan
        if approved and approved != plan.digest and not _continues(plan, approved, reading):
            raise RefusedError(
                f"approved_plan is {approved}, but the plan is now {plan.digest}: {_moved(plan, approved, reading)}."
                f" {len(plan.changes)} instances are to be changed, {plan.unknown} of them unknown. Nothing was sent;"
                " look at the plan again and approve that"
            )

    def _check_max_changed(self, plan: Plan) -> None:
        if self.max_changed is None:
            return
        named, changes = len(plan.desired), len(plan.changes)
        fleet = max(named, self.fleet_size or 0)
        allowed = self.max_changed.at_most(fleet)
        if changes <= allowed:
            return
        message = (
            f"max_changed is {self.max_changed.text}, that is {allowed} of {fleet} instances,"
            f" but {changes} are to be changed, {plan.unknown} of them unknown. Nothing was sent"
        )
        if plan.unknown == changes == named:
            message += "; a fleet that was never applied needs max_changed: 100%"
        raise RefusedError(message)


def _continues(plan: Plan, approved: str, reading: Reading) -> bool:
    """Whether this is the rest of a run that had the approved plan, and nobody else changed what is left of it."""
    others = reading.changed_by_others(approved, plan.desired_digest)
    return others is not None and others.isdisjoint(plan.changes)


def _moved(plan: Plan, approved: str, reading: Reading) -> str:
    """What has changed since the approval, as far as that can be told."""
    if not plan.desires(approved):
        return "what is desired has changed since the approval"
    latest = "; ".join(reading.latest_changes())
    return "what was last applied has changed since the approval" + (f" (latest first: {latest})" if latest else "")
