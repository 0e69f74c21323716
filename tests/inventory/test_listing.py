# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole list: 2,500 instances in three regions, pages that fail, pages that shift, totals that lie."""

from __future__ import annotations

import json
from itertools import chain

import pytest

from tests.emulator.handle import Emulator
from tests.inventory.conftest import fleet
from tests.inventory.running import LIST, PLUGIN, STRICT, Ansible

NAMES = {instance["name"]: instance for instance in fleet(2500)}


def test_list_graph_and_export(large: Emulator, ansible: Ansible) -> None:
    run = ansible.inventory("--list")
    assert (run.status, run.errors) == (0, "")
    # 25 full pages, and a look whether there is really nothing more.
    assert large.count(LIST) == 26
    assert {name: hostvars["koophone_instance_id"] for name, hostvars in run.hosts.items()} == {
        name: instance["instance_id"] for name, instance in NAMES.items()
    }
    regions = {region: run.members(f"region_{region}") for region in ("cn_north_4", "cn_south_1", "cn_east_3")}
    assert sorted(chain.from_iterable(regions.values())) == sorted(NAMES)
    assert all(NAMES[name]["region"] == region.replace("_", "-") for region, names in regions.items() for name in names)
    assert len(run.members("edition_Professional")) == len(run.members("edition_Basic")) == 1250
    assert run.hosts["kiosk-0006"] == {
        "koophone_account_name": "emulator-account",
        "koophone_assign_status": 0,
        "koophone_assign_user": "",
        "koophone_backup_status": 0,
        "koophone_backup_time": "",
        "koophone_billing_mode": "",
        "koophone_cores": 8,
        "koophone_edition": "Professional",
        "koophone_frozen": False,
        "koophone_instance_id": f"{12:032x}",
        "koophone_instance_name": "kiosk-0006",
        "koophone_login_status": 0,
        "koophone_member_name": "",
        "koophone_memory_gb": 16,
        "koophone_phone_id": "",
        "koophone_project_id": "emulator-project-id",
        "koophone_project_name": "emulator-project",
        "koophone_region": "cn-north-4",
        "koophone_region_name": "cn-north-4",
        "koophone_region_name_en": "cn-north-4",
        "koophone_resolution": "1080P",
        "koophone_restore_status": 0,
        "koophone_restore_time": "",
        "koophone_running_status": "running",
        "koophone_sku": "Professional edition | 8 vCPUs | 16 GB | 128 GB | 1080P",
    }

    graph = ansible.inventory("--graph")
    assert graph.status == 0
    lines = graph.output.splitlines()
    assert {line.strip(" |-") for line in lines if "@" in line} == {
        "@all:",
        "@ungrouped:",
        "@region_cn_north_4:",
        "@region_cn_south_1:",
        "@region_cn_east_3:",
        "@edition_Professional:",
        "@edition_Basic:",
    }
    # Each in the group of its region, and in that of its edition.
    assert sum("@" not in line for line in lines) == 5000

    # As AWX calls it, with nothing but the environment, and in it whatever was left empty in the credential.
    awx = ansible.inventory(
        "--list",
        "--export",
        ANSIBLE_INVENTORY_UNPARSED_FAILED="True",
        KOOPHONE_USERNAME="",
        KOOPHONE_IAM_ENDPOINT="",
        KOOPHONE_CA_PATH="",
        KOOPHONE_TIMEOUT="",
        KOOPHONE_RETRIES="",
        KOOPHONE_RATE_LIMIT="",
        KOOPHONE_INSECURE_SKIP_TLS_VERIFY="False",
    )
    assert (awx.status, awx.errors) == (0, "")
    assert awx.hosts == run.hosts


@pytest.mark.parametrize("environment", [STRICT, {"ANSIBLE_INVENTORY_UNPARSED_FAILED": "True"}], ids=["any", "AWX"])
def test_a_page_that_fails_is_an_error_and_there_is_no_output(
    large: Emulator, ansible: Ansible, environment: dict[str, str]
) -> None:
    large.fault("error", path=LIST, skip=12, times=None, http_status=503, error_code="APIGW.0201", error_msg="no way")
    run = ansible.inventory("--list", **environment)
    assert run.status != 0
    assert run.output == ""
    request_id = large.requests(LIST)[-1]["request_id"]
    assert f"{LIST}?page_no=13&page_size=100: HTTP 503, APIGW.0201" in run.said
    assert "(no way)" in run.said
    assert f"request id {request_id}" in run.said
    assert "Traceback" not in run.errors
    assert large.token not in run.output + run.errors


