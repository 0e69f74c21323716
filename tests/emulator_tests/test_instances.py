# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from tests.emulator.handle import Emulator, EmulatorError
from tests.emulator_tests.api import BATCH_QUERY_STATUS, BATCH_RESET, Api, body_of, result_of

CODES = {
    "missing": (404, "KOOPHONE.API.4001"),
    "foreign": (200, "KOOPHONE.API.1012"),
    "forbidden": (401, "KOOPHONE.API.1001"),
    "frozen": (200, "KOOPHONE.API.2004"),
    "restoring": (200, "KOOPHONE.API.2005"),
    "backing_up": (200, "KOOPHONE.API.2006"),
    "no_device": (400, "KPAPI.2209"),
}


@pytest.mark.parametrize(("kind", "expected"), CODES.items(), ids=CODES.keys())
def test_a_bad_instance_has_the_request_refused_and_none_is_changed(
    api: Api, emulator: Emulator, kind: str, expected: tuple[int, str]
) -> None:
    emulator.add(["bad"], region="cn-south-1", kind=kind)
    response = api.put(body_of("a", "bad", "b"))
    assert result_of(response) == expected
    assert "bad" not in response.text
    assert [emulator.applied(name) for name in ("a", "bad", "b")] == [None, None, None]


def test_an_instance_that_was_never_added_or_was_removed_does_not_exist(api: Api, emulator: Emulator) -> None:
    emulator.remove(["a"])
    assert result_of(api.put(body_of("a"))) == (404, "KOOPHONE.API.4001")
    assert result_of(api.put(body_of("nobody"))) == (404, "KOOPHONE.API.4001")
    with pytest.raises(EmulatorError, match="no instance nobody"):
        emulator.applied("nobody")


def test_the_statuses_that_the_page_leaves_open_can_be_chosen(api: Api, emulator: Emulator) -> None:
    emulator.config(missing_status=200, no_device_status=200)
    emulator.add(["d"], kind="no_device")
    assert result_of(api.put(body_of("x"))) == (200, "KOOPHONE.API.4001")
    assert result_of(api.put(body_of("d"))) == (200, "KPAPI.2209")


@pytest.mark.parametrize("kind", ["restoring", "backing_up", "no_device", "frozen"])
def test_a_condition_passes_after_so_many_requests(api: Api, emulator: Emulator, kind: str) -> None:
    emulator.add(["a"], kind=kind, passes_after=2)
    api.post(BATCH_QUERY_STATUS, {"instance_ids": ["a"]})
    results = [result_of(api.put(body_of("a"))) for _number in range(4)]
    assert results == [CODES[kind], CODES[kind], (200, "0"), (200, "0")]


def test_instances_of_two_regions_do_not_share_a_request(api: Api, emulator: Emulator) -> None:
    emulator.add(["north"], region="cn-north-4")
    assert result_of(api.put(body_of("a", "north"))) == (400, "KOOPHONE.API.1002")
    assert result_of(api.put(body_of("north"))) == (200, "0")
    assert emulator.applied("a") is None


def test_an_instance_without_a_region_goes_with_every_region(api: Api, emulator: Emulator) -> None:
    emulator.add(["anywhere"])
    assert result_of(api.put(body_of("a", "anywhere"))) == (200, "0")


def test_an_open_fleet_has_every_instance(api: Api, emulator: Emulator) -> None:
    emulator.config(open_fleet=True, open_region="cn-north-4")
    assert result_of(api.put(body_of("x", "y"))) == (200, "0")
    assert emulator.state(["x"])["x"]["region"] == "cn-north-4"
    assert result_of(api.put(body_of("x", "a"))) == (400, "KOOPHONE.API.1002")


def test_on_a_refusal_the_others_are_changed_if_so_configured(api: Api, emulator: Emulator) -> None:
    emulator.config(on_refusal="others")
    emulator.add(["bad"], region="cn-south-1", kind="frozen")
    assert result_of(api.put(body_of("a", "bad", "b"))) == CODES["frozen"]
    assert [emulator.applied(name) is not None for name in ("a", "bad", "b")] == [True, False, True]
    assert emulator.requests()[0]["effect_on"] == 2
    assert emulator.requests()[0]["effect_at"] is not None


def test_on_a_mix_of_regions_there_are_no_others(api: Api, emulator: Emulator) -> None:
    emulator.config(on_refusal="others")
    emulator.add(["north"], region="cn-north-4")
    api.put(body_of("a", "north"))
    assert [emulator.applied(name) for name in ("a", "north")] == [None, None]


