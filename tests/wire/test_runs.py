# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs on the wire: what reaches the API, and that the state store never claims what is not so."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._auth import Credentials
from ansible_collections.koophone.fleet.plugins.module_utils._memory import Memory
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Options, desired_of, make_plan
from tests.support.fleets import A, B, Fleet, ids_of

# --- the least number of requests ------------------------------------------------------------------------------------


def test_370_instances_in_two_groups_and_30_in_a_third_need_5_requests_and_then_none(fleet: Fleet) -> None:
    groups = [fleet.group("one", 200, A), fleet.group("two", 170, A), fleet.group("three", 30, B)]
    outcomes = fleet.run(*groups).outcomes
    assert outcomes.requests == fleet.emulator.count() == 5
    assert outcomes.changed == ids_of(*groups)
    assert (outcomes.failed, outcomes.not_attempted, outcomes.ended_by) == ({}, set(), None)
    assert {request["http_status"] for request in fleet.requests()} == {200}
    assert sorted(len(request["instance_ids"]) for request in fleet.requests()) == [30, 70, 100, 100, 100]
    assert fleet.known(*groups) == {i: group.settings for group in groups for i in group.instance_ids}

    again = fleet.run(*groups).outcomes
    assert fleet.emulator.count() == 5
    assert (again.requests, again.changed, again.failed) == (0, set(), {})


def test_regions_never_share_a_request(fleet: Fleet) -> None:
    groups = [fleet.group("north", 120, A, "cn-north-4"), fleet.group("south", 30, A, "cn-south-1")]
    outcomes = fleet.run(*groups).outcomes
    assert outcomes.requests == fleet.emulator.count() == 3
    assert outcomes.changed == ids_of(*groups)


def test_only_what_differs_is_sent(fleet: Fleet) -> None:
    group = fleet.group("g", 250, A)
    fleet.run(group)
    fleet.emulator.reset()
    fleet.emulator.add(group.instance_ids, region="cn-north-4")
    smaller = fleet.group("g", 10, B, add=False)
    outcomes = fleet.run(smaller, fleet.group("new", 5, B)).outcomes
    assert outcomes.requests == 1
    (request,) = fleet.requests()
    assert (
        set(request["instance_ids"]) == outcomes.changed == {*smaller.instance_ids, *(f"new-{n:04}" for n in range(5))}
    )


def test_force_sends_what_is_right_already(fleet: Fleet) -> None:
    group = fleet.group("g", 150, A)
    fleet.run(group)
    assert fleet.run(group, force=True).outcomes.requests == 2
    assert fleet.emulator.count() == 4


def test_service_keeps_memories_apart(fleet: Fleet) -> None:
    group = fleet.group("g", 10, A)
    fleet.run(group)
    fleet.service = "another"
    assert fleet.run(group).outcomes.requests == 1


@pytest.mark.parametrize("concurrency", [1, 3, 32])
def test_no_more_requests_are_in_flight_than_allowed(fleet: Fleet, concurrency: int) -> None:
    group = fleet.group("g", 40, A)
    fleet.emulator.config(latency=0.02)
    fleet.run(group, batch_size=1, concurrency=concurrency)
    requests = fleet.requests()
    assert len(requests) == 40
    most = max(
        sum(other["received_at"] <= one["received_at"] < other["finished_at"] for other in requests) for one in requests
    )
    assert most <= concurrency
    assert concurrency == 1 or most > 1


# --- bad instances ---------------------------------------------------------------------------------------------------

BAD = [
    ("missing", "KOOPHONE.API.4001", 404),
    ("foreign", "KOOPHONE.API.1012", 200),
    ("forbidden", "KOOPHONE.API.1001", 401),
    ("frozen", "KOOPHONE.API.2004", 200),
    ("no_device", "KPAPI.2209", 400),
]


@pytest.mark.parametrize("on_refusal", ["none", "others", "random"])
@pytest.mark.parametrize(("kind", "code", "status"), BAD)
def test_one_bad_instance_is_found_and_named_and_the_others_are_applied(
    fleet: Fleet, kind: str, code: str, status: int, on_refusal: str
) -> None:
    group = fleet.group("g", 100, A)
    bad = group.instance_ids[37]
    fleet.emulator.add([bad], kind=kind)
    fleet.emulator.config(on_refusal=on_refusal)
    outcomes = fleet.run(group).outcomes
    assert outcomes.changed == ids_of(group) - {bad}
    assert set(outcomes.failed) == {bad}
    failure = outcomes.failed[bad]
    assert (failure.error_code, failure.http_status) == (code, status)
    assert failure.request_id == next(r["request_id"] for r in fleet.requests()[::-1] if r["instance_ids"] == [bad])
    assert outcomes.requests == fleet.emulator.count() <= 15
    assert set(fleet.known(group)) == ids_of(group) - {bad}
    assert fleet.emulator.conflicts() == []
    assert outcomes.ended_by is None


