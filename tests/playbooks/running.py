# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running ansible-playbook, and what came of it."""

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

ROOT = Path(__file__).resolve().parents[2]
MODULE = "koophone.fleet.video_setting"
PLAN, APPLY, DRIFT = "koophone.fleet.plan", "koophone.fleet.apply", "koophone.fleet.drift"


@dataclass(frozen=True)
class Run:
    """One run of ansible-playbook."""

    status: int
    output: str
    events: list[dict[str, Any]]

    @property
    def changed(self) -> bool:
        return bool(self.module["changed"])

    @cached_property
    def results(self) -> list[dict[str, Any]]:
        """What the module returned, at each time that it ran."""
        return [
            event["result"]
            for event in self.events
            if event["action"] == MODULE and event["event"] in ("runner_on_ok", "runner_on_failed")
        ]

    @property
    def module(self) -> dict[str, Any]:
        [result] = self.results
        return result

    @property
    def summary(self) -> dict[str, int]:
        summary: dict[str, int] = self.module["summary"]
        return summary

    @property
    def outcome(self) -> list[str]:
        """The lines of `Show the outcome`, of all times that it ran."""
        shown = [event["result"]["msg"] for event in self.events if self._is_result(event, "Show the outcome")]
        return [line for lines in shown for line in lines]

    @property
    def failure(self) -> str:
        """The last line of the outcome that the role failed with."""
        failures = [event for event in self.events if event["event"] == "runner_on_failed"]
        [lines] = [event["result"]["msg"] for event in failures if event["task"] == "Show the outcome"]
        return str(lines[-1])

    @property
    def published(self) -> dict[str, Any]:
        """What `set_stats` published."""
        return {
            name: value
            for event in self.events
            if event["action"] == "ansible.builtin.set_stats" and event["event"] == "runner_on_ok"
            for name, value in event["result"]["ansible_stats"]["data"].items()
        }

    @staticmethod
    def _is_result(event: Mapping[str, Any], task: str) -> bool:
        return event["event"] in ("runner_on_ok", "runner_on_failed") and event["task"] == task


@dataclass
class Ansible:
    """A user who starts ansible-playbook in a folder of their own."""

    folder: Path
    home: Path
    url: str
    token: str

    @property
    def state_file(self) -> Path:
        return self.home / "fleet.sqlite3"

    def write(self, name: str, text: str) -> None:
        """Put a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(self, *arguments: str, **variables: str | None) -> Run:
        """Run ansible-playbook; `variables` are added to the environment, or with None taken from it."""
        record = self.home / "events.jsonl"
        record.unlink(missing_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KOOPHONE_"))}
        environment = {
            **kept,
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".tree")),
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callbacks")),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_RETRY_FILES_ENABLED": "0",
            "COLUMNS": "200",
            "RECORDER_FILE": str(record),
            "KOOPHONE_ENDPOINT": self.url,
            "KOOPHONE_AUTH_TOKEN": self.token,
            "KOOPHONE_STATE_URL": f"sqlite:///{self.state_file}",
            **variables,
        }
        process = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), *arguments],
            cwd=self.folder,
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
        return Run(process.returncode, process.stdout, [json.loads(line) for line in lines])
