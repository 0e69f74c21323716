# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the values come from: lists, surveys, INI files, plays; and what is made of localhost and of credentials."""

from __future__ import annotations

import json
import shutil

from tests.emulator.handle import Emulator
from tests.playbooks.running import APPLY, PLAN, ROOT, Ansible


def test_the_list_example_without_an_inventory(ansible: Ansible, emulator: Emulator) -> None:
    shutil.copytree(ROOT / "examples" / "list", ansible.folder, dirs_exist_ok=True)
    # As a survey answers: in strings, and in blanks where nobody answered. Paths are relative to where we are.
    answers = {
        "video_setting_state_url": "sqlite:///own.sqlite3",
        "video_setting_endpoint": "",
        "video_setting_auth_token": "",
        "video_setting_insecure_skip_tls_verify": "",
        "video_setting_ca_path": "",
        "video_setting_timeout": "30",
        "video_setting_retries": "1",
        "video_setting_batch_size": "2",
        "video_setting_force": "true",
        "video_setting_max_age": "",
        "video_setting_max_changed": "",
        "video_setting_approved_plan": "",
        "video_setting_allow_empty": "false",
        "video_setting_presets": "",
        "video_setting_overrides": '{"WIRED": {"H264": {"540P": {"fps": "30", "code_rate": "6500"}}}}',
        "video_setting_hosts": "",
    }
    survey = ("-e", "@video_settings.yml", "-e", json.dumps(answers))
    ansible.run("-i", "localhost,", APPLY, *survey, KOOPHONE_STATE_URL=None)
    assert emulator.count() == 4
    # By force, all is sent again.
    run = ansible.run("-i", "localhost,", APPLY, *survey, KOOPHONE_STATE_URL=None)
    assert run.status == 0, run.output
    assert emulator.count() == 8
    assert run.outcome[1:] == ["  kiosks: 5 instances, 5 changed", "  test bench: 2 instances, 2 changed"]
    assert (ansible.folder / "own.sqlite3").exists()
    state = emulator.state()
    assert len(state) == 7
    assert state["a13f8c6e2d7b49f0865e1b94c0d7f32a"]["settings"]["WIRED"]["H264"]["540P"] == {
        "code_rate": 6500,
        "fps": 30,
    }
    assert state["9d41c6f0a7b84e0f8c1e2a5b7f3d6e90"]["settings"]["WIFI"]["H265"]["1080P"] == {
        "code_rate": 6000,
        "fps": 60,
    }


def test_an_ini_inventory(ansible: Ansible, emulator: Emulator) -> None:
    ansible.write(
        "hosts.ini",
        """
[kiosks]
kiosk-1 koophone_instance_id=k1
kiosk-2 koophone_instance_id="'12345e10'" koophone_overrides='{"WIFI": {"H264": {"540P": {"fps": "30"}}}}'

[kiosks:vars]
koophone_region=cn-north-4
koophone_network_presets={"WIFI": "high_quality"}

[all:vars]
video_setting_retries=2
video_setting_force=true
video_setting_claim_timeout=
video_setting_network_presets={'WIRED': 'data_saver'}
""",
    )
    run = ansible.run("-i", "hosts.ini", APPLY)
    assert run.status == 0, run.output
    state = emulator.state()
    assert set(state) == {"k1", "12345e10"}
    assert state["k1"]["settings"]["WIFI"]["H264"]["540P"] == {"code_rate": 3500, "fps": 60}
    assert state["12345e10"]["settings"]["WIFI"]["H264"]["540P"] == {"code_rate": 3500, "fps": 30}
    assert state["k1"]["settings"]["WIRED"]["H264"]["540P"] == {"code_rate": 1200, "fps": 30}