def test_several_bad_instances_of_different_kinds_are_each_named(fleet: Fleet) -> None:
    group = fleet.group("g", 250, A)
    bad = dict(zip((0, 99, 100, 149, 249), BAD, strict=True))
    for number, (kind, _code, _status) in bad.items():
        fleet.emulator.add([group.instance_ids[number]], kind=kind)
    outcomes = fleet.run(group).outcomes
    named = {instance_id: failure.error_code for instance_id, failure in outcomes.failed.items()}
    assert named == {group.instance_ids[number]: code for number, (_kind, code, _status) in bad.items()}
    assert outcomes.changed == set(fleet.known(group)) == ids_of(group) - set(named)


def test_a_fleet_of_bad_instances_fails_each_by_itself(fleet: Fleet) -> None:
    group = fleet.group("g", 12, A)
    fleet.emulator.add(group.instance_ids, kind="missing")
    outcomes = fleet.run(group).outcomes
    assert set(outcomes.failed) == ids_of(group)
    assert outcomes.changed == set()
    assert fleet.known(group) == {}


@pytest.mark.parametrize("kind", ["restoring", "backing_up"])
def test_instance_whose_trouble_passes_is_waited_for(fleet: Fleet, kind: str) -> None:
    group = fleet.group("g", 20, A)
    fleet.emulator.add([group.instance_ids[3]], kind=kind, passes_after=8)
    outcomes = fleet.run(group, retries=10).outcomes
    assert outcomes.changed == set(fleet.known(group)) == ids_of(group)


@pytest.mark.parametrize(("kind", "code"), [("restoring", "KOOPHONE.API.2005"), ("backing_up", "KOOPHONE.API.2006")])
def test_instance_whose_trouble_lasts_fails_alone(fleet: Fleet, kind: str, code: str) -> None:
    group = fleet.group("g", 20, A)
    bad = group.instance_ids[3]
    fleet.emulator.add([bad], kind=kind)
    outcomes = fleet.run(group, retries=2).outcomes
    assert {i: failure.error_code for i, failure in outcomes.failed.items()} == {bad: code}
    assert outcomes.changed == set(fleet.known(group)) == ids_of(group) - {bad}


def test_instances_of_unknown_regions_are_sorted_out(fleet: Fleet) -> None:
    north, south = fleet.group("north", 6, A, "cn-north-4"), fleet.group("south", 5, A, "cn-south-1")
    mixed = [
        fleet.group("north", 6, A, None, add=False),
        fleet.group("south", 5, A, None, add=False),
    ]
    outcomes = fleet.run(*mixed).outcomes
    assert outcomes.failed == {}
    assert outcomes.changed == set(fleet.known(*mixed)) == ids_of(north, south)


def test_request_that_is_refused_as_a_whole_does_not_hold_up_the_others(fleet: Fleet) -> None:
    group = fleet.group("g", 50, A)
    bad = group.instance_ids[25]
    fleet.emulator.fault("error", http_status=400, error_code="KOOPHONE.API.1000", ids=[bad], times=None)
    outcomes = fleet.run(group, batch_size=10).outcomes
    assert len(outcomes.failed) == 10
    assert bad in outcomes.failed
    assert outcomes.changed == set(fleet.known(group)) == ids_of(group) - set(outcomes.failed)
    assert outcomes.requests == 5


