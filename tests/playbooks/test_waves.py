# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet that is changed in growing parts."""

from __future__ import annotations

import json

from tests.emulator.handle import Emulator
from tests.playbooks.running import APPLY, PLAN, Ansible, Run

WAVES = {"video_setting_waves": ["1%", "10%", "100%"]}
IDS = [f"id-{number:03}" for number in range(300)]


def _fleet(ansible: Ansible) -> None:
    hosts = {instance_id: {"koophone_instance_id": instance_id} for instance_id in IDS}
    ansible.write("inventory.json", json.dumps({"kiosks": {"hosts": hosts}}))


def _apply(ansible: Ansible, *arguments: str, playbook: str = APPLY, **variables: object) -> Run:
    return ansible.run("-i", "inventory.json", playbook, "-e", json.dumps({**WAVES, **variables}), *arguments)


def _applied(emulator: Emulator) -> set[str]:
    return {instance_id for instance_id, state in emulator.state().items() if state["settings"]}


def test_each_wave_says_how_far_the_fleet_is_and_all_together_are_one_outcome(
    ansible: Ansible, emulator: Emulator
) -> None:
    _fleet(ansible)
    plan = _apply(ansible, playbook=PLAN)
    assert plan.status == 0, plan.output
    assert emulator.count() == 0
    assert plan.summary["changed"] == 300

    run = _apply(
        ansible, "--diff", video_setting_approved_plan=plan.published["video_setting_approved_plan"],
        video_setting_require_approval=True, video_setting_max_changed="100%",
    )  # fmt: skip
    assert run.status == 0, run.output
    assert emulator.count() == 1 + 1 + 3
    waves = [line for line in run.outcome if line.startswith("wave")]
    assert waves == [
        "wave 1%: 3 changed, 0 failed; 3 of 300 instances are as desired",
        "wave 10%: 27 changed, 0 failed; 30 of 300 instances are as desired",
        "wave 100%: 270 changed, 0 failed; 300 of 300 instances are as desired; all is as desired",
    ]
    # Each is shown as it ends.
    places = [
        run.output.index(text) for text in (waves[0], "first 10%", waves[1], "first 100%", waves[2], "Show the out")
    ]
    assert places == sorted(places)
    assert run.outcome[0] == (
        "300 instances in 1 group: 300 changed, 0 unchanged, 0 failed, 300 unknown before; 5 requests sent"
    )
    # The digest of each wave's plan moves on; the approval is of the whole.
    assert run.results[0]["plan_digest"] == plan.module["plan_digest"]
    assert run.results[1]["plan_digest"] != plan.module["plan_digest"]
    assert [result["summary"]["changed"] for result in run.results] == [3, 27, 270]

    # Nothing is left to do: the first wave finds that out, and there is no other.
    run = _apply(ansible)
    assert run.status == 0, run.output
    assert emulator.count() == 5
    assert len(run.results) == 1


def test_a_canary_that_fails_stops_the_waves_and_a_later_run_goes_on(ansible: Ansible, emulator: Emulator) -> None:
    _fleet(ansible)
    first = _apply(ansible, "--check", video_setting_waves="3").module["changed_instances"]
    assert len(first) == 3
    bad = first[1]
    emulator.add([bad], kind="frozen")

    run = _apply(ansible)
    assert run.status != 0
    assert _applied(emulator) == set(first) - {bad}
    assert len(run.results) == 1
    assert run.outcome[0] == (
        "300 instances in 1 group: 2 changed, 0 unchanged, 1 failed, 297 not attempted, 300 unknown before;"
        f" {emulator.count()} requests sent"
    )
    [wave] = [line for line in run.outcome if line.startswith("wave")]
    assert wave.endswith("stopped after this wave: 1 of 3 instances failed, and video_setting_max_failures is 0")
    assert any(line.startswith(f"failed: {bad} in kiosks") for line in run.outcome)

    # So many may fail; the bad one is named all the same, and the role fails in the end.
    sent = emulator.count()
    run = _apply(ansible, video_setting_max_failures="40%")
    assert len(run.results) == 1, run.output
    run = _apply(ansible, video_setting_max_failures=1)
    assert run.status != 0
    assert _applied(emulator) == set(IDS) - {bad}
    assert [result["summary"]["changed"] for result in run.results] == [0, 27, 270]
    assert run.outcome[0].startswith("300 instances in 1 group: 297 changed, 2 unchanged, 1 failed")
    assert emulator.count() < sent + 40

    # Thawed, it is the only one that is left.
    emulator.remove([bad])
    emulator.add([bad])
    run = _apply(ansible)
    assert run.status == 0, run.output
    assert _applied(emulator) == set(IDS)
    assert [result["summary"]["changed"] for result in run.results] == [1]


def test_waves_that_end_before_the_whole_fleet_leave_the_rest_and_look_ahead_says_the_same(
    ansible: Ansible, emulator: Emulator
) -> None:
    _fleet(ansible)
    waves = {"video_setting_waves": "1%, 10%"}
    # A plan is of the whole, as the approval is that it may get; check mode tells what the waves would do.
    assert _apply(ansible, playbook=PLAN, **waves).summary["changed"] == 300
    plan = _apply(ansible, "--check", **waves)
    assert plan.summary["changed"] == 30
    assert plan.summary["not_attempted"] == 270
    run = _apply(ansible, **waves)
    assert run.status == 0, run.output
    assert run.outcome[0].startswith("300 instances in 1 group: 30 changed, 0 unchanged, 0 failed, 270 not attempted")
    assert len(_applied(emulator)) == 30


def test_waves_that_make_no_sense_are_mistakes_and_nothing_is_sent(ansible: Ansible, emulator: Emulator) -> None:
    _fleet(ansible)
    run = _apply(
        ansible,
        video_setting_waves=["10%", "5%", "many", 0],
        video_setting_max_failures="some",
        video_setting_force=True,
    )
    assert run.status != 0
    assert [line.partition(": ")[0] for line in run.outcome[1:]] == [
        "video_setting_waves[2]",
        "video_setting_waves[3]",
        "video_setting_waves",
        "video_setting_max_failures",
        "video_setting_waves",
    ]
    assert emulator.count() == 0


def test_waves_run_here_too_whatever_the_inventory_says_of_localhost(ansible: Ansible, emulator: Emulator) -> None:
    strange = {
        "ansible_connection": "no.such.connection",
        "ansible_become": True,
        "ansible_become_method": "no.such.method",
        "ansible_python_interpreter": "/no/such/python",
        "ansible_shell_type": "powershell",
    }
    hosts = {instance_id: {"koophone_instance_id": instance_id} for instance_id in IDS[:20]}
    inventory = {"all": {"vars": strange, "hosts": {"localhost": strange, **hosts}}}
    ansible.write("inventory.json", json.dumps(inventory))
    run = _apply(ansible, video_setting_waves="10%,100%")
    assert run.status == 0, run.output
    assert _applied(emulator) == set(IDS[:20])
