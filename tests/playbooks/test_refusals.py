# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused, and what happens when something fails."""

from __future__ import annotations

import json
from typing import Any

from tests.emulator.handle import Emulator
from tests.playbooks.running import APPLY, PLAN, Ansible


def write_inventory(ansible: Ansible, **groups: dict[str, Any]) -> None:
    ansible.write("inventory.json", json.dumps({"all": {"children": groups}}))


def hosts(*names: str, **variables: Any) -> dict[str, Any]:
    return {name: {"koophone_instance_id": f"id-{name}", **variables} for name in names}


def test_all_mistakes_in_one_message(ansible: Ansible, emulator: Emulator) -> None:
    write_inventory(
        ansible,
        kiosks={
            "hosts": hosts("k1", "k2"),
            "vars": {"koophone_network_presets": {"WIFFI": "balanced"}, "video_setting_overrides": {}},
        },
        offices={
            "hosts": {**hosts("o1", koophone_overides={}), "o2": {"koophone_instance_id": 12345}},
            "vars": {
                "koophone_overrides": {"WIFI": {"H265": {"720P": {"code_rate": 6050, "fps": 25}}}},
                "video_setting_overrides": {"WIFI": {"H264": {"540P": {"fps": 60}}}},
            },
        },
        shops={"hosts": {"s1": {"koophone_instance_id": "{{ nope }}"}, "s2": {"koophone_instance_id": "a b"}}},
    )
    variables = {
        "video_setting_network_presets": {"WIRED": "fast"},
        "video_setting_presets": {"WIFI": {"mine": {}}},
        "video_setting_instance_groups": [
            {"name": "one", "instance_ids": ["x", 5]},
            {"name": "one", "instance_ids_file": "ids.txt", "region": 4},
        ],
    }
    run = ansible.run(
        *("-i", "inventory.json", APPLY, "--limit", "kiosks,offices,shops", "-e", json.dumps(variables)),
        *("-e", "awx_job_slice_count=3"),
    )
    assert run.status != 0
    assert not run.results
    assert run.outcome[0] == "15 mistakes in the variables; nothing was sent:"
    places = [
        "koophone_overides: unknown variable; koophone_overrides may be meant",
        "video_setting_overrides: hosts k1 and o1 disagree",
        "video_setting_presets.WIFI.mine: incomplete",
        'video_setting_network_presets.WIRED: unknown preset "fast"',
        "video_setting_instance_groups[0].instance_ids[1]: 5 is not a string",
        'video_setting_instance_groups[1].name: "one" is already',
        "video_setting_instance_groups[1].region: 4 is not a string",
        "video_setting_instance_groups: the run is limited",
        "video_setting_instance_groups: the job is cut into slices",
        'host k1 and 1 other: koophone_network_presets: unknown network type "WIFFI"',
        "host o1: koophone_overrides.WIFI.H265.720P.code_rate: 6050 is not a multiple of 100",
        "host o1: koophone_overrides.WIFI.H265.720P.fps: 25 is neither 30 nor 60 fps",
        "host o2: koophone_instance_id: 12345 is not a string; quote it",
        "host s1: koophone_instance_id: cannot be evaluated",
        'host s2: koophone_instance_id: "a b" is not an instance id',
    ]
    for place in places:
        assert any(line.startswith(place) for line in run.outcome), place
    assert emulator.count() == 0
    assert not ansible.state_file.exists()


def test_mistakes_that_only_the_module_finds(ansible: Ansible, emulator: Emulator) -> None:
    groups = [{"name": "one", "instance_ids_file": "no-such-file.txt"}, {"name": "two", "instance_ids": ["x"]}]
    variables = {"video_setting_instance_groups": groups, "video_setting_max_changed": "many"}
    run = ansible.run("-i", "localhost,", PLAN, "-e", json.dumps(variables))
    assert run.status != 0
    assert run.outcome[0] == "2 mistakes in the variables; nothing was sent:"
    # A relative path counts from where Ansible was started; a message shows its beginning.
    place = "instance_groups[0].instance_ids_file: cannot read"
    assert run.outcome[1].startswith(f'{place} "{str(ansible.folder)[:50]}')
    assert "max_changed" in run.outcome[2]
    assert emulator.count() == 0


