# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that are refused because of some instance in them, because of their mix, or as a whole."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from tests.emulator.handle import Emulator
from tests.faults.running import Module, message_of
from tests.support.fleets import A, B, Fleet, ids_of

BAD = {
    "missing": (404, "KOOPHONE.API.4001", "the instance does not exist"),
    "foreign": (200, "KOOPHONE.API.1012", "some instances are not the tenant's"),
    "forbidden": (401, "KOOPHONE.API.1001", "no permission for some instance"),
    "frozen": (200, "KOOPHONE.API.2004", "an instance is frozen"),
    "no_device": (400, "KPAPI.2209", "no device can be assigned"),
    "restoring": (200, "KOOPHONE.API.2005", "an instance is being restored"),
    "backing_up": (200, "KOOPHONE.API.2006", "an instance is being backed up"),
}


def more_by_halving(bad: int, batch_size: int = 100) -> int:
    """The most requests that isolating so many instances may cost on top."""
    return math.ceil(math.log2(batch_size)) * bad * 2


@pytest.mark.parametrize("on_refusal", ["none", "random"])
def test_7_bad_of_1000_are_named_and_993_applied(fleet: Fleet, emulator: Emulator, on_refusal: str) -> None:
    emulator.config(on_refusal=on_refusal)
    group = fleet.group("g", 1000, A)
    kinds = dict(zip((group.instance_ids[i] for i in (0, 99, 150, 151, 500, 777, 999)), BAD, strict=True))
    for instance_id, kind in kinds.items():
        emulator.add([instance_id], kind=kind)
    applied = fleet.run(group, retries=0)
    outcomes = applied.outcomes
    assert outcomes.failed.keys() == kinds.keys()
    assert outcomes.changed == fleet.known(group).keys() == ids_of(group) - kinds.keys()
    assert (outcomes.not_attempted, outcomes.ended_by) == (set(), None)
    sent = {request["request_id"]: request for request in emulator.requests()}
    for instance_id, kind in kinds.items():
        failure = outcomes.failed[instance_id]
        assert (failure.http_status, failure.error_code) == BAD[kind][:2]
        assert failure.error_msg.startswith(BAD[kind][2])
        # The request by which support can trace it is one that named just this instance.
        assert sent[str(failure.request_id)]["instance_ids"] == [instance_id]
    assert emulator.count() == outcomes.requests <= 10 + more_by_halving(7)
    message = message_of(applied)
    assert message.startswith("7 instances failed")
    assert "993 instances changed" in message


def test_failed_instances_are_returned_with_group_status_code_message_and_request_id(
    module: Module, emulator: Emulator
) -> None:
    emulator.add(["a"], kind="frozen")
    result = module.run()
    assert result["failed"]
    assert result["changed"]
    [failed] = result["failed_instances"]
    assert {name: failed[name] for name in ("instance_id", "group", "http_status", "error_code")} == {
        "instance_id": "a",
        "group": "phones",
        "http_status": 200,
        "error_code": "KOOPHONE.API.2004",
    }
    assert failed["error_msg"].startswith("an instance is frozen")
    assert failed["request_id"] in {request["request_id"] for request in emulator.requests()}


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "KOOPHONE.API.1000"), (400, "common.00000400"), (404, "APIGW.0101"), (200, "KOOPHONE.API.7777")],
)
def test_request_that_is_refused_as_a_whole_is_not_halved(
    fleet: Fleet, emulator: Emulator, status: int, code: str
) -> None:
    group = fleet.group("g", 300, A)
    emulator.fault("error", http_status=status, error_code=code, ids=[group.instance_ids[150]], times=None)
    outcomes = fleet.run(group).outcomes
    assert emulator.count() == 3
    assert len(outcomes.failed) == 100
    assert {failure.error_code for failure in outcomes.failed.values()} == {code}
    assert len(outcomes.changed) == 200


@pytest.mark.parametrize("kind", ["restoring", "backing_up"])
def test_instance_whose_trouble_passes_is_tried_again_alone(fleet: Fleet, emulator: Emulator, kind: str) -> None:
    group = fleet.group("g", 100, A)
    # Seven refusals of halves, and three of it alone.
    emulator.add([group.instance_ids[42]], kind=kind, passes_after=10)
    outcomes = fleet.run(group, retries=3).outcomes
    assert outcomes.changed == ids_of(group)
    last = [request["instance_ids"] for request in emulator.requests() if request["error_code"] != "0"][-3:]
    assert last == [[group.instance_ids[42]]] * 3


@pytest.mark.parametrize("retries", [0, 3])
def test_instance_whose_trouble_lasts_fails_when_the_retries_are_used_up(
    fleet: Fleet, emulator: Emulator, retries: int
) -> None:
    group = fleet.group("g", 100, A)
    emulator.add([group.instance_ids[42]], kind="restoring")
    applied = fleet.run(group, retries=retries)
    assert applied.outcomes.failed.keys() == {group.instance_ids[42]}
    assert "KOOPHONE.API.2005" in message_of(applied)
    alone = [request for request in emulator.requests() if request["instance_ids"] == [group.instance_ids[42]]]
    assert len(alone) == 1 + retries


# --- mixed regions ---------------------------------------------------------------------------------------------------


