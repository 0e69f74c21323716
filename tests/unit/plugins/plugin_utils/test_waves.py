# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waves: read, put together, and stopped."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.plugin_utils._waves import (
    after_wave,
    parse_max_failures,
    parse_waves,
)


@pytest.mark.parametrize(
    ("given", "waves"),
    [
        (None, []),
        ("", []),
        ([], []),
        (["1%", "10%", "100%"], ["1%", "10%", "100%"]),
        ("1%, 10%,100%", ["1%", "10%", "100%"]),
        ("[1%, 10%, 100%]", ["1%", "10%", "100%"]),
        ([5, "50", "100 %"], ["5", "50", "100 %"]),
        ("5", ["5"]),
        (["0.5%", "100%"], ["0.5%", "100%"]),
        ([5, "100%"], ["5", "100%"]),
        (5, ["5"]),
    ],
)
def test_waves_are_read_as_lists_and_as_texts(given: Any, waves: list[str]) -> None:
    mistakes: list[str] = []
    assert parse_waves(given, "w", mistakes) == waves
    assert mistakes == []


@pytest.mark.parametrize(
    ("given", "places"),
    [
        (["10%", "10%"], ["w"]),
        ([20, 10], ["w"]),
        (["10%", 5], ["w"]),
        ([5, "10%"], ["w"]),
        (["100%", "100%"], ["w"]),
        ([""], ["w[0]"]),
        (["101%"], ["w[0]"]),
        (["0%", "1%"], ["w[0]"]),
        ([1, True], ["w[1]"]),
        (["some", -1], ["w[0]", "w[1]"]),
        ({"a": 1}, ["w"]),
        ("many", ["w[0]"]),
    ],
)
def test_waves_that_make_no_sense_are_mistakes_with_their_place(given: Any, places: list[str]) -> None:
    mistakes: list[str] = []
    parse_waves(given, "w", mistakes)
    assert [mistake.partition(": ")[0] for mistake in mistakes] == places


@pytest.mark.parametrize(("given", "limit"), [(None, "0"), ("", "0"), (3, "3"), ("3", "3"), ("5%", "5%")])
def test_limit_of_failures_is_none_unless_given(given: Any, limit: str) -> None:
    mistakes: list[str] = []
    assert parse_max_failures(given, "m", mistakes) == limit
    assert mistakes == []


@pytest.mark.parametrize("given", ["few", True, 1.5, "-1", ["1"]])
def test_limit_of_failures_that_makes_no_sense_is_a_mistake(given: Any) -> None:
    mistakes: list[str] = []
    parse_max_failures(given, "m", mistakes)
    assert len(mistakes) == 1


def counts(changed: int, failed: int, left: int, unknown: int = 0) -> dict[str, int]:
    unchanged = 100 - changed - failed - left
    return {
        "instances": 100, "changed": changed, "unchanged": unchanged, "failed": failed, "unknown": unknown,
        "not_attempted": left,
    }  # fmt: skip


def result(changed: int, failed: int, left: int, unknown: int = 0, **values: Any) -> dict[str, Any]:
    """What the module returns for a wave of a fleet of one hundred instances in one group."""
    summary = counts(changed, failed, left, unknown)
    names = [f"i{number}" for number in range(changed)]
    return {
        "changed": changed > 0,
        "check_mode": False,
        "plan_digest": f"d{left}",
        "requests": 1,
        "ended_by": None,
        "summary": summary,
        "instance_groups": [{"name": "g", **summary}],
        "instance_groups_total": 1,
        "changed_instances": names,
        "changed_instances_total": changed,
        "failed_instances": [{"instance_id": f"bad{number}"} for number in range(failed)],
        "failed_instances_total": failed,
        "oldest_applied_at": None,
        "diff": [{"before": "a", "after": "b", "before_header": f"d{left}", "after_header": "g"}],
        **values,
    }


