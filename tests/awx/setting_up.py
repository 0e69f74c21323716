# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running the playbook awx_setup, with stand-ins for the modules of awx.awx that write down what they are asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = ROOT / "playbooks" / "awx_setup.yml"
EXAMPLE = ROOT / "examples" / "awx" / "awx_setup_vars.yml"
# What the example looks up in the environment.
SECRETS = {"KOOPHONE_PASSWORD": "a password", "KOOPHONE_STATE_URL": "postgresql://koophone:secret@db/automation"}

# It takes any argument, and has changed something if it was asked for something else the last time.
_STAND_IN = """\
import json
import os
import sys
from ansible.module_utils.basic import AnsibleModule, _load_params

given = {name: value for name, value in _load_params().items() if not name.startswith("_ansible_")}
module = AnsibleModule({name: {"type": "raw"} for name in given}, supports_check_mode=True)
path = os.environ["AWX_STAND_IN_FILE"]
calls = []
if os.path.exists(path):
    with open(path) as file:
        calls = [json.loads(line) for line in file]
call = {"module": "NAME", "arguments": given}
before = [known for known in calls if known["module"] == "NAME" and known["arguments"]["name"] == given["name"]]
with open(path, "a") as file:
    file.write(json.dumps(call, sort_keys=True) + "\\n")
module.exit_json(changed=before[-1:] != [call])
"""


@dataclass(frozen=True)
class Call:
    """One module of awx.awx that was run."""

    module: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """One run of the playbook."""

    status: int
    output: str
    calls: list[Call]

    def arguments(self, module: str, name: str = "") -> dict[str, Any]:
        """What the module was asked for: the one of this name, or the only one."""
        [found] = [
            call.arguments for call in self.calls if call.module == module and name in ("", call.arguments["name"])
        ]
        return found

    @cached_property
    def questions(self) -> dict[str, list[dict[str, Any]]]:
        """The survey of each template and workflow."""
        asking = [call.arguments for call in self.calls if "survey_spec" in call.arguments]
        return {arguments["name"]: arguments["survey_spec"]["spec"] for arguments in asking}


@dataclass
class Admin:
    """Somebody who sets AWX up, from a folder of their own."""

    folder: Path

    @property
    def record(self) -> Path:
        return self.folder / "calls.jsonl"

    def install_stand_ins(self) -> None:
        modules = self.folder / "collections" / "ansible_collections" / "awx" / "awx" / "plugins" / "modules"
        modules.mkdir(parents=True)
        for name in modules_used():
            (modules / f"{name}.py").write_text(_STAND_IN.replace("NAME", name), encoding="utf-8")

    def run(self, *arguments: str, **variables: str) -> Setup:
        """Run the playbook; `variables` are added to the environment."""
        return self._run(["ansible-playbook", "koophone.fleet.awx_setup", *arguments], variables)

    def shell(self, text: str) -> Setup:
        """Run commands of a shell."""
        return self._run(["bash", "-euc", text], {})

    def _run(self, command: list[str], variables: Mapping[str, str]) -> Setup:
        before = self._calls()
        own = os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".tree"))
        foreign = ("ANSIBLE_", "CONTROLLER_", "KOOPHONE_", "TOWER_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        process = subprocess.run(
            command,
            cwd=self.folder,
            env={
                **kept,
                "HOME": str(self.folder),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                "ANSIBLE_COLLECTIONS_PATH": f"{self.folder / 'collections'}{os.pathsep}{own}",
                "ANSIBLE_NOCOLOR": "1",
                "AWX_STAND_IN_FILE": str(self.record),
                "COLUMNS": "200",
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Setup(process.returncode, process.stdout, self._calls()[len(before) :])

    def _calls(self) -> list[Call]:
        if not self.record.exists():
            return []
        return [Call(**json.loads(line)) for line in self.record.read_text(encoding="utf-8").splitlines()]


def tasks() -> list[dict[str, Any]]:
    [play] = yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8"))
    listed: list[dict[str, Any]] = play["tasks"]
    return listed


def modules_used() -> list[str]:
    """The modules of awx.awx that the playbook needs."""
    return [key.removeprefix("awx.awx.") for task in tasks() for key in task if key.startswith("awx.awx.")]
