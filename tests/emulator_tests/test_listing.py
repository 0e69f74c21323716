# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.handle import Emulator
from tests.emulator_tests.api import BATCH_QUERY, Api, new_id, result_of

WRONG = (400, "KOOPHONE.API.1000")
FIELDS = {
    "instance_id", "instance_name", "region", "instance_sku", "frozen_status", "running_status", "login_status",
    "assign_status", "assign_user", "billing_mode", "project_id", "project_name", "phone_id", "member_name",
    "account_name", "region_name", "region_name_en", "backup_status", "backup_time", "restore_status", "restore_time",
}  # fmt: skip


def data_of(api: Api, **query: Any) -> Any:
    response = api.list(**query)
    assert result_of(response) == (200, "0")
    return response.json()["data"]


def ids_of(data: Any) -> list[str]:
    return [element["instance_id"] for element in data["result"]]


def test_a_page_has_the_documented_shape(api: Api) -> None:
    response = api.list(page_size=2)
    assert set(response.json()) == {"error_code", "error_msg", "data"}
    data = response.json()["data"]
    assert (data["page_no"], data["page_size"], data["total_count"], ids_of(data)) == (1, 2, 3, ["a", "b"])
    assert set(data["result"][0]) == FIELDS


def test_the_pages_together_have_every_instance_once(api: Api, emulator: Emulator) -> None:
    emulator.add([f"i{n}" for n in range(247)])
    pages = [data_of(api, page_no=number) for number in (1, 2, 3, 4)]
    assert [len(page["result"]) for page in pages] == [100, 100, 50, 0]
    found = [name for page in pages for name in ids_of(page)]
    assert len(set(found)) == len(found) == pages[0]["total_count"] == 250


def test_an_instance_is_shown_with_its_attributes(api: Api, emulator: Emulator) -> None:
    emulator.add(["x"], region="cn-north-4", name="Phone X", sku="Basic | 4 vCPUs", running_status=1, kind="frozen")
    (element,) = data_of(api, instance_id="x")["result"]
    assert (element["instance_name"], element["region"], element["instance_sku"]) == (
        "Phone X",
        "cn-north-4",
        "Basic | 4 vCPUs",
    )
    assert (element["running_status"], element["frozen_status"]) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "listed"), [("missing", False), ("foreign", False), ("forbidden", True), ("ok", True)]
)
def test_only_the_tenants_own_instances_are_listed(api: Api, emulator: Emulator, kind: str, listed: bool) -> None:
    emulator.add(["x"], kind=kind)
    assert ("x" in ids_of(data_of(api))) == listed


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"instance_id": "b"}, ["b"]),
        ({"instance_id": "B"}, []),
        ({"instance_name": "phone"}, ["a", "b", "c"]),
        ({"instance_name": "Phone X"}, ["x"]),
        ({"pool_name": "blue"}, ["x"]),
        ({"pool_scene_tag": "CLOUD_APP"}, ["x"]),
        ({"pool_scene_tag": "CLOUD_PHONE"}, ["a", "b", "c"]),
        ({"query_start_time": "2024-01-01 00:00:00"}, ["x"]),
        ({"query_end_time": "2024-01-01 00:00:00"}, ["a", "b", "c"]),
        ({"query_start_time": "2025-02-03 04:05:06", "query_end_time": "2025-02-03 04:05:06"}, ["x"]),
        ({"order_by": "instance_id", "order": "desc"}, ["x", "c", "b", "a"]),
        ({"order_by": "region"}, ["x", "a", "b", "c"]),
    ],
)
def test_filters_and_order_apply(api: Api, emulator: Emulator, query: dict[str, str], expected: list[str]) -> None:
    created = "2025-02-03 04:05:06"
    emulator.add(
        ["x"], region="cn-north-4", name="Phone X", pool_name="blue", pool_scene_tag="CLOUD_APP", created_at=created
    )
    data = data_of(api, **query)
    assert (ids_of(data), data["total_count"]) == (expected, len(expected))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"x-request-id": None}, (200, "KOOPHONE.API.0002")),
        ({"page_no": None}, WRONG),
        ({"page_no": 0}, WRONG),
        ({"page_no": "x"}, WRONG),
        ({"page_size": None}, WRONG),
        ({"page_size": 0}, WRONG),
        ({"page_size": 101}, WRONG),
        ({"page_size": -1}, WRONG),
        ({"query_start_time": "2024-01-01"}, WRONG),
        ({"query_end_time": "2024-13-01 00:00:00"}, WRONG),
        ({"query_end_time": "2024-1-1 00:00:00"}, WRONG),
        ({"pool_scene_tag": "PHONE"}, WRONG),
        ({"order": "up"}, WRONG),
        ({"order_by": "colour"}, WRONG),
        ({"limit": 10}, WRONG),
    ],
)
def test_query_parameters_are_checked(api: Api, query: dict[str, Any], expected: tuple[int, str]) -> None:
    assert result_of(api.list(**query)) == expected


def test_a_repeated_request_id_is_refused(api: Api, emulator: Emulator) -> None:
    request_id = new_id()
    assert result_of(api.list(**{"x-request-id": request_id})) == (200, "0")
    assert result_of(api.list(**{"x-request-id": request_id, "page_no": 2})) == WRONG
    assert emulator.repeated_request_ids() == [request_id]


def test_the_listing_wants_credentials(api: Api) -> None:
    response = api.send("GET", BATCH_QUERY, params={"x-request-id": new_id(), "page_no": 1, "page_size": 10})
    assert result_of(response) == (401, "APIGW.0301")


def test_the_order_changes_between_pages_on_demand(api: Api, emulator: Emulator) -> None:
    names = [f"i{n:02}" for n in range(20)]
    emulator.reset()
    emulator.add(names)
    emulator.fault("shuffle_pages", skip=1, times=1, seed=3)
    orders = [ids_of(data_of(api)) for _number in range(3)]
    assert orders[0] == orders[2] == names
    assert orders[1] != names
    assert sorted(orders[1]) == names


def test_the_order_shifts_by_so_many_places_on_demand(api: Api, emulator: Emulator) -> None:
    emulator.fault("shuffle_pages", by=1, times=None)
    assert [ids_of(data_of(api)) for _number in range(3)] == [["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


@pytest.mark.parametrize(("fields", "expected"), [({"value": 7}, 7), ({"delta": 2}, 5), ({"delta": -9}, 0)])
def test_the_total_is_wrong_on_demand(api: Api, emulator: Emulator, fields: dict[str, int], expected: int) -> None:
    emulator.fault("total_count", **fields)
    assert data_of(api)["total_count"] == expected
    assert data_of(api)["total_count"] == 3
