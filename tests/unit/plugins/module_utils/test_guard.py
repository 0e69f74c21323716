# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._guard import Guard, RefusedError
from ansible_collections.koophone.fleet.plugins.module_utils._limits import parse_portion
from ansible_collections.koophone.fleet.plugins.module_utils._memory import Memory
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Options, Plan, desired_of, make_plan
from ansible_collections.koophone.fleet.tests.unit.plugins.module_utils.samples import group, memory, settings

IDS = [f"i{number}" for number in range(10)]


def plan_of(changes: int, unknown: int = 0) -> Plan:
    """Ten instances: so many to be changed, of which so many are unknown."""
    known = {instance_id: settings() for instance_id in IDS[changes:]}
    known.update({instance_id: settings(4000) for instance_id in IDS[unknown:changes]})
    return make_plan("service", desired_of([group("g", IDS)]), memory(known), Options())


def limit(text: str | None) -> Guard:
    return Guard(max_changed=None if text is None else parse_portion(text, "max_changed", []))


@dataclass
class Read:
    """What the guard asks of a reading."""

    others: set[str] | None = None
    latest: Sequence[str] = ()
    asked: list[tuple[str, str]] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)

    def changed_by_others(self, approved_plan: str, desired_digest: str) -> set[str] | None:
        self.asked.append((approved_plan, desired_digest))
        return self.others

    def latest_changes(self) -> Sequence[str]:
        return self.latest


class NotAsked(Read):
    """Nobody needs to know."""

    def changed_by_others(self, approved_plan: str, desired_digest: str) -> set[str] | None:
        raise AssertionError("nobody needs to know")


not_asked = NotAsked()
no_run = Read()


@pytest.mark.parametrize(
    ("text", "changes"), [(None, 10), ("10", 10), ("3", 3), ("0", 0), ("30%", 3), ("100%", 10), ("0%", 0), ("39%", 3)]
)
def test_plan_within_max_changed_passes(text: str | None, changes: int) -> None:
    limit(text).check(plan_of(changes), not_asked)


@pytest.mark.parametrize(
    ("text", "changes", "allowed"), [("9", 10, 9), ("2", 3, 2), ("0", 1, 0), ("20%", 3, 2), ("9%", 1, 0), ("0%", 1, 0)]
)
def test_plan_beyond_max_changed_is_refused_with_the_figures(text: str, changes: int, allowed: int) -> None:
    with pytest.raises(RefusedError) as caught:
        limit(text).check(plan_of(changes, unknown=1), not_asked)
    message = str(caught.value)
    assert f"max_changed is {text}, that is {allowed} of 10 instances" in message
    assert f"{changes} are to be changed, 1 of them unknown" in message
    assert "Nothing was sent" in message


def test_refusal_tells_how_to_begin_with_a_fleet_that_was_never_applied() -> None:
    with pytest.raises(RefusedError, match="a fleet that was never applied needs max_changed: 100%"):
        limit("20%").check(plan_of(10, unknown=10), not_asked)
    with pytest.raises(RefusedError) as caught:
        limit("20%").check(plan_of(10, unknown=9), not_asked)
    assert "never applied" not in str(caught.value)


@pytest.mark.parametrize(("fleet", "passes"), [(None, False), (5, False), (30, True), (29, False)])
def test_share_is_of_the_whole_fleet_where_that_is_larger_than_what_is_named(fleet: int | None, passes: bool) -> None:
    guard = Guard(max_changed=parse_portion("10%", "max_changed", []), fleet_size=fleet)
    if passes:
        guard.check(plan_of(3), not_asked)
        return
    with pytest.raises(RefusedError, match=f"of {max(10, fleet or 0)} instances"):
        guard.check(plan_of(3), not_asked)


def test_approved_plan_passes() -> None:
    plan = plan_of(3)
    Guard(approved_plan=plan.digest).check(plan, not_asked)


def test_empty_plan_needs_no_approval() -> None:
    Guard(approved_plan="another").check(plan_of(0), not_asked)
    Guard(approved_plan="another").check(make_plan("service", {}, Memory(), Options()), not_asked)


@pytest.mark.parametrize("approved", [None, ""])
def test_no_approval_is_needed_where_none_is_asked_for(approved: str | None) -> None:
    Guard(approved_plan=approved).check(plan_of(3), not_asked)


def test_other_plan_than_the_approved_one_is_refused_and_named() -> None:
    plan, approved = plan_of(3, unknown=2), plan_of(4).digest
    with pytest.raises(RefusedError) as caught:
        Guard(approved_plan=approved).check(plan, no_run)
    message = str(caught.value)
    assert approved in message
    assert plan.digest in message
    assert "3 instances are to be changed, 2 of them unknown" in message
    assert "Nothing was sent" in message


def test_continuation_of_the_approved_run_passes() -> None:
    plan, reading = plan_of(3), Read(others=set())
    Guard(approved_plan="approved").check(plan, reading)
    assert reading.asked == [("approved", plan.desired_digest)]
    # What others made right is none of what is left.
    Guard(approved_plan="approved").check(plan, Read(others={"i3", "i9"}))
    with pytest.raises(RefusedError):
        Guard(approved_plan="approved").check(plan, Read(others={"i2", "i9"}))


def test_refusal_tells_what_has_changed_since_the_approval() -> None:
    plan, other = plan_of(3), make_plan("service", desired_of([group("g", IDS[1:])]), Memory(), Options())
    with pytest.raises(RefusedError, match="what is desired has changed since the approval"):
        Guard(approved_plan=other.digest).check(plan, no_run)
    with pytest.raises(RefusedError, match=r"what was last applied has changed since the approval\."):
        Guard(approved_plan=plan_of(4).digest).check(plan, no_run)
    with pytest.raises(RefusedError, match=r"since the approval \(latest first: run r1 did it; run r0 too\)"):
        Guard(approved_plan=plan_of(4).digest).check(plan, Read(latest=["run r1 did it", "run r0 too"]))


def test_an_approved_plan_still_has_to_keep_within_max_changed() -> None:
    plan = plan_of(3)
    guard = Guard(max_changed=parse_portion("2", "max_changed", []), approved_plan=plan.digest)
    with pytest.raises(RefusedError, match="max_changed"):
        guard.check(plan, no_run)