def test_no_text_is_taken_for_a_template(ansible: Ansible, emulator: Emulator) -> None:
    # AWX marks the answers of a survey like this.
    ansible.write(
        "survey.yml",
        """
video_setting_instance_groups:
  - name: !unsafe "{{ 7 * 7 }}"
    region: !unsafe "{{ lookup('pipe', 'touch was-here') }}"
    instance_ids: [x1]
video_setting_service: !unsafe "{{ lookup('pipe', 'touch was-here') }}"
""",
    )
    run = ansible.run("-i", "localhost,", APPLY, "-e", "@survey.yml")
    assert run.status == 0, run.output
    assert run.outcome[1].startswith("  {{ 7 * 7 }}: 1 instance")
    assert "untrusted" not in run.output.lower()
    assert not (ansible.folder / "was-here").exists()
    # What a template makes in the user's own variables is their will.
    run = ansible.run("-i", "localhost,", PLAN, "-e", '{"video_setting_instance_groups": "{{ nope }}"}')
    assert run.status != 0
    assert any("video_setting_instance_groups: cannot be evaluated" in line for line in run.outcome)
    assert emulator.count() == 1


def test_the_plays_own_variables(ansible: Ansible, emulator: Emulator) -> None:
    """Those beside the playbook, those of the role's call, module_defaults, and a token that takes long to look up."""
    ansible.write("inventory.yml", "all: {hosts: {a: {koophone_instance_id: i1}, b: {koophone_instance_id: i2}}}")
    ansible.write(
        "group_vars/all.yml",
        """
video_setting_auth_token: "{{ lookup('pipe', 'echo looked-up >> log; echo emulator-token') }}"
video_setting_overrides: {WIFI: {H264: {540P: {fps: 30}}}}
""",
    )
    # The call overrules what hosts disagree on.
    ansible.write("host_vars/b.yml", "video_setting_overrides: {}")
    ansible.write(
        "site.yml",
        """
- hosts: all
  gather_facts: false
  module_defaults:
    group/koophone.fleet.koophone:
      endpoint: "{{ lookup('env', 'URL') }}"
      retries: this is overruled
  tasks:
    - ansible.builtin.include_role:
        name: koophone.fleet.video_setting
      vars:
        video_setting_overrides: {WIFI: {H264: {540P: {fps: 60, code_rate: 4200}}}}
        video_setting_retries: "1"
    - ansible.builtin.assert:
        that:
          - video_setting_result is changed
          - video_setting_result.summary.changed == 2
      run_once: true
""",
    )
    # An environment variable is the last to be asked.
    run = ansible.run(
        *("-i", "inventory.yml", "site.yml"),
        URL=ansible.url,
        KOOPHONE_ENDPOINT="http://no.such",
        KOOPHONE_AUTH_TOKEN=None,
    )
    assert run.status == 0, run.output
    assert {str(instance["settings"]["WIFI"]["H264"]["540P"]) for instance in emulator.state().values()} == {
        "{'code_rate': 4200, 'fps': 60}"
    }
    assert emulator.count() == 1
    # Once for the play's value; not once for each host.
    assert (ansible.folder / "log").read_text(encoding="utf-8").count("looked-up") == 1


def test_whatever_the_inventory_says_of_localhost_and_few_events(ansible: Ansible, emulator: Emulator) -> None:
    strange = {
        "ansible_connection": "no.such.connection",
        "ansible_host": "192.0.2.1",
        "ansible_become": True,
        "ansible_become_user": "nobody",
        "ansible_become_method": "no.such.method",
        "ansible_python_interpreter": "/no/such/python",
        "ansible_shell_type": "powershell",
    }
    hosts = {f"h{number}": {"koophone_instance_id": f"i{number}"} for number in range(300)}
    inventory = {"all": {"vars": strange, "hosts": {"localhost": strange, **hosts}}}
    ansible.write("inventory.json", json.dumps(inventory))
    ansible.write(
        "secrets.yml",
        f"""
video_setting_auth_token: {emulator.token}
video_setting_state_url: sqlite:///{ansible.state_file}
""",
    )
    run = ansible.run(
        *("-i", "inventory.json", APPLY, "--diff", "-vvvv", "-e", "@secrets.yml"),
        KOOPHONE_AUTH_TOKEN=None,
        KOOPHONE_STATE_URL=None,
    )
    assert run.status == 0, run.output
    assert emulator.count() == 3
    assert run.outcome[-1] == "1 host without koophone_instance_id left out"
    assert len(run.events) <= 20
    # AWX shows what the module's own event says.
    assert run.changed
    assert run.summary["changed"] == 300
    assert max(len(json.dumps(event)) for event in run.events) < 20_000
    # No credentials at any verbosity.
    assert emulator.token not in run.output
    assert emulator.token not in json.dumps(run.events)