@pytest.mark.parametrize("reason", ["frozen", "regions"])
def test_on_a_refusal_a_seeded_coin_decides_if_so_configured(api: Api, emulator: Emulator, reason: str) -> None:
    ids = [f"i{n}" for n in range(60)]

    def outcome(seed: int) -> list[str]:
        emulator.reset()
        emulator.config(on_refusal="random", seed=seed)
        emulator.add(ids, region="cn-south-1")
        if reason == "frozen":
            emulator.add(["bad"], region="cn-south-1", kind="frozen")
        else:
            emulator.add(["bad"], region="cn-north-4")
        assert result_of(api.put(body_of(*ids, "bad")))[1] != "0"
        return [name for name in ids if emulator.state()[name]["settings"] is not None]

    first = outcome(1)
    assert 0 < len(first) < len(ids)
    assert outcome(1) == first
    assert outcome(2) != first


def test_a_reset_makes_instances_forget(api: Api, emulator: Emulator) -> None:
    api.put(body_of("a", "b"))
    assert result_of(api.post(BATCH_RESET, {"instance_ids": ["a"]})) == (200, "0")
    assert emulator.settings_of("a") is None
    assert emulator.settings_of("b") is not None


def test_the_handle_makes_instances_forget_without_a_request(api: Api, emulator: Emulator) -> None:
    api.put(body_of("a", "b"))
    emulator.reset_instances(["a"])
    assert emulator.settings_of("a") is None
    assert len(emulator.requests(path=None)) == 1


def test_the_status_of_instances_is_told(api: Api, emulator: Emulator) -> None:
    emulator.add(["cold"], kind="frozen", running_status=1)
    response = api.post(BATCH_QUERY_STATUS, {"instance_ids": ["a", "cold"]})
    assert result_of(response) == (200, "0")
    told = {element["instance_id"]: element for element in response.json()["data"]["result"]}
    assert (told["a"]["running_status"], told["a"]["frozen_status"]) == (2, 0)
    assert (told["cold"]["running_status"], told["cold"]["frozen_status"]) == (1, 1)


@pytest.mark.parametrize("path", [BATCH_RESET, BATCH_QUERY_STATUS])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "KOOPHONE.API.1000")),
        ({"instance_ids": []}, (400, "KOOPHONE.API.1000")),
        ({"instance_ids": [f"i{n}" for n in range(101)]}, (400, "KOOPHONE.API.1000")),
        ({"instance_ids": ["a"], "more": 1}, (400, "KOOPHONE.API.1000")),
        ({"instance_ids": ["nobody"]}, (404, "KOOPHONE.API.4001")),
    ],
    ids=["empty", "no instance", "101 instances", "unknown member", "missing instance"],
)
def test_the_other_calls_check_their_ids(api: Api, path: str, body: object, expected: tuple[int, str]) -> None:
    assert result_of(api.post(path, body)) == expected


def test_changing_an_instance_keeps_what_it_was_set_to(api: Api, emulator: Emulator) -> None:
    api.put(body_of("a"))
    emulator.add(["a"], kind="frozen")
    state = emulator.state(["a"])["a"]
    assert (state["kind"], state["region"], state["writes"]) == ("frozen", "cn-south-1", 1)


@pytest.mark.parametrize(
    "attributes", [{"kind": "lost"}, {"colour": "red"}, {"passes_after": 1}, {"kind": "frozen", "passes_after": -1}]
)
def test_a_mistake_in_an_instance_is_refused(emulator: Emulator, attributes: dict[str, object]) -> None:
    with pytest.raises(EmulatorError, match="instances:"):
        emulator.call("POST", "instances", [{"instance_id": "x", **attributes}])


@pytest.mark.parametrize("fields", [{"speed": 1}, {"latency": -1}, {"on_refusal": "all"}, {"open_fleet": 1}])
def test_a_mistake_in_the_configuration_is_refused(emulator: Emulator, fields: dict[str, object]) -> None:
    with pytest.raises(EmulatorError, match="config:"):
        emulator.config(**fields)


def test_a_reset_of_the_emulator_begins_anew(api: Api, emulator: Emulator) -> None:
    emulator.config(latency=0.5)
    emulator.fault("drop", times=None)
    api.send("GET", "/v1/other")
    emulator.reset()
    assert emulator.state() == {}
    assert emulator.requests(path=None) == []
    assert emulator.faults() == []
    assert emulator.config()["latency"] == 0
