# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX runs them: ansible-runner sends them, runs them in a folder that holds nothing else, and reads back."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "examples" / "awx" / "project"
MODULE = "koophone.fleet.video_setting"
# What AWX shortens results beyond, and in doing so takes `changed` from them.
MOST_OF_A_RESULT = 700_000

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Outcome:
    """What AWX gets to know of a job."""

    status: str
    events: list[dict[str, Any]]

    @cached_property
    def output(self) -> str:
        return "\n".join(str(event["stdout"]) for event in self.events)

    @property
    def results(self) -> list[dict[str, Any]]:
        """What the module returned, as it is in the events."""
        return [
            event["event_data"]["res"]
            for event in self.events
            if event["event"] in ("runner_on_ok", "runner_on_failed")
            and event["event_data"].get("task_action") == MODULE
        ]

    @property
    def result(self) -> dict[str, Any]:
        [result] = self.results
        return result

    @property
    def changed(self) -> dict[str, int]:
        """The number of changes by host, as in the job's list of hosts."""
        [stats] = [event["event_data"]["changed"] for event in self.events if event["event"] == "playbook_on_stats"]
        return {str(host): int(number) for host, number in stats.items()}

    @property
    def artifacts(self) -> dict[str, Any]:
        """What the job published by set_stats; AWX takes it from the last event that has it."""
        published = [event["event_data"].get("artifact_data") for event in self.events]
        return next((dict(data) for data in reversed(published) if data), {})


@dataclass
class Job:
    """A job that has been started."""

    folder: Path
    worker: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End all its processes at once, as when the container of the job is gone."""
        pids = _with_descendants(self.worker.pid)
        # First nobody goes on, so that none of them can notice.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        self.worker.wait()

    def wait(self) -> Outcome:
        """Wait for its end, and read what came of it back into another folder, as AWX does."""
        self.worker.wait()
        received = self.folder / "received"
        with (self.folder / "results").open("rb") as results:
            processed = subprocess.run(
                [_runner(), "process", received],
                stdin=results,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_environment(self.folder),
                check=False,
            )
        events = [json.loads(path.read_bytes()) for path in received.rglob("job_events/*.json")]
        assert events, processed.stdout.decode() + (self.folder / "errors").read_text(encoding="utf-8")
        [status] = [path.read_text(encoding="utf-8") for path in received.rglob("status")]
        return Outcome(status, sorted(events, key=lambda event: int(event["counter"])))


@dataclass
class Controller:
    """What is set up in AWX: a project, and the environment that the credential makes."""

    folder: Path
    environment: dict[str, str]
    project: Path = PROJECT
    # A label of a file, and what is in it: what a credential's file injectors leave in the job's folder.
    files: dict[str, str] = field(default_factory=dict)

    def run(self, playbook: str, inventory: Mapping[str, Any], limit: str = "", **extra_vars: Any) -> Outcome:
        return self.start(playbook, inventory, limit, **extra_vars).wait()

    def start(self, playbook: str, inventory: Mapping[str, Any], limit: str = "", **extra_vars: Any) -> Job:
        """Start a job; `extra_vars` are those that AWX has put together from template, survey and workflow."""
        number = next(_numbers)
        folder = self.folder / f"job-{number}"
        sent, work = folder / "sent", folder / "work"
        for made in (sent / "env", sent / "inventory", folder / "home"):
            made.mkdir(parents=True)
        shutil.copytree(self.project, sent / "project")
        # AWX's inventory is a program that prints it.
        script = sent / "inventory" / "hosts"
        script.write_text(f"#!/usr/bin/env python3\nprint({json.dumps(inventory)!r})\n", encoding="utf-8")
        script.chmod(0o700)
        environment = {
            "AWX_PRIVATE_DATA_DIR": str(sent),
            "JOB_ID": str(number),
            "MAX_EVENT_RES": str(MOST_OF_A_RESULT),
            "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".tree")),
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "ANSIBLE_FORCE_COLOR": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            # The folder is /runner in the container of the job.
            **{name: value.replace("/runner/", f"{work}/") for name, value in self.environment.items()},
        }
        for name, text in self.files.items():
            (sent / "env" / name).write_text(text, encoding="utf-8")
        (sent / "env" / "envvars").write_text(json.dumps(environment), encoding="utf-8")
        (sent / "env" / "extravars").write_text(json.dumps({"awx_job_id": number, **extra_vars}), encoding="utf-8")
        if limit:
            (sent / "env" / "cmdline").write_text(f"-l {limit}", encoding="utf-8")
        with (folder / "transmitted").open("wb") as transmitted:
            subprocess.run(
                [_runner(), "transmit", sent, "--playbook", playbook, "--ident", str(number)],
                stdout=transmitted,
                env=_environment(folder),
                check=True,
            )
        # Nothing of what was sent is there any more where the job runs, nor is what an earlier one left.
        shutil.rmtree(sent)
        with (
            (folder / "transmitted").open("rb") as transmitted,
            (folder / "results").open("wb") as results,
            (folder / "errors").open("wb") as errors,
        ):
            worker = subprocess.Popen(
                [_runner(), "worker", "--private-data-dir", work],
                stdin=transmitted,
                stdout=results,
                stderr=errors,
                env=_environment(folder),
            )
        return Job(folder, worker)


def _with_descendants(pid: int) -> list[int]:
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of the program, in parentheses, may hold anything.
            parents[int(status.parent.name)] = int(status.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found


def _runner() -> Path:
    return Path(sys.executable).with_name("ansible-runner")


def _environment(folder: Path) -> dict[str, str]:
    """Nobody's settings but the job's own, and a home that is as new."""
    foreign = ("ANSIBLE_", "KOOPHONE_", "AWX_", "PG", "XDG_", "HUAWEICLOUD_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    # ansible-runner looks for ansible-playbook on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**kept, "HOME": str(folder / "home"), "PATH": path}


def inventory_of(ids: Iterable[str], groups: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """An inventory as AWX hands it to a job: each instance is a host of the same name."""
    hostvars = {
        name: {"koophone_instance_id": name, "remote_tower_enabled": "true", "remote_tower_id": number}
        for number, name in enumerate(ids, start=1)
    }
    children = {name: {"hosts": list(hosts)} for name, hosts in (groups or {}).items()}
    return {
        "all": {"hosts": list(hostvars), "vars": {}, "children": list(children)},
        **children,
        "_meta": {"hostvars": hostvars},
    }


def sliced(inventory: Mapping[str, Any], number: int, count: int) -> dict[str, Any]:
    """The hosts of one slice, which takes every third of three, and so on, in the order of their names."""
    hosts = sorted(inventory["_meta"]["hostvars"])[number - 1 :: count]
    return inventory_of(hosts)