def test_results_of_waves_add_up_to_one() -> None:
    one = after_wave(None, "1%", result(1, 0, 99, unknown=40), "0")
    two = after_wave(one, "10%", result(8, 1, 90, unknown=39), "1")
    # What failed in the second wave is tried again in the third.
    three = after_wave(two, "100%", result(91, 0, 0, unknown=31), "0")
    assert [part["ended"] for part in (one, two, three)] == ["", "", "all is as desired"]
    assert three["summary"] == counts(100, 0, 0, unknown=40)
    assert three["instance_groups"] == [{"name": "g", **counts(100, 0, 0, unknown=40)}]
    assert three["plan_digest"] == "d99"
    assert three["requests"] == 3
    assert three["changed_instances_total"] == 100
    assert len(three["changed_instances"]) == 100
    assert [entry["before_header"] for entry in three["diff"]] == ["d99", "d90", "d0"]
    assert three["waves"] == [
        "wave 1%: 1 changed, 0 failed; 1 of 100 instances are as desired",
        "wave 10%: 8 changed, 1 failed; 9 of 100 instances are as desired",
        "wave 100%: 91 changed, 0 failed; 100 of 100 instances are as desired; all is as desired",
    ]


@pytest.mark.parametrize(
    ("changed", "failed", "limit", "stops"),
    [
        (10, 0, "0", False),
        (9, 1, "0", True),
        (9, 1, "1", False),
        (8, 2, "1", True),
        (19, 1, "5%", False),
        (18, 2, "5%", True),
        (0, 1, "50%", True),
        (0, 1, "100%", False),
        (0, 0, "0", False),
    ],
)
def test_too_many_failures_of_a_wave_stop_the_next(changed: int, failed: int, limit: str, stops: bool) -> None:
    ended = after_wave(None, "20%", result(changed, failed, 80), limit)["ended"]
    assert bool(ended) == stops
    if stops:
        assert f"{failed} of {changed + failed} instance" in ended
        assert f"video_setting_max_failures is {limit}" in ended


def test_run_that_ended_early_is_the_last_whatever_may_fail() -> None:
    merged = after_wave(None, "50%", result(10, 0, 90, ended_by="it was told to stop"), "100%")
    assert merged["ended"] == "the run ended early: it was told to stop"


def test_wave_that_was_refused_keeps_what_the_others_did() -> None:
    one = after_wave(None, "1%", result(1, 0, 99), "0")
    two = after_wave(one, "100%", {"failed": True, "msg": "refused"}, "0")
    assert two["ended"] == two["msg"] == "wave 100% did not begin: refused"
    assert two["summary"] == one["summary"]
    assert two["waves"] == [*one["waves"], two["msg"]]
    first = after_wave(None, "1%", {"failed": True, "msg": "refused", "mistakes": ["a: b"]}, "0")
    assert first["ended"]
    assert first["mistakes"] == ["a: b"]


def test_predictions_of_check_mode_are_not_added_up() -> None:
    one = after_wave(None, "1%", result(1, 0, 99, check_mode=True), "0")
    two = after_wave(one, "10%", result(10, 0, 90, check_mode=True), "0")
    assert two["summary"] == counts(10, 0, 90)
    assert two["waves"][1] == "wave 10%: 10 would change, 0 failed; 10 of 100 instances would be as desired"


def test_no_count_is_ever_below_nothing() -> None:
    # With max_age, what was applied early in a long run is applied again late in it.
    one = after_wave(None, "50%", result(50, 0, 50), "0")
    assert after_wave(one, "100%", result(80, 0, 0), "0")["summary"] == counts(100, 0, 0)


def test_differences_of_many_waves_stay_small() -> None:
    merged: dict[str, Any] | None = None
    for number in range(20):
        entry = {"before": "", "after": "x" * 20_000, "before_header": "g", "after_header": "g"}
        merged = after_wave(merged, f"{number + 1}", result(1, 0, 99 - number, diff=[entry]), "0")
    assert merged is not None
    assert len(str(merged["diff"])) <= 101_000
    shown = [entry for entry in merged["diff"] if "before" in entry]
    # One line, about all that is not shown.
    assert merged["diff"][len(shown) :] == [{"prepared": f"... and {20 - len(shown)} more differences\n"}]