def test_without_being_told_ansible_goes_on_without_the_source(large: Emulator, ansible: Ansible) -> None:
    large.fault("error", path=LIST, skip=12, times=None)
    run = ansible.inventory("--list")
    assert run.status == 0
    # No host at all, rather than the first 1,200; and a warning that tells why.
    assert run.hosts == {}
    assert "page_no=13" in run.said
    assert "Unable to parse" in run.said


def test_trouble_in_passing_is_tried_again(large: Emulator, ansible: Ansible) -> None:
    for skip, kind in enumerate(["drop", "html", "throttle", "error"]):
        large.fault(kind, path=LIST, skip=3 * skip)
    run = ansible.inventory("--list", "-vvvv", "--output", "list.json", KOOPHONE_RETRIES="1", **STRICT)
    assert run.status == 0, run.errors
    assert len(json.loads((ansible.folder / "list.json").read_text(encoding="utf-8"))["_meta"]["hostvars"]) == 2500
    assert run.said.count("trying again: GET") == 4
    assert large.token not in run.output + run.errors


def test_shifting_pages(large: Emulator, ansible: Ansible) -> None:
    # Every page begins 20 places later than the one before would have it: some come twice, others not at all.
    large.fault("shuffle_pages", path=LIST, times=None, by=20)
    run = ansible.inventory("--list", **STRICT)
    assert run.status == 0, run.errors
    assert set(run.hosts) == set(NAMES)
    assert "asking again" in run.said
    assert large.count(LIST) > 26


@pytest.mark.parametrize("lie", [{"delta": 1}, {"delta": -1}, {"value": 100}, {"value": 0}], ids=str)
def test_a_total_that_is_wrong_for_good(large: Emulator, ansible: Ansible, lie: dict[str, int]) -> None:
    large.remove(instance["instance_id"] for instance in fleet(2500)[250:])
    large.fault("total_count", path=LIST, times=None, **lie)
    run = ansible.inventory("--list", **STRICT)
    assert run.status != 0
    assert run.output == ""
    assert f"250 of {lie.get('value', 250 + lie.get('delta', 0))}" in run.said
    assert "total_count did not match the instances that came, in 5 attempts" in run.said


def test_a_total_that_is_wrong_once(emulator: Emulator, ansible: Ansible) -> None:
    emulator.fault("total_count", path=LIST, delta=-2)
    run = ansible.inventory("--list", **STRICT)
    assert run.status == 0
    assert len(run.hosts) == 9
    assert "9 of 7" in run.said
    assert emulator.count(LIST) == 2


def test_a_warm_cache_makes_no_call(large: Emulator, ansible: Ansible) -> None:
    cache = "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: cache\n"
    ansible.write("koophone.yml", PLUGIN + cache)
    first = ansible.inventory("--list")
    calls = large.count(LIST)
    assert calls == 26
    assert ansible.inventory("--list").listed == first.listed
    # Another filter, and other groups, need no other list.
    ansible.write("koophone.yml", PLUGIN + cache + "names: [kiosk-*]\nregions: [cn-east-3]\n")
    assert len(ansible.inventory("--list").hosts) == 416
    assert sum(entry["total"] for entry in large.counts().values()) == calls
    # Another identity or endpoint does; and so does the user who says so.
    assert ansible.inventory("--list", KOOPHONE_AUTH_TOKEN="wrong", **STRICT).status != 0
    assert large.count(LIST) == calls + 1
    asked = ansible.run(
        "ansible-playbook", "-i", "koophone.yml", "koophone.fleet.plan", "--flush-cache", "--list-hosts"
    )
    assert "hosts (416)" in asked.output, asked.errors
    assert large.count(LIST) == calls + 27
    kept = list((ansible.folder / "cache").iterdir())
    assert kept
    for path in kept:
        assert large.token not in path.name + path.read_text(encoding="utf-8")
