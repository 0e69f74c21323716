# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user would write to have a fleet's settings applied, once for each way to do it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmark.fleet import BATCH, GROUPS, Fleet, api_settings, settings

#: Where instance groups come from, and who applies them.
SOURCES = ("list", "file", "role, list", "role, hosts")
_LOCAL = {"hosts": "localhost", "connection": "local", "gather_facts": False}
_MODULE = {"koophone.fleet.video_setting": {"instance_groups": "{{ instance_groups }}"}}
_EMPTY = {"empty": {"instance_groups": "{{ instance_groups }}"}}
_OF_HOSTS = (
    "{% set found = [] %}{% for name in groups | sort if name.startswith('group') %}"
    "{{ found.append({'name': name, 'settings': hostvars[groups[name][0]]['koophone_overrides'],"
    " 'instance_ids': groups[name] | map('extract', hostvars, 'koophone_instance_id') | list}) or '' }}"
    "{% endfor %}{{ found }}"
)


class Project:
    """A folder with playbooks and variables for one fleet and one source of its groups."""

    def __init__(self, folder: Path, fleet: Fleet, source: str) -> None:
        self.folder = folder
        self._fleet = fleet
        self._source = source
        folder.mkdir(parents=True)
        self._role = source.startswith("role")
        play: dict[str, Any] = {**_LOCAL, "vars_files": ["{{ fleet }}.json"]}
        if self._role:
            play = {"hosts": "all", "gather_facts": False}
        else:
            self._write("apply.yml", [{**play, "tasks": [_MODULE]}])
        self._write("empty.yml", [{**play, "tasks": [self._empty_task()]}])
        for changed in (False, True):
            self._write_variables(changed=changed)

    def arguments(self, playbook: str, *, changed: bool) -> list[str]:
        """The arguments of ansible-playbook."""
        fleet = "changed" if changed else "first"
        play = "koophone.fleet.apply" if self._role and playbook == "apply" else f"{playbook}.yml"
        if self._source == "role, hosts":
            return ["-i", fleet, play]
        return ["-i", "localhost,", "-e", f"@{fleet}.json" if self._role else f"fleet={fleet}", play]

    def _empty_task(self) -> Mapping[str, Any]:
        if self._source == "role, hosts":
            task = {"empty": {"instance_groups": _OF_HOSTS}}
            return {**task, "run_once": True, "delegate_to": "localhost", "connection": "local"}
        if self._source == "role, list":
            return {"empty": {"instance_groups": "{{ video_setting_instance_groups }}"}, "connection": "local"}
        return _EMPTY

    def _write_variables(self, *, changed: bool) -> None:
        name, fleet = "changed" if changed else "first", self._fleet
        if self._source == "role, hosts":
            inventory = self.folder / name
            (inventory / "group_vars").mkdir(parents=True)
            lines: list[str] = []
            for number in range(GROUPS):
                lines.append(f"[group{number}]\n")
                lines += (f"host-{i[:12]} koophone_instance_id={json.dumps(i)}\n" for i in fleet.ids(number))
                rate = fleet.code_rate(number, changed=changed)
                self._write(f"{name}/group_vars/group{number}.json", {"koophone_overrides": settings(rate)})
            (inventory / "hosts.ini").write_text("".join(lines), encoding="utf-8")
            return
        groups = fleet.groups(changed=changed, files=self.folder if self._source == "file" else None)
        if self._source == "role, list":
            groups = [{**group, "overrides": group["settings"]} for group in groups]
            for group in groups:
                del group["settings"]
            self._write(f"{name}.json", {"video_setting_instance_groups": groups})
        else:
            self._write(f"{name}.json", {"instance_groups": groups})

    def _write(self, name: str, content: Any) -> None:
        # JSON is YAML, and Ansible reads it much faster than other YAML: the floor is as low as it can be.
        (self.folder / name).write_text(json.dumps(content), encoding="utf-8")


class UriProject:
    """The same without the collection: `ansible.builtin.uri` in a loop, which remembers nothing."""

    def __init__(self, folder: Path, fleet: Fleet, *, batch: int = BATCH) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        batches = [
            {
                "instance_ids": ids[start : start + batch],
                "instance_settings": api_settings(fleet.code_rate(number, changed=False)),
            }
            for number in range(GROUPS)
            for ids in [fleet.ids(number)]
            for start in range(0, len(ids), batch)
        ]
        self.requests = len(batches)
        task = {
            "ansible.builtin.uri": {
                "url": "{{ lookup('ansible.builtin.env', 'KOOPHONE_ENDPOINT') }}/v1/instances/video-setting",
                "method": "PUT",
                "headers": {
                    "X-Auth-Token": "{{ lookup('ansible.builtin.env', 'KOOPHONE_AUTH_TOKEN') }}",
                    "x-request-id": "{{ (now(utc=true, fmt='%s%f') ~ index) | to_uuid }}",
                },
                "body_format": "json",
                "body": "{{ item }}",
            },
            "register": "answer",
            "failed_when": "answer.json.error_code != '0'",
            "loop": "{{ batches }}",
            "loop_control": {"label": "{{ index }}", "index_var": "index"},
        }
        play = {**_LOCAL, "vars_files": ["batches.json"]}
        (folder / "batches.json").write_text(json.dumps({"batches": batches}), encoding="utf-8")
        (folder / "apply.yml").write_text(json.dumps([{**play, "tasks": [task]}]), encoding="utf-8")

    def arguments(self) -> list[str]:
        """The arguments of ansible-playbook."""
        return ["-i", "localhost,", "apply.yml"]
