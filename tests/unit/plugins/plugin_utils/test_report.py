# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome in words."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.plugin_utils._report import report

GIVEN = {"mistakes": [], "hosts": 4, "hosts_without_id": 0, "may_be_empty": False}
NONE = {"instances": 0, "changed": 0, "unchanged": 0, "failed": 0, "unknown": 0, "not_attempted": 0}
DIFF = [
    {
        "before_header": "kiosks (2 instances)",
        "after_header": "kiosks (2 instances)",
        "before": "WIFI H265 720P: 4000 kbit/s, 60 fps\n",
        "after": "WIFI H265 720P: 5000 kbit/s, 60 fps\n",
    }
]


def result(**values: Any) -> dict[str, Any]:
    summary = {**NONE, "instances": 3, "changed": 2, "unchanged": 1}
    groups = [
        {"name": "kiosks", **NONE, "instances": 2, "changed": 2},
        {"name": "x", **NONE, "instances": 1, "unchanged": 1},
    ]
    return {"changed": True, "check_mode": False, "requests": 1, "summary": summary, "instance_groups": groups} | values


def test_success() -> None:
    assert report(result(), GIVEN, False) == {
        "lines": [
            "3 instances in 2 groups: 2 changed, 1 unchanged, 0 failed; 1 request sent",
            "  kiosks: 2 instances, 2 changed",
            "  x: 1 instance, 1 unchanged",
        ],
        "failed": False,
        "drifted": False,
        "stats": {},
    }


def test_check_mode() -> None:
    outcome = report(
        result(check_mode=True, requests=0, plan_digest="d1"), {**GIVEN, "hosts_without_id": 1, "mistakes": []}, True
    )
    assert outcome["lines"] == [
        "3 instances in 2 groups: 2 would change, 1 unchanged, 0 failed; check mode, nothing sent",
        "  kiosks: 2 instances, 2 would change",
        "  x: 1 instance, 1 unchanged",
        "1 host without koophone_instance_id left out",
        "plan digest: d1",
    ]
    assert not outcome["failed"]


@pytest.mark.parametrize(
    ("diff_mode", "changed", "shown"),
    [(False, True, True), (False, False, True), (True, True, False), (True, False, True)],
)
def test_failure_shows_the_differences_unless_ansible_did(diff_mode: bool, changed: bool, shown: bool) -> None:
    failed = {"instance_id": "i1", "group": "kiosks", "http_status": 400, "error_code": "KOOPHONE.API.4001"}
    failed |= {"error_msg": "the instance does not exist", "request_id": "r1"}
    outcome = report(
        result(
            changed=changed,
            msg="1 of 3 instances failed",
            summary={**NONE, "instances": 3, "failed": 1, "changed": 1, "not_attempted": 1},
            instance_groups=[],
            failed_instances=[failed],
            failed_instances_total=1,
            diff=DIFF,
        ),
        GIVEN,
        diff_mode,
    )
    differences = [
        "--- kiosks (2 instances)",
        "+++ kiosks (2 instances)",
        "-WIFI H265 720P: 4000 kbit/s, 60 fps",
        "+WIFI H265 720P: 5000 kbit/s, 60 fps",
    ]
    assert outcome == {
        "lines": [
            "3 instances in 0 groups: 1 changed, 0 unchanged, 1 failed, 1 not attempted; 1 request sent",
            "failed: i1 in kiosks: HTTP 400 KOOPHONE.API.4001 the instance does not exist (request r1)",
            *(differences if shown else []),
            "1 of 3 instances failed",
        ],
        "failed": True,
        "drifted": False,
        "stats": {},
    }


def test_much_is_cut_short() -> None:
    failed = [{"instance_id": f"i{number}", "group": "g"} for number in range(100)]
    groups = [{"name": f"g{number}", **NONE} for number in range(30)]
    long = {"before": "", "after": "".join(f"line {number}\n" for number in range(500))}
    outcome = report(
        result(instance_groups=groups, msg="bad", failed_instances=failed, failed_instances_total=250, diff=long),
        GIVEN,
        False,
    )
    assert "  and 10 more groups" in outcome["lines"]
    assert "failed: 230 more" in outcome["lines"]
    assert outcome["lines"][-2:] == ["and 302 more lines of differences", "bad"]


@pytest.mark.parametrize(
    ("of_module", "of_filter"),
    [({"skipped": True}, ["a: b", "c: d"]), ({"msg": "m", "mistakes": ["a: b", "c: d"]}, [])],
)
def test_mistakes(of_module: dict[str, Any], of_filter: list[str]) -> None:
    assert report(of_module, {**GIVEN, "mistakes": of_filter}, True) == {
        "lines": ["2 mistakes in the variables; nothing was sent:", "a: b", "c: d"],
        "failed": True,
        "drifted": False,
        "stats": {},
    }


def test_a_module_that_broke_down() -> None:
    for returned, message in (({"msg": "MODULE FAILURE"}, "MODULE FAILURE"), ({}, "the module returned no summary")):
        outcome = report(returned, GIVEN, False)
        assert outcome["failed"]
        assert outcome["lines"] == [message]


def test_a_file_without_an_instance_is_no_instance() -> None:
    empty = result(summary=NONE, instance_groups=[], requests=0, changed=False)
    outcome = report(empty, GIVEN, False)
    assert outcome["failed"]
    assert "no instance" in outcome["lines"][-1]
    assert not report(empty, {**GIVEN, "may_be_empty": True}, False)["failed"]


@pytest.mark.parametrize(
    ("purpose", "published"),
    [
        ("apply", {}),
        (
            "plan",
            {
                "video_setting_approved_plan": "d1",
                "video_setting_plan": {
                    "instances": 3, "changed": 2, "unchanged": 1, "unknown": 1, "not_attempted": 0,
                },
            },
        ),
        (
            "drift",
            {"video_setting_drift": {"instances": 3, "differing": 1, "unknown": 1, "oldest_applied_at": "then"}},
        ),
    ],
)  # fmt: skip
def test_what_the_next_job_is_to_know_is_published(purpose: str, published: dict[str, Any]) -> None:
    summary = {**NONE, "instances": 3, "changed": 2, "unchanged": 1, "unknown": 1}
    looked = result(check_mode=True, plan_digest="d1", oldest_applied_at="then", summary=summary)
    given = {**GIVEN, "purpose": purpose, "part": ""}
    assert report(looked, given, True)["stats"] == published
    # Nothing of a part, nor of what failed.
    assert report(looked, {**given, "part": "a batch"}, True)["stats"] == {}
    assert report({**looked, "msg": "bad"}, given, True)["stats"] == {}


@pytest.mark.parametrize(
    ("changed", "demanded", "drifted"), [(2, True, True), (2, False, False), (0, True, False), (0, False, False)]
)
def test_drift_is_a_failure_on_demand_alone(changed: int, demanded: bool, drifted: bool) -> None:
    summary = {**NONE, "instances": 3, "changed": changed}
    looked = result(check_mode=True, summary=summary, oldest_applied_at=None)
    outcome = report(looked, {**GIVEN, "purpose": "drift", "part": "", "fail_on_drift": demanded}, True)
    assert (outcome["drifted"], outcome["failed"]) == (drifted, False)
    assert outcome["lines"][-1].startswith(f"drift: {changed} differ from what is desired, 0 are unknown; nothing is")