# --- trouble on the way ----------------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "500 before the effect": ("error", {}),
    "500 after the effect": ("error", {"effect": "full"}),
    "500 with half an effect": ("error", {"effect": "partial"}),
    "503 of the gateway": ("error", {"http_status": 503, "error_code": "APIG.0203", "effect": "full"}),
    "page of a proxy": ("html", {"effect": "none"}),
    "page of a proxy after the effect": ("html", {"effect": "partial"}),
    "dropped before the effect": ("drop", {}),
    "dropped after the effect": ("drop", {"effect": "full"}),
    "dropped after half an effect": ("drop", {"effect": "partial"}),
    "server error without a body": ("empty", {"http_status": 500, "effect": "partial"}),
    "time-out": ("late", {"seconds": 0, "then": "hang", "effect": "full"}),
    "time-out before half an effect": ("late", {"seconds": 1.1, "then": "hang", "effect": "partial"}),
    "answer that drips": ("drip", {"seconds_per_byte": 0.04}),
    "throttled": ("throttle", {"retry_after": 0}),
}
FINAL: dict[str, tuple[str, dict[str, Any]]] = {
    "success without a body": ("empty", {"effect": "full"}),
    "success that is a page": ("html", {"http_status": 200, "effect": "partial"}),
    "success that is cut off": ("text", {"body": '{"error_code": "0"', "effect": "full"}),
    "success without a code": ("text", {"body": "{}", "effect": "partial"}),
    "success that never ends": ("huge", {"bytes": 20_000_000, "effect": "partial"}),
    "unknown code": ("error", {"http_status": 400, "error_code": "KOOPHONE.API.8888", "effect": "partial"}),
    "unknown code with status 200": (
        "error",
        {"http_status": 200, "error_code": "KOOPHONE.API.8888", "effect": "full"},
    ),
}


def timeout_for(kind: str) -> float:
    """Short for the faults that end by it, and never in the way of the others."""
    return 1.0 if kind in ("late", "drip") else 30.0


@pytest.mark.parametrize(("kind", "fields"), FAULTS.values(), ids=FAULTS.keys())
def test_trouble_that_passes_is_retried_until_all_is_applied(fleet: Fleet, kind: str, fields: dict[str, Any]) -> None:
    group = fleet.group("g", 30, A)
    fleet.run(group)
    wanted = fleet.group("g", 30, B, add=False)
    fleet.emulator.fault(kind, **fields, times=2)
    outcomes = fleet.run(wanted, batch_size=10, timeout=timeout_for(kind), retries=3).outcomes
    assert outcomes.failed == {}
    assert outcomes.changed == ids_of(wanted)
    assert outcomes.requests == fleet.emulator.count() - 1 == 5
    assert fleet.known(wanted) == dict.fromkeys(wanted.instance_ids, B)
    assert fleet.emulator.repeated_request_ids() == []


@pytest.mark.parametrize(("kind", "fields"), [*FAULTS.values(), *FINAL.values()], ids=[*FAULTS, *FINAL])
def test_trouble_that_lasts_never_makes_the_memory_claim_what_is_not_so(
    fleet: Fleet, kind: str, fields: dict[str, Any]
) -> None:
    group = fleet.group("g", 30, A)
    fleet.run(group)
    wanted = fleet.group("g", 30, B, add=False)
    victim = wanted.instance_ids[15]
    fleet.emulator.fault(kind, **fields, ids=[victim], times=None)
    outcomes = fleet.run(wanted, batch_size=10, timeout=timeout_for(kind), retries=1).outcomes
    touched = set(wanted.instance_ids[10:20])
    assert set(outcomes.failed) == touched
    assert outcomes.changed == ids_of(wanted) - touched
    known = fleet.known(wanted)
    if kind == "throttle":
        # The gateway's own code promises that nothing was processed, so that what was known is so still.
        assert {known[instance_id] for instance_id in touched} == {A}
    else:
        assert touched.isdisjoint(known)
    # What comes late comes, at the latest, now.
    time.sleep(fields.get("seconds", 0))
    fleet.known(wanted)

    # The same once more needn't wait for anything, whatever is still in doubt.
    fleet.emulator.clear_faults()
    again = fleet.run(wanted).outcomes
    assert again.changed == touched
    assert again.failed == {}
    assert fleet.known(wanted) == dict.fromkeys(wanted.instance_ids, B)
    assert fleet.emulator.conflicts() == []


def test_other_settings_wait_until_a_request_in_doubt_can_come_no_more(fleet: Fleet) -> None:
    wanted = fleet.group("g", 3, A)
    fleet.emulator.fault("late", seconds=0.8, then="drop")
    assert set(fleet.run(wanted, retries=0, timeout=1.0, settle=0.5).outcomes.failed) == ids_of(wanted)
    others = fleet.group("g", 3, B, add=False)
    refused = fleet.run(others, timeout=1.0, settle=0.5, claim_timeout=0.0).outcomes
    assert set(refused.failed) == ids_of(others)
    assert refused.requests == 0
    assert fleet.run(others, timeout=1.0, settle=0.5, claim_timeout=10.0).outcomes.changed == ids_of(others)
    assert fleet.known(others) == dict.fromkeys(others.instance_ids, B)
    assert fleet.emulator.conflicts() == []


