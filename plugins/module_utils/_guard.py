# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What a plan has to pass before the first request: `max_changed` and `approved_plan`. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.koophone.fleet.plugins.module_utils._limits import MaxChanged
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Plan


class RefusedError(Exception):
    """The plan was refused, before anything was sent."""


@dataclass(frozen=True)
class Guard:
    """The limits that the user set; None where they set none."""

    max_changed: MaxChanged | None = None
    approved_plan: str | None = None

    def check(self, plan: Plan, continues: Callable[[str, str], bool]) -> None:
        """Raise `RefusedError` unless the plan passes.

        `continues` tells of an approved digest and a desired digest whether a run with them is to be continued.
        """
        if not plan.changes:
            return
        self._check_max_changed(plan)
        approved = self.approved_plan
        if approved and approved != plan.digest and not continues(approved, plan.desired_digest):
            raise RefusedError(
                f"approved_plan is {approved}, but the plan is now {plan.digest}: what is desired, or what was last"
                f" applied, has changed since the approval. {len(plan.changes)} instances are to be changed,"
                f" {plan.unknown} of them unknown. Nothing was sent; look at the plan again and approve that"
            )

    def _check_max_changed(self, plan: Plan) -> None:
        if self.max_changed is None:
            return
        instances, changes = len(plan.desired), len(plan.changes)
        allowed = self.max_changed.allowed(instances)
        if changes <= allowed:
            return
        message = (
            f"max_changed is {self.max_changed.text}, that is {allowed} of {instances} instances,"
            f" but {changes} are to be changed, {plan.unknown} of them unknown. Nothing was sent"
        )
        if plan.unknown == changes == instances:
            message += "; a fleet that was never applied needs max_changed: 100%"
        raise RefusedError(message)
