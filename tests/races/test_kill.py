# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's own process, killed in the middle of a run; and what the next runs make of it. Through Ansible."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._sending import LEASE
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Record, Status
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import records_of
from tests.emulator.handle import Emulator
from tests.races.evidence import digest, lies
from tests.races.run import location_of, palette

INSTANCES = [f"instance-{number:04}" for number in range(1000)]
# Long enough for Ansible to start again within that time on a busy machine.
TIMEOUT, SETTLE = 2.0, 6.0


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        running.add(INSTANCES, region="cn-south-1")
        yield running
        assert running.log() == ""


@dataclass
class Module:
    """One task with the module, started by Ansible."""

    running: subprocess.Popen[str]
    state_url: str

    def kill(self) -> None:
        """Kill the module's own process: it is in no process group or session of Ansible's."""
        os.kill(self._pid(), signal.SIGKILL)

    def end(self) -> tuple[dict[str, Any], str]:
        """What the module returned ({} if it did not), and all that Ansible said."""
        output, errors = self.running.communicate()
        found = re.search(r"(?:=>|>>) (\{.*\})\s*$", output, re.DOTALL)
        with contextlib.suppress(json.JSONDecodeError):
            if found is not None:
                return dict(json.loads(found[1])), output + errors
        return {}, output + errors

    def _pid(self) -> int:
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                command = (process / "cmdline").read_bytes().split(b"\0")
                # Ansible's own processes and the shells in between name the module as well, but they are not Python
                # with a script as its first argument.
                is_module = len(command) > 1 and b"AnsiballZ_video_setting" in command[1]
                if is_module and self.state_url.encode() in (process / "environ").read_bytes():
                    return int(process.name)
        raise AssertionError("the module's process is not there")


@dataclass
class Task:
    """How to start the module on all instances."""

    emulator: Emulator
    state_url: str
    home: Path

    def start(self, number: int) -> Module:
        group = {"name": "all", "instance_ids": INSTANCES, "settings": palette(number).nested()}
        arguments = {
            "instance_groups": [group],
            "concurrency": 2,
            "timeout": TIMEOUT,
            "settle": SETTLE,
            "service": "test",
        }
        command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-i", "localhost,", "-c", "local"]
        command += ["-e", f"ansible_python_interpreter={sys.executable}", "-m", "koophone.fleet.video_setting"]
        return Module(
            subprocess.Popen(
                [*command, "-a", json.dumps(arguments)],
                cwd=self.home,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ),
            self.state_url,
        )

    def _environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KOOPHONE_"))}
        kept.pop("CI", None)
        return {
            **kept,
            "HOME": str(self.home),
            "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
            "ANSIBLE_NOCOLOR": "1",
            "KOOPHONE_ENDPOINT": self.emulator.url,
            "KOOPHONE_AUTH_TOKEN": self.emulator.token,
            "KOOPHONE_STATE_URL": self.state_url,
        }

    def records(self) -> dict[str, Record]:
        found = records_of(location_of(self.state_url), "test", None, history=False)
        return {record.instance_id: record for record in found}

    def unknown(self) -> set[str]:
        records = self.records()
        return {i for i in INSTANCES if i not in records or records[i].status is Status.UNKNOWN}

    def assert_applied(self, number: int) -> None:
        records, truth = self.records(), self.emulator.state(INSTANCES)
        assert self.unknown() == set()
        assert lies(list(records.values()), truth) == []
        assert {digest(record) for record in records.values()} == {self.emulator.applied(INSTANCES[0])}
        assert self.emulator.settings_of(INSTANCES[0]) == palette(number).nested()


@pytest.fixture
def task(emulator: Emulator, state_url: str, tmp_path: Path) -> Task:
    return Task(emulator, state_url, tmp_path)


def _kill_in_the_middle(task: Task, number: int) -> float:
    """Kill a run when some of its requests were confirmed and others are on their way; returns when (monotonic)."""
    task.emulator.config(latency=0.4)
    before = len(task.emulator.requests())
    module = task.start(number)
    _until(lambda: len(task.emulator.requests()) >= before + 6)
    module.kill()
    killed_at = time.monotonic()
    returned, said = module.end()
    assert "summary" not in returned, said
    task.emulator.config(latency=0.0)
    return killed_at


def _until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_the_same_run_again_after_a_kill_waits_for_nobody_and_sends_only_what_was_not_confirmed(task: Task) -> None:
    _kill_in_the_middle(task, 1)
    unknown = task.unknown()
    assert 0 < len(unknown) < len(INSTANCES)
    before = len(task.emulator.requests())
    returned, said = task.start(1).end()
    assert returned.get("failed") is not True, said
    assert returned["summary"]["changed"] == len(unknown)
    sent = [entry["instance_ids"] for entry in task.emulator.requests()[before:]]
    assert sorted(instance_id for ids in sent for instance_id in ids) == sorted(unknown)
    assert len(sent) == -(-len(unknown) // 100)
    # What it waits for, a run says.
    assert "aiting for" not in said
    assert task.emulator.conflicts() == []
    task.assert_applied(1)
    returned, _said = task.start(1).end()
    assert returned["changed"] is False


def test_another_run_after_a_kill_waits_as_long_as_it_must_and_says_what_for(task: Task) -> None:
    returned, said = task.start(0).end()
    assert returned.get("changed") is True, said
    killed_at = _kill_in_the_middle(task, 1)
    truth, records = task.emulator.state(INSTANCES), task.records()
    assert lies(list(records.values()), truth) == []
    in_doubt = task.unknown()
    # Two requests were on their way, and at most twice as many were next.
    assert 0 < len(in_doubt) <= 600
    before = len(task.emulator.requests())
    returned, said = task.start(2).end()
    assert returned.get("failed") is not True, said
    assert returned["summary"]["changed"] == len(INSTANCES)
    assert "aiting for" in said
    assert "claimed by run" in said or "may still be carried out" in said
    assert socket.gethostname() in said
    task.assert_applied(2)
    assert task.emulator.conflicts() == []
    # As long as it must: what was given up by the kill may be carried out for the time of `settle` after it. And no
    # longer: the claim of a killed run ends, and after it the time of what that may have sent.
    again = [
        entry["received_at"] for entry in task.emulator.requests()[before:] if in_doubt & set(entry["instance_ids"])
    ]
    assert min(again) > killed_at + SETTLE
    assert min(again) < killed_at + LEASE + TIMEOUT + SETTLE + 10