def test_what_an_equal_run_is_just_bringing_about_is_waited_for_by_an_approved_one(fleet: Fleet) -> None:
    group = fleet.group("g", 12, A)
    part = group._replace(instance_ids=group.instance_ids[6:])
    digest = make_plan(fleet.service, desired_of([group]), Memory(), Options()).digest
    fleet.emulator.fault("latency", seconds=0.25, times=None)
    with ThreadPoolExecutor() as pool:
        one = {"batch_size": 1, "concurrency": 1, "claim_timeout": 30.0}
        approved = pool.submit(lambda: fleet.run(group, approved_plan=digest, **one).outcomes)
        while fleet.emulator.count() < 2 and not approved.done():
            time.sleep(0.05)
        # It takes over what the first has not marked yet.
        other = pool.submit(lambda: fleet.run(part, **one).outcomes)
        outcomes = [approved.result(), other.result()]
    assert [(one.failed, one.not_attempted, one.ended_by) for one in outcomes] == [({}, set(), None)] * 2
    assert outcomes[0].changed | outcomes[1].changed == ids_of(group)
    assert outcomes[1].changed
    assert fleet.known(group) == dict.fromkeys(group.instance_ids, A)


@pytest.mark.parametrize("retries", [0, 2])
def test_retries_are_used_up_and_no_more(fleet: Fleet, retries: int) -> None:
    group = fleet.group("g", 10, A)
    fleet.emulator.fault("error", times=None)
    outcomes = fleet.run(group, retries=retries).outcomes
    assert fleet.emulator.count() == outcomes.requests == retries + 1
    assert {failure.error_code for failure in outcomes.failed.values()} == {"KOOPHONE.API.9999"}
    assert outcomes.changed == set()


def test_throttled_requests_are_sent_again_until_all_is_applied(fleet: Fleet) -> None:
    group = fleet.group("g", 5, A)
    fleet.emulator.fault("throttle", retry_after=0, times=2)
    outcomes = fleet.run(group, batch_size=1, retries=2).outcomes
    assert outcomes.changed == ids_of(group)
    assert outcomes.requests == fleet.emulator.count() == 7
    assert fleet.known(group) == dict.fromkeys(group.instance_ids, A)


def test_throttling_holds_back_all_requests_of_the_run(fleet: Fleet) -> None:
    group = fleet.group("g", 3, A)
    fleet.emulator.fault("throttle", retry_after=1)
    fleet.run(group, batch_size=1, concurrency=1)
    first, second = fleet.requests()[:2]
    assert first["http_status"] == 429
    # The second is another one's, and waits all the same.
    assert second["received_at"] - first["finished_at"] >= 0.9


# --- whole-run refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 4])
def test_wrong_token_ends_the_run_and_leaves_nothing_unknown_that_was_known(fleet: Fleet, concurrency: int) -> None:
    group = fleet.group("g", 1000, A)
    fleet.run(group)
    wanted = fleet.group("g", 1000, B, add=False)
    sent = fleet.emulator.count()
    outcomes = fleet.run(wanted, credentials=Credentials(auth_token="wrong"), concurrency=concurrency).outcomes
    assert 1 <= fleet.emulator.count() - sent == outcomes.requests <= concurrency
    assert outcomes.ended_by is not None
    assert "APIGW.0301" in outcomes.ended_by
    assert outcomes.changed == set()
    assert outcomes.failed.keys() | outcomes.not_attempted == ids_of(wanted)
    assert len(outcomes.not_attempted) >= 1000 - 100 * concurrency
    assert fleet.known(wanted) == dict.fromkeys(wanted.instance_ids, A)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (200, "KOOPHONE.API.0000"),
        (200, "KOOPHONE.API.0004"),
        (200, "KOOPHONE.API.1004"),
        (403, "common.00000403"),
    ],
)
def test_refusal_of_the_whole_run_ends_it(fleet: Fleet, status: int, code: str) -> None:
    group = fleet.group("g", 1000, A)
    fleet.emulator.fault("error", http_status=status, error_code=code, times=None)
    outcomes = fleet.run(group, concurrency=1).outcomes
    assert fleet.emulator.count() == outcomes.requests == 1
    assert (len(outcomes.failed), len(outcomes.not_attempted)) == (100, 900)
    assert outcomes.ended_by is not None
    assert code in outcomes.ended_by
    assert fleet.known(group) == {}