def test_a_failing_instance(ansible: Ansible, emulator: Emulator) -> None:
    write_inventory(ansible, kiosks={"hosts": hosts("k1", "k2", "k3")}, db={"hosts": {"db1": {}}})
    emulator.add(["id-k2"], kind="frozen")
    run = ansible.run("-i", "inventory.json", APPLY)
    assert run.status != 0
    # The module's own event has it all, and isn't the failure.
    assert run.changed
    assert run.summary == {
        "instances": 3,
        "changed": 2,
        "unchanged": 0,
        "failed": 1,
        "unknown": 3,
        "not_attempted": 0,
    }
    assert run.outcome[0].startswith("3 instances in 1 group: 2 changed, 0 unchanged, 1 failed")
    assert "1 host without koophone_instance_id left out" in run.outcome
    [failed] = [line for line in run.outcome if line.startswith("failed: ")]
    assert failed.startswith("failed: id-k2 in kiosks: HTTP 200 KOOPHONE.API.2004")
    # Without --diff, the role shows the differences.
    assert "+WIFI H265 720P: 2900 kbit/s, 60 fps" in run.outcome
    assert run.failure == run.module["msg"]
    assert [len(emulator.state()[f"id-{name}"]["settings"] or "") for name in ("k1", "k2", "k3")] == [3, 0, 3]

    # With --diff, they are shown once; here nothing changed, so Ansible keeps quiet about them.
    run = ansible.run("-i", "inventory.json", APPLY, "--diff")
    assert run.status != 0
    assert not run.changed
    assert run.outcome[0].startswith("3 instances in 1 group: 0 changed, 2 unchanged, 1 failed")
    assert run.output.count('"+WIFI H265 720P: 2900 kbit/s, 60 fps') == 1
    assert "\n+WIFI H265 720P: 2900 kbit/s, 60 fps" not in run.output


def test_a_failing_batch_ends_the_play(ansible: Ansible, emulator: Emulator) -> None:
    write_inventory(ansible, kiosks={"hosts": hosts("k1", "k2", "k3")})
    ansible.write(
        "site.yml",
        "- {hosts: all, gather_facts: false, serial: 1, diff: true, roles: [koophone.fleet.video_setting]}",
    )
    emulator.add(["id-k2"], kind="frozen")
    run = ansible.run("-i", "inventory.json", "site.yml")
    assert run.status != 0
    assert [result["summary"]["failed"] for result in run.results] == [0, 1]
    assert emulator.state()["id-k1"]["settings"]
    assert "id-k3" not in emulator.state()


def test_no_instance_at_all(ansible: Ansible, emulator: Emulator) -> None:
    write_inventory(ansible, servers={"hosts": {"db1": {}, "db2": {"koophone_instance_id": ""}}})
    run = ansible.run("-i", "inventory.json", APPLY)
    assert run.status != 0
    assert "none of the play's 2 hosts has koophone_instance_id" in run.outcome[1]
    run = ansible.run("-i", "inventory.json", APPLY, "-e", "video_setting_allow_empty=true")
    assert run.status == 0, run.output
    assert run.outcome == [
        "0 instances in 0 groups: 0 changed, 0 unchanged, 0 failed; 0 requests sent",
        "2 hosts without koophone_instance_id left out",
    ]
    # A file without an id is no better.
    ansible.write("ids.txt", "# none yet\n")
    listed = json.dumps({"video_setting_instance_groups": [{"name": "kiosks", "instance_ids_file": "ids.txt"}]})
    run = ansible.run("-i", "localhost,", APPLY, "-e", listed)
    assert run.status != 0
    assert run.failure.startswith("no instance")
    assert emulator.count() == 0


def test_strategies_other_than_linear_are_refused(ansible: Ansible, emulator: Emulator) -> None:
    write_inventory(ansible, kiosks={"hosts": hosts("k1", "k2")})
    for strategy in ("free", "host_pinned"):
        ansible.write(
            "site.yml",
            f"- {{hosts: all, gather_facts: false, strategy: {strategy}, roles: [koophone.fleet.video_setting]}}",
        )
        run = ansible.run("-i", "inventory.json", "site.yml")
        assert run.status != 0
        assert "not supported in the free strategy" in run.output
        assert "Refuse strategies other than linear" in run.output
        assert not run.results
    assert emulator.count() == 0
