# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role on the plugin's inventory, and every example that is printed."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from tests.emulator.handle import Emulator
from tests.inventory.conftest import fleet
from tests.inventory.running import LIST, PLUGIN, ROOT, STRICT, Ansible

PLAN, APPLY = "koophone.fleet.plan", "koophone.fleet.apply"
COPY = shutil.ignore_patterns(".*")


def examples() -> list[str]:
    """Each inventory file of the plugin's own documentation and of the guide."""
    source = (ROOT / "plugins" / "inventory" / "instances.py").read_text(encoding="utf-8")
    text = source.split('EXAMPLES = r"""')[1].split('"""')[0]
    guide = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")
    files = map(textwrap.dedent, re.split(r"^\S+\.koophone\.yml:\n", text, flags=re.MULTILINE))
    blocks = [*files, *re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)]
    return [block for block in blocks if PLUGIN.strip() in block]


def commands(guide: str) -> list[list[str]]:
    """The commands of the guide's section on the example."""
    text = (ROOT / "docs" / guide).read_text(encoding="utf-8")
    [block] = re.findall(r"<!-- run: examples/instances -->\n```sh\n(.*?)```", text, re.DOTALL)
    return [line.split() for line in block.splitlines()]


@pytest.mark.parametrize("text", examples())
def test_every_printed_inventory(emulator: Emulator, ansible: Ansible, text: str) -> None:
    (ansible.home / ".koophone-token").write_text(emulator.token, encoding="utf-8")
    ansible.write("koophone.yml", text)
    emulator.add(["o"], region="cn-south-1", name="office-77", sku="Basic edition | 4 vCPUs | 8 GB | 720P")
    run = ansible.inventory("--list", **STRICT)
    assert (run.status, run.errors) == (0, "")
    assert run.hosts
    assert emulator.count(LIST) == 1
    if "\ncache: true\n" in text:
        assert ansible.inventory("--list", **STRICT).listed == run.listed
        assert emulator.count(LIST) == 1


def test_the_example_with_the_role(large: Emulator, ansible: Ansible) -> None:
    shutil.copytree(ROOT / "examples" / "instances", ansible.folder, dirs_exist_ok=True, ignore=COPY)
    frozen, stopped = fleet(2500)[2]["instance_id"], fleet(2500)[4]["instance_id"]
    large.add([frozen], kind="frozen")
    large.add([stopped], running_status=1)
    [graph, plan, apply] = commands("inventory.md")
    assert graph == ["ansible-inventory", "-i", "koophone.yml", "--graph"]
    assert [plan[-1], apply[-1]] == [PLAN, APPLY]
    assert "@office:" in ansible.run(*graph).output

    planned = ansible.run(*plan)
    assert planned.status == 0, planned.output
    assert large.count() == 0
    assert "2499 instances in 7 groups: 2499 would change" in planned.output
    applied = ansible.run(*apply)
    assert applied.status == 0, applied.output
    assert "2499 instances in 7 groups: 2499 changed, 0 unchanged, 0 failed" in applied.output
    assert "  kiosk + region_cn_south_1: " in applied.output

    # Two groups in three regions, and one host: as few requests as there can be, none with a mix of regions.
    state = large.state()
    batches = Counter((one["region"], one["settings_digest"]) for one in state.values() if one["settings_digest"])
    assert len(batches) == 7
    assert large.count() == sum(-(-count // 100) for count in batches.values())
    assert not large.conflicts()
    assert set(large.counts()["/v1/instances/video-setting"]["outcomes"]) == {"200 0"}

    # A frozen one is left alone and is no failure; one that is stopped is set like the others.
    assert state[frozen]["settings"] is None
    assert state[stopped]["settings"]["MOBILE_NETWORK"]["H264"]["540P"] == _mobile(state, 0)
    ids = {instance["name"]: instance["instance_id"] for instance in fleet(2500)}
    kiosk, office, own = (state[ids[name]]["settings"] for name in ("kiosk-0000", "office-0000", "kiosk-0007"))
    assert office["WIFI"]["H264"]["1080P"]["code_rate"] == 8000
    assert kiosk["WIFI"] == own["WIFI"] != office["WIFI"]
    assert kiosk["MOBILE_NETWORK"] != own["MOBILE_NETWORK"]

    # It is thawed, and gets what it missed; nothing else is sent.
    before = large.count()
    large.add([frozen], kind="ok")
    again = ansible.run(*apply)
    assert "2500 instances in 7 groups: 1 changed, 2499 unchanged" in again.output
    assert large.count() == before + 1


def test_the_role_on_what_awx_keeps(emulator: Emulator, ansible: Ansible) -> None:
    """AWX keeps what `ansible-inventory --list --export` printed, and hands it to jobs as a script."""
    run = ansible.inventory("--list", "--export", **STRICT)
    ansible.write("kept.json", run.output)
    ansible.write("hosts.sh", '#!/bin/sh\ncat "$(dirname "$0")/kept.json"\n')
    (ansible.folder / "hosts.sh").chmod(0o755)
    applied = ansible.run("ansible-playbook", "-i", "hosts.sh", APPLY)
    assert applied.status == 0, applied.output + applied.errors
    assert "9 instances in 3 groups: 9 changed" in applied.output
    assert emulator.count() == 3


def _mobile(state: dict[str, dict[str, object]], number: int) -> object:
    settings = state[f"{number:032x}"]["settings"]
    assert isinstance(settings, dict)
    return settings["MOBILE_NETWORK"]["H264"]["540P"]


def test_the_documentation_shows(ansible: Ansible) -> None:
    shown = ansible.run("ansible-doc", "-t", "inventory", "koophone.fleet.instances")
    assert shown.status == 0, shown.errors
    assert "KOOPHONE_AUTH_TOKEN" in shown.output
    assert not Path(ansible.folder / "cache").exists()
