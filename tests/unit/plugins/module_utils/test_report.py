# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._errors import Fate, Kind, KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from ansible_collections.koophone.fleet.plugins.module_utils._memory import Memory
from ansible_collections.koophone.fleet.plugins.module_utils._outcome import Failure, Outcomes
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Options, Plan, desired_of, make_plan
from ansible_collections.koophone.fleet.plugins.module_utils._report import failure_message, predicted, report
from ansible_collections.koophone.fleet.tests.unit.plugins.module_utils.samples import group, memory, settings

FROZEN = Failure("an instance is frozen", 200, "KOOPHONE.API.2004", "request-1")
GROUPS = [group("two", ["c", "d", "b"]), group("one", ["a", "b", "e"])]
KNOWN = memory({"a": settings(), "b": settings(4000)})


def plan_of(groups: list[InstanceGroup], remembered: Memory | None = None) -> Plan:
    return make_plan("service", desired_of(groups), remembered or Memory(), Options())


def counts(instances: int, **others: int) -> dict[str, int]:
    names = ("changed", "unchanged", "failed", "unknown", "not_attempted")
    return {"instances": instances, **dict.fromkeys(names, 0), **others}


def test_every_instance_is_counted_once_by_what_became_of_it() -> None:
    outcomes = Outcomes({"b", "c"}, {"d": FROZEN}, {"e"}, requests=3)
    result = report(plan_of(GROUPS, KNOWN), GROUPS, outcomes, check_mode=False)
    assert result["changed"] is True
    assert result["check_mode"] is False
    assert result["requests"] == 3
    assert result["summary"] == counts(5, changed=2, unchanged=1, failed=1, unknown=3, not_attempted=1)
    assert result["instance_groups"] == [
        {"name": "one", **counts(3, changed=1, unchanged=1, unknown=1, not_attempted=1)},
        {"name": "two", **counts(3, changed=2, failed=1, unknown=2)},
    ]
    assert result["changed_instances"] == ["b", "c"]
    assert result["changed_instances_total"] == 2
    assert result["failed_instances"] == [
        {
            "instance_id": "d",
            "group": "two",
            "http_status": 200,
            "error_code": "KOOPHONE.API.2004",
            "error_msg": "an instance is frozen",
            "request_id": "request-1",
        }
    ]
    assert result["failed_instances_total"] == 1


def test_check_mode_reports_what_the_run_that_follows_reports_when_all_goes_well() -> None:
    plan = plan_of(GROUPS, KNOWN)
    foretold = report(plan, GROUPS, predicted(plan), check_mode=True)
    done = report(plan, GROUPS, Outcomes(changed=set("bcde"), requests=1), check_mode=False)
    assert foretold["requests"] == 0
    for name in set(foretold) - {"check_mode", "requests"}:
        assert foretold[name] == done[name], name
    assert set(foretold) == set(done)


def test_nothing_to_change_is_reported_as_unchanged_and_without_diff() -> None:
    plan = plan_of([group("g", "a")], memory({"a": settings()}))
    result = report(plan, [group("g", "a")], predicted(plan), check_mode=True)
    assert result["changed"] is False
    assert result["summary"] == counts(1, unchanged=1)
    assert "diff" not in result


def test_changed_is_true_only_if_something_was_applied() -> None:
    plan = plan_of(GROUPS)
    failed = Outcomes(failed=dict.fromkeys("abcde", FROZEN))
    assert report(plan, GROUPS, failed, check_mode=False)["changed"] is False
    assert report(plan, GROUPS, Outcomes(changed={"a"}), check_mode=False)["changed"] is True


def test_lists_hold_the_first_hundred_ids_and_the_totals_count_all() -> None:
    ids = [f"i{number:03}" for number in range(300)]
    groups = [group("g", ids[::-1])]
    outcomes = Outcomes(set(ids[:150]), dict.fromkeys(ids[150:], FROZEN))
    result = report(plan_of(groups), groups, outcomes, check_mode=False)
    assert result["changed_instances"] == ids[:100]
    assert result["changed_instances_total"] == 150
    assert [one["instance_id"] for one in result["failed_instances"]] == ids[150:250]
    assert result["failed_instances_total"] == 150


@pytest.mark.parametrize("fails", [False, True])
def test_report_stays_small_at_twenty_thousand_instances_in_five_hundred_groups(fails: bool) -> None:
    groups = [
        group(
            f"Ladengeschäft Nummer {n:03}", [f"{n:03}-{i:028}" for i in range(40)], None, settings(100 + 100 * (n % 90))
        )
        for n in range(500)
    ]
    plan = plan_of(groups)
    long = Failure("the worst that there is: " + "ä" * 200, 500, "KOOPHONE.API.9999", "r" * 36)
    outcomes = Outcomes(failed=dict.fromkeys(plan.changes, long)) if fails else predicted(plan)
    result = report(plan, groups, outcomes, check_mode=False)
    assert len(json.dumps({**result, "msg": failure_message(outcomes)})) < 300_000


def test_failure_of_an_error_tells_meaning_message_and_where_to_look() -> None:
    error = KooPhoneError(
        method="PUT",
        url="https://koophone.example.com",
        request_id="request-1",
        meaning="an instance is frozen",
        kind=Kind.INSTANCE,
        fate=Fate.ENDED,
        http_status=200,
        error_code="KOOPHONE.API.2004",
        error_msg="Frozen.",
    )
    assert Failure.of(error) == Failure("an instance is frozen: Frozen.", 200, "KOOPHONE.API.2004", "request-1")


def test_run_without_failure_has_no_message() -> None:
    assert failure_message(Outcomes(changed={"a"}, requests=1)) is None
    assert failure_message(Outcomes()) is None


def test_message_tells_how_many_failed_and_why() -> None:
    outcomes = Outcomes(
        changed={"a"},
        failed={"b": FROZEN, "c": FROZEN, "d": Failure("no connection: Connection refused")},
        not_attempted={"e", "f"},
    )
    assert failure_message(outcomes) == (
        "3 instances failed (2 × KOOPHONE.API.2004, an instance is frozen; 1 × no connection: Connection refused)."
        " 2 instances not attempted. 1 instance changed. Run again to apply the rest."
    )


def test_message_tells_why_a_run_ended_early() -> None:
    outcomes = Outcomes(not_attempted={"a"}, ended_by="the token has expired")
    assert failure_message(outcomes) == (
        "The run ended early: the token has expired. 1 instance not attempted. 0 instances changed."
        " Run again to apply the rest."
    )


def test_three_causes_are_all_told_and_equally_frequent_ones_by_name() -> None:
    message = failure_message(Outcomes(failed={"a": Failure("z"), "b": Failure("x"), "c": Failure("y")}))
    assert message is not None
    assert "3 instances failed (1 × x; 1 × y; 1 × z)." in message


def test_of_many_causes_the_most_frequent_are_told() -> None:
    failed = {f"{cause}-{n}": Failure(f"cause {cause}") for cause in range(50) for n in range(50 - cause)}
    message = failure_message(Outcomes(failed=failed))
    assert message is not None
    assert "(50 × cause 0; 49 × cause 1; 48 × cause 2; and 47 more causes)" in message