def mixed(fleet: Fleet, *regions: Sequence[str], name: str = "g") -> InstanceGroup:
    """A group of which nobody said which regions its instances are in."""
    in_order = [region for part in regions for region in part]
    group = fleet.group(name, len(in_order), A, region=None)
    for region in set(in_order):
        fleet.emulator.add(
            [i for i, of in zip(group.instance_ids, in_order, strict=True) if of == region], region=region
        )
    return group


def shuffled(count: int) -> list[str]:
    return random.Random(7).choices(("cn-north-4", "cn-south-1"), k=count)


LAYOUTS = {
    "halves": [["cn-north-4"] * 60, ["cn-south-1"] * 40],
    "blocks": [["cn-north-4"] * 25, ["cn-south-1"] * 25, ["cn-north-4"] * 25, ["cn-south-1"] * 25],
    "three": [["cn-north-4"] * 40, ["cn-south-1"] * 30, ["cn-east-3"] * 30],
    "one stranger": [["cn-north-4"] * 57, ["cn-south-1"], ["cn-north-4"] * 42],
    "shuffled": [shuffled(100)],
}


@pytest.mark.parametrize("regions", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_mixed_regions_are_sorted_with_less_than_halving_and_learnt(
    fleet: Fleet, emulator: Emulator, regions: list[list[str]]
) -> None:
    group = mixed(fleet, *regions)
    outcomes = fleet.run(group).outcomes
    assert outcomes.changed == fleet.known(group).keys() == ids_of(group)
    spent = emulator.count()
    # Halving down to single instances takes 199 where neighbours differ.
    assert spent == outcomes.requests < 199
    assert emulator.conflicts() == []
    # The next run, forced, needs the least number of requests.
    assert fleet.run(group).outcomes.requests == 0
    assert fleet.run(group, force=True).outcomes.changed == ids_of(group)
    assert emulator.count() - spent == len({region for part in regions for region in part})


def test_mixed_regions_over_several_batches_are_learnt_as_a_whole(fleet: Fleet, emulator: Emulator) -> None:
    group = mixed(fleet, ["cn-north-4"] * 150, ["cn-south-1"] * 100)
    assert fleet.run(group).outcomes.changed == ids_of(group)
    spent = emulator.count()
    assert fleet.run(group, force=True).outcomes.changed == ids_of(group)
    assert emulator.count() - spent == 3


def test_bad_instances_in_a_mix_are_named_and_the_others_applied(fleet: Fleet, emulator: Emulator) -> None:
    group = mixed(fleet, ["cn-north-4"] * 50, ["cn-south-1"] * 50)
    bad = {group.instance_ids[10]: "frozen", group.instance_ids[60]: "missing", group.instance_ids[61]: "no_device"}
    for instance_id, kind in bad.items():
        emulator.add([instance_id], kind=kind)
    outcomes = fleet.run(group, retries=0).outcomes
    assert {i: failure.error_code for i, failure in outcomes.failed.items()} == {
        i: BAD[kind][1] for i, kind in bad.items()
    }
    assert outcomes.changed == fleet.known(group).keys() == ids_of(group) - bad.keys()


def test_trouble_that_passes_is_waited_for_in_a_mix_too(fleet: Fleet, emulator: Emulator) -> None:
    group = mixed(fleet, ["cn-north-4"] * 6, ["cn-south-1"] * 6)
    emulator.add([group.instance_ids[3]], kind="restoring", passes_after=8)
    emulator.add([group.instance_ids[8]], kind="backing_up", passes_after=8)
    outcomes = fleet.run(group, retries=10).outcomes
    assert outcomes.failed == {}
    assert outcomes.changed == ids_of(group)


def test_regions_that_are_named_are_never_mixed(fleet: Fleet, emulator: Emulator) -> None:
    north = fleet.group("north", 30, A, "cn-north-4")
    south = fleet.group("south", 30, A, "cn-south-1")
    outcomes = fleet.run(north, south).outcomes
    assert outcomes.changed == ids_of(north, south)
    assert emulator.count() == 2
    assert {request["error_code"] for request in emulator.requests()} == {"0"}


def test_wrong_region_in_the_inventory_is_sorted_out_as_well(fleet: Fleet, emulator: Emulator) -> None:
    group = fleet.group("g", 40, A, "cn-north-4")
    emulator.add(group.instance_ids[30:], region="cn-south-1")
    outcomes = fleet.run(group).outcomes
    assert outcomes.changed == fleet.known(group).keys() == ids_of(group)


def test_run_that_ends_while_it_isolates_does_not_blame_the_good_ones(fleet: Fleet, emulator: Emulator) -> None:
    group = fleet.group("g", 100, A)
    fleet.run(group)
    wanted = fleet.group("g", 100, B, add=False)
    emulator.add([group.instance_ids[99]], kind="missing")
    sent = emulator.count()
    outcomes = fleet.run(wanted, concurrency=1, stopped=lambda: emulator.count() - sent >= 3).outcomes
    assert outcomes.ended_by is not None
    blamed = {i for i, failure in outcomes.failed.items() if failure.error_code == "KOOPHONE.API.4001"}
    # Only an instance that was refused alone is known not to exist.
    assert blamed <= {group.instance_ids[99]}
    assert outcomes.changed | outcomes.not_attempted | outcomes.failed.keys() == ids_of(group)
    fleet.known(wanted)
