# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the module through Ansible, and what came of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MODULE = "koophone.fleet.video_setting"
NETWORKS = ("MOBILE_NETWORK", "WIFI", "WIRED")
CODECS = ("H264", "H265")
DEFINITIONS = ("540P", "720P", "1080P")


def settings(code_rate: Any = 6000, fps: Any = 60) -> dict[str, Any]:
    """Settings in the nested form, all specs alike."""
    return {n: {c: {d: {"code_rate": code_rate, "fps": fps} for d in DEFINITIONS} for c in CODECS} for n in NETWORKS}


def group(name: str, ids: Sequence[Any] = (), code_rate: Any = 6000, **fields: Any) -> dict[str, Any]:
    """An instance group; a field that is ... is left out."""
    value = {"name": name, "instance_ids": list(ids), "settings": settings(code_rate), **fields}
    return {field: content for field, content in value.items() if content is not ...}


def ids(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:05}" for number in range(count)]


@dataclass(frozen=True)
class Ran:
    """One run of ansible-playbook: its exit status, what it printed, and what the module returned at each task."""

    status: int
    output: str
    results: list[dict[str, Any]]

    @property
    def result(self) -> dict[str, Any]:
        """What the module returned at the only task."""
        (result,) = self.results
        return result

    @property
    def arguments(self) -> list[dict[str, Any]]:
        """The options as the module saw them, of all tasks; Ansible only prints them, with -vvv."""
        decoder = json.JSONDecoder()
        starts = (match.end() for match in re.finditer(r'"invocation": ', self.output))
        return [decoder.raw_decode(self.output, start)[0]["module_args"] for start in starts]

    @property
    def changed_lines(self) -> list[str]:
        """The lines that Ansible printed as changed, of all diffs."""
        return [
            line
            for line in self.output.splitlines()
            if line.startswith(("+", "-")) and not line.startswith(("+++ after", "--- before"))
        ]


@dataclass
class Ansible:
    """A user who runs ansible-playbook on localhost; nothing of the developer's own settings counts."""

    folder: Path
    url: str
    token: str

    @property
    def state_file(self) -> Path:
        return self.folder / "state" / "koophone" / "fleet.sqlite3"

    @property
    def connection(self) -> dict[str, str]:
        """Endpoint, token and state store, as options of the module."""
        return {"endpoint": self.url, "auth_token": self.token, "state_url": f"sqlite:///{self.state_file}"}

    def run(
        self,
        *tasks: Mapping[str, Any],
        flags: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        umask: int = 0o022,
        play: Mapping[str, Any] | None = None,
        **keywords: Any,
    ) -> Ran:
        """Run a play with one task of the module for each set of options, all of them whatever becomes of them.

        An option `task` holds keywords of that task alone; `keywords` are those of all tasks.
        """
        out, playbook = self.folder / "results.json", self.folder / "play.yml"
        out.unlink(missing_ok=True)
        steps: list[dict[str, Any]] = []
        for number, options in enumerate(tasks):
            own = {name: value for name, value in options.items() if name != "task"}
            step = {MODULE: own, "register": f"result_{number}", "ignore_errors": True}
            steps.append({"name": f"Task {number}", **step, **keywords, **options.get("task", {})})
        results = ", ".join(f"result_{number}" for number in range(len(tasks)))
        keep = {"content": "{{ [" + results + "] | to_json }}", "dest": str(out)}
        steps.append({"name": "Keep", "ansible.builtin.copy": keep, "check_mode": False, "diff": False, "no_log": True})
        document = [
            {"hosts": "localhost", "connection": "local", "gather_facts": False, **(play or {}), "tasks": steps}
        ]
        playbook.write_text(json.dumps(document), encoding="utf-8")
        kept = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "TMPDIR", "ANSIBLE_COLLECTIONS_PATH")
        process = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), *flags, playbook],
            cwd=self.folder,
            env={
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".tree"),
                **{name: os.environ[name] for name in kept if name in os.environ},
                "HOME": str(self.folder),
                "XDG_STATE_HOME": str(self.folder / "default-state"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_LOCALHOST_WARNING": "0",
                "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
                **(environment or {}),
            },
            umask=umask,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert out.exists(), process.stdout
        return Ran(process.returncode, process.stdout, json.loads(out.read_text(encoding="utf-8")))
