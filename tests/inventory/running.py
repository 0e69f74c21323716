# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running ansible-inventory and ansible-playbook with the plugin, and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIST = "/v1/instances/batch-query"
PLUGIN = "plugin: koophone.fleet.instances\n"
# With this, Ansible takes an inventory source that failed for a failure.
STRICT = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"}


@dataclass(frozen=True)
class Run:
    """One run of a command of Ansible. `said` is what it said apart from its output proper, as one line."""

    status: int
    output: str
    errors: str

    @property
    def said(self) -> str:
        return " ".join(self.errors.split())

    @property
    def listed(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.output)
        return document

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """The variables of each host, as `ansible-inventory --list` has them."""
        return {host: {name: _text(value) for name, value in has.items()} for host, has in self.raw_hosts.items()}

    @property
    def raw_hosts(self) -> dict[str, dict[str, Any]]:
        hosts: dict[str, dict[str, Any]] = self.listed["_meta"]["hostvars"]
        return hosts

    def members(self, group: str) -> list[str]:
        members: list[str] = self.listed[group]["hosts"]
        return sorted(members)


def _text(value: Any) -> Any:
    """Since ansible-core 2.19, text that is no template for sure is shown like this."""
    return value["__ansible_unsafe"] if isinstance(value, dict) and list(value) == ["__ansible_unsafe"] else value


@dataclass
class Ansible:
    """A user in a folder of their own, with nothing but the environment to tell where the service is."""

    folder: Path
    home: Path
    url: str
    token: str

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def inventory(self, *arguments: str, **variables: str | None) -> Run:
        """Run ansible-inventory on the folder's `koophone.yml`, unless another inventory is named."""
        source = () if "-i" in arguments else ("-i", "koophone.yml")
        return self.run("ansible-inventory", *source, *(arguments or ("--list",)), **variables)

    def run(self, command: str, *arguments: str, **variables: str | None) -> Run:
        """`variables` are added to the environment, or with None taken from it."""
        foreign = ("ANSIBLE_", "KOOPHONE_", "HUAWEICLOUD_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        environment = {
            **kept,
            "HOME": str(self.home),
            "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".tree")),
            "ANSIBLE_NOCOLOR": "1",
            "COLUMNS": "200",
            "KOOPHONE_ENDPOINT": self.url,
            "KOOPHONE_AUTH_TOKEN": self.token,
            "KOOPHONE_RETRIES": "0",
            "KOOPHONE_STATE_URL": f"sqlite:///{self.home}/fleet.sqlite3",
            **variables,
        }
        process = subprocess.run(
            [Path(sys.executable).with_name(command), *arguments],
            cwd=self.folder,
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(process.returncode, process.stdout, process.stderr)
