# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example fleet through its life: plan, apply, nothing to do, one line changed."""

from __future__ import annotations

import shutil

import pytest

from tests.emulator.handle import Emulator
from tests.playbooks.running import APPLY, PLAN, ROOT, Ansible

KIOSKS = [f"kiosk-{number:03}" for number in range(1, 131)]
OFFICES = [f"office-{number:03}" for number in range(1, 71)]
SHOWROOMS = [f"showroom-{number:03}" for number in range(1, 51)]


@pytest.fixture
def ansible(ansible: Ansible) -> Ansible:
    """A user with the example fleet in the folder."""
    shutil.copytree(ROOT / "examples" / "fleet", ansible.folder, dirs_exist_ok=True)
    return ansible


def test_the_story(ansible: Ansible, emulator: Emulator) -> None:
    fleet = ("-i", "inventory.yml")

    # A plan needs no credentials, and leaves no trace.
    plan = ansible.run(*fleet, PLAN, KOOPHONE_AUTH_TOKEN=None)
    assert plan.status == 0, plan.output
    assert emulator.count() == 0
    assert not list(ansible.home.glob("*.sqlite3*"))
    assert plan.module["check_mode"] is True
    assert plan.outcome[0] == (
        "250 instances in 4 groups: 250 would change, 0 unchanged, 0 failed, 250 unknown before; "
        "check mode, nothing sent"
    )
    assert plan.outcome[1:5] == [
        "  kiosk-007: 1 instance, 1 would change, 1 unknown before",
        "  kiosks: 129 instances, 129 would change, 129 unknown before",
        "  offices: 70 instances, 70 would change, 70 unknown before",
        "  showrooms: 50 instances, 50 would change, 50 unknown before",
    ]
    assert plan.outcome[5] == f"plan digest: {plan.module['plan_digest']}"
    assert plan.output.count("+WIFI H264 1080P: 8000 kbit/s, 60 fps") == 4

    # The apply does just that: 129 and 1 and 70 and 50 instances, at most 100 in a request.
    apply = ansible.run(*fleet, APPLY)
    assert apply.status == 0, apply.output
    assert apply.module["plan_digest"] == plan.module["plan_digest"]
    assert apply.summary == plan.summary
    assert emulator.count() == apply.module["requests"] == 5
    state = emulator.state()
    assert set(state) == {*KIOSKS, *OFFICES, *SHOWROOMS}
    assert {instance["writes"] for instance in state.values()} == {1}
    assert state["kiosk-001"]["settings"]["MOBILE_NETWORK"]["H265"]["720P"] == {"code_rate": 900, "fps": 30}
    assert state["kiosk-007"]["settings"]["MOBILE_NETWORK"]["H265"]["720P"] == {"code_rate": 2700, "fps": 60}
    assert state["office-001"]["settings"]["WIFI"]["H264"]["1080P"] == {"code_rate": 8000, "fps": 60}
    assert apply.outcome[0].startswith("250 instances in 4 groups: 250 changed, 0 unchanged, 0 failed")
    assert apply.outcome[0].endswith("; 5 requests sent")

    # The same again does nothing, and says so; nor does check mode find anything.
    again = ansible.run(*fleet, APPLY, "--diff")
    assert (again.status, again.changed, emulator.count()) == (0, False, 5)
    assert again.outcome[0] == "250 instances in 4 groups: 0 changed, 250 unchanged, 0 failed; 0 requests sent"
    assert "diff" not in again.module
    assert "+++" not in again.output

    # One line is changed in the inventory, and the plan shows just that.
    offices = ansible.folder / "group_vars" / "offices.yml"
    offices.write_text(offices.read_text(encoding="utf-8").replace("8000", "9000"), encoding="utf-8")
    plan = ansible.run(*fleet, PLAN)
    assert (plan.status, plan.changed, emulator.count()) == (0, True, 5)
    assert [line for line in plan.output.splitlines() if line.startswith(("-", "+"))] == [
        f"--- before: {plan.module['diff'][0]['before_header']}",
        f"+++ after: {plan.module['diff'][0]['after_header']}",
        "-WIFI H264 1080P: 8000 kbit/s, 60 fps",
        "+WIFI H264 1080P: 9000 kbit/s, 60 fps",
    ]
    assert "offices" in plan.module["diff"][0]["after_header"]
    assert plan.summary["changed"] == 70

    # `apply --check` says the same as the plan.
    check = ansible.run(*fleet, APPLY, "--check")
    assert (check.summary, check.module["plan_digest"]) == (plan.summary, plan.module["plan_digest"])
    assert emulator.count() == 5
    apply = ansible.run(*fleet, APPLY)
    assert (apply.status, apply.summary["changed"], emulator.count()) == (0, 70, 6)
    assert set(emulator.requests()[-1]["instance_ids"]) == set(OFFICES)


def test_a_limit_is_honoured(ansible: Ansible, emulator: Emulator) -> None:
    run = ansible.run("-i", "inventory.yml", APPLY, "--limit", "kiosk-005,kiosk-006,kiosk-007,showrooms[0:1]")
    assert run.status == 0, run.output
    sent = {instance_id for request in emulator.requests() for instance_id in request["instance_ids"]}
    assert sent == {"kiosk-005", "kiosk-006", "kiosk-007", "showroom-001", "showroom-002"}
    # The play can also be narrowed by a variable; blank, as from a survey, it is as good as none.
    run = ansible.run("-i", "inventory.yml", PLAN, "-e", "video_setting_hosts=offices")
    assert run.summary["instances"] == 70
    assert emulator.count() == 3
    run = ansible.run("-i", "inventory.yml", PLAN, "-e", "video_setting_hosts=")
    assert run.summary["instances"] == 250


def test_serial_and_mixed_forms(ansible: Ansible, emulator: Emulator) -> None:
    ansible.write(
        "site.yml",
        """
- hosts: all
  gather_facts: false
  serial: [3, 100, 100%]
  roles:
    - koophone.fleet.video_setting
""",
    )
    listed = (
        '{"video_setting_instance_groups": [{"name": "bench", "region": "cn-north-4", "instance_ids": ["x1", "x2"]}],'
        ' "video_setting_force": true}'
    )
    run = ansible.run("-i", "inventory.yml", "site.yml", "-e", listed)
    assert run.status == 0, run.output
    assert [result["summary"]["instances"] for result in run.results] == [5, 100, 147]
    # Though all is sent by force, the list is sent once and not in each batch.
    assert {instance["writes"] for instance in emulator.state().values()} == {1}
    assert len(emulator.state()) == 252
    assert [line for line in run.outcome if line.startswith("  bench")] == [
        "  bench: 2 instances, 2 changed, 2 unknown before"
    ]