def test_token_that_expires_on_the_way_ends_the_run_and_what_was_applied_stays_known(fleet: Fleet) -> None:
    group = fleet.group("g", 500, A)
    fleet.emulator.config(static_token_requests=2)
    outcomes = fleet.run(group, concurrency=1).outcomes
    assert (len(outcomes.changed), len(outcomes.failed), len(outcomes.not_attempted)) == (200, 100, 200)
    assert outcomes.ended_by is not None
    assert "APIGW.0307" in outcomes.ended_by
    assert set(fleet.known(group)) == outcomes.changed


def test_redirect_ends_the_run(fleet: Fleet) -> None:
    group = fleet.group("g", 300, A)
    fleet.emulator.fault("redirect", location="https://elsewhere.example.com/", times=None)
    outcomes = fleet.run(group, concurrency=1).outcomes
    assert outcomes.requests == fleet.emulator.count() == 1
    assert outcomes.ended_by is not None


def test_endpoint_that_is_not_there_ends_the_run_and_leaves_nothing_unknown_that_was_known(fleet: Fleet) -> None:
    group = fleet.group("g", 300, A)
    fleet.run(group)
    wanted = fleet.group("g", 300, B, add=False)
    outcomes = fleet.run(wanted, url="http://127.0.0.1:1", retries=1).outcomes
    assert outcomes.requests == 0
    assert outcomes.changed == set()
    assert outcomes.ended_by is not None
    assert outcomes.failed.keys() | outcomes.not_attempted == ids_of(wanted)
    assert {failure.http_status for failure in outcomes.failed.values()} <= {None}
    assert fleet.known(wanted) == dict.fromkeys(wanted.instance_ids, A)


# --- told to stop ----------------------------------------------------------------------------------------------------


def after(fleet: Fleet, requests: int) -> Callable[[], bool]:
    """Told to stop once so many requests have arrived."""
    return lambda: fleet.emulator.count() >= requests


def test_run_that_is_told_to_stop_takes_in_what_is_in_flight_and_leaves_the_rest(fleet: Fleet) -> None:
    group = fleet.group("g", 60, A)
    fleet.emulator.config(latency=0.1)
    outcomes = fleet.run(group, batch_size=1, concurrency=4, stopped=after(fleet, 10)).outcomes
    requests = fleet.emulator.count()
    assert 10 <= requests < 60
    assert outcomes.changed == {i for request in fleet.requests() for i in request["instance_ids"]}
    assert outcomes.not_attempted == ids_of(group) - outcomes.changed
    assert outcomes.failed == {}
    assert outcomes.ended_by is not None
    assert "told to stop" in outcomes.ended_by
    assert set(fleet.known(group)) == outcomes.changed
    rest = fleet.run(group, batch_size=1).outcomes
    assert rest.changed == outcomes.not_attempted
    assert fleet.emulator.count() == 60


def test_request_that_does_not_come_back_in_time_when_told_to_stop_is_in_doubt(fleet: Fleet) -> None:
    group = fleet.group("g", 2, A)
    fleet.emulator.fault("late", seconds=4.0, then="answer", ids=[group.instance_ids[0]])
    outcomes = fleet.run(group, batch_size=1, concurrency=1, stopped=after(fleet, 1)).outcomes
    assert set(outcomes.failed) == {group.instance_ids[0]}
    assert outcomes.not_attempted == {group.instance_ids[1]}
    assert fleet.known(group) == {}
    others = fleet.group("g", 2, B, add=False)
    held = fleet.run(others, claim_timeout=0.0).outcomes
    assert set(held.failed) == {group.instance_ids[0]}
    assert held.changed == {group.instance_ids[1]}
    fleet.known(group)


def test_run_that_is_told_to_stop_before_it_began_sends_nothing(fleet: Fleet) -> None:
    group = fleet.group("g", 10, A)
    outcomes = fleet.run(group, stopped=lambda: True).outcomes
    assert fleet.emulator.count() == outcomes.requests == 0
    assert outcomes.not_attempted == ids_of(group)
    assert outcomes.ended_by is not None
