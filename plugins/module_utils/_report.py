# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What a run returns: counts, the first ids, no more than is useful. Pure.

Its shape is the same in check mode and for real, and its size does not grow with the fleet.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._diff import diff_of, forgotten_diff
from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from ansible_collections.koophone.fleet.plugins.module_utils._outcome import Outcomes
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Plan
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Record
from ansible_collections.koophone.fleet.plugins.module_utils._wording import instances, utc

LISTED_AT_MOST = 100
# More groups than anybody reads would make the result larger than AWX keeps.
GROUPS_AT_MOST = 500


def predicted(plan: Plan) -> Outcomes:
    """What will become of the instances if nothing goes wrong: what check mode reports."""
    return Outcomes(changed=set(plan.changes), not_attempted=set(plan.deferred))


def report(plan: Plan, groups: Sequence[InstanceGroup], outcomes: Outcomes, *, check_mode: bool) -> dict[str, Any]:
    """The module's return values, without `msg`."""
    changed, failed = sorted(outcomes.changed), sorted(outcomes.failed)
    result: dict[str, Any] = {
        "changed": bool(changed),
        "check_mode": check_mode,
        "plan_digest": plan.digest,
        "requests": outcomes.requests,
        "ended_by": outcomes.ended_by,
        "summary": _counts(plan, plan.desired, outcomes),
        "instance_groups": [
            {"name": group.name, **_counts(plan, group.instance_ids, outcomes)}
            for group in sorted(groups, key=lambda group: group.name)[:GROUPS_AT_MOST]
        ],
        "instance_groups_total": len(groups),
        "changed_instances": changed[:LISTED_AT_MOST],
        "changed_instances_total": len(changed),
        "failed_instances": [_failed(plan, outcomes, instance_id) for instance_id in failed[:LISTED_AT_MOST]],
        "failed_instances_total": len(failed),
        "oldest_applied_at": None if (oldest := _oldest(plan)) is None else utc(oldest),
    }
    if diff := diff_of(plan, groups):
        result["diff"] = diff
    return result


def forgotten_report(applied: Sequence[Record], named: int, *, check_mode: bool) -> dict[str, Any]:
    """The return values of forgetting: `applied` are those whose last applied was known and is no more."""
    ids = [record.instance_id for record in applied]
    result: dict[str, Any] = {
        "changed": bool(ids),
        "check_mode": check_mode,
        "summary": {"instances": named, "changed": len(ids), "unchanged": named - len(ids)},
        "changed_instances": ids[:LISTED_AT_MOST],
        "changed_instances_total": len(ids),
    }
    if diff := forgotten_diff([record.last.settings for record in applied if record.last is not None]):
        result["diff"] = diff
    return result


def failure_message(outcomes: Outcomes) -> str | None:
    """Why the run failed, or None."""
    if not outcomes.failed and outcomes.ended_by is None:
        return None
    parts = []
    if outcomes.failed:
        causes: dict[str, int] = {}
        for failure in outcomes.failed.values():
            cause = f"{failure.error_code}, {failure.error_msg}" if failure.error_code else failure.error_msg
            causes[cause] = causes.get(cause, 0) + 1
        most = sorted(causes.items(), key=lambda item: (-item[1], item[0]))
        shown = "; ".join(f"{count} × {cause}" for cause, count in most[:3])
        if len(most) > 3:
            shown += f"; and {len(most) - 3} more causes"
        parts.append(f"{instances(len(outcomes.failed))} failed ({shown})")
    if outcomes.ended_by is not None:
        parts.append(f"the run ended early: {outcomes.ended_by}")
    if outcomes.not_attempted:
        parts.append(f"{instances(len(outcomes.not_attempted))} not attempted")
    parts.append(f"{instances(len(outcomes.changed))} changed")
    return ". ".join(part[0].upper() + part[1:] for part in parts) + ". Run again to apply the rest."


def _oldest(plan: Plan) -> float | None:
    """When the oldest of what is known of the instances was applied, in seconds since the epoch."""
    remembered = map(plan.memory.of, plan.desired)
    times = [last.applied_at for last in remembered if last.digest is not None and last.applied_at is not None]
    return min(times, default=None)


def _counts(plan: Plan, instance_ids: Collection[str], outcomes: Outcomes) -> dict[str, int]:
    changed = failed = unknown = not_attempted = 0
    for instance_id in instance_ids:
        changed += instance_id in outcomes.changed
        failed += instance_id in outcomes.failed
        not_attempted += instance_id in outcomes.not_attempted
        unknown += plan.last_applied.get(instance_id, plan.deferred.get(instance_id, "")) is None
    return {
        "instances": len(instance_ids),
        "changed": changed,
        "unchanged": len(instance_ids) - changed - failed - not_attempted,
        "failed": failed,
        "unknown": unknown,
        "not_attempted": not_attempted,
    }


def _failed(plan: Plan, outcomes: Outcomes, instance_id: str) -> dict[str, Any]:
    failure = outcomes.failed[instance_id]
    return {
        "instance_id": instance_id,
        "group": plan.desired[instance_id].groups[0],
        "http_status": failure.http_status,
        "error_code": failure.error_code,
        "error_msg": failure.error_msg,
        "request_id": failure.request_id,
    }
