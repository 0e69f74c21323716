# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGTERM and Ctrl-C in mid-run, with the real ansible-playbook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulator.handle import Emulator
from tests.support.fleets import A, B, Fleet, ids_of

PATIENCE = 60.0


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.02)


def start(fleet: Fleet, folder: Path, count: int) -> subprocess.Popen[str]:
    """ansible-playbook in a process group of its own, sending requests one by one."""
    group = {
        "name": "g",
        "instance_ids": [f"g-{number:04}" for number in range(count)],
        "region": "cn-north-4",
        "settings": A.nested(),
    }
    options = {
        "instance_groups": [group],
        "endpoint": fleet.emulator.url,
        "auth_token": fleet.emulator.token,
        "service": fleet.service,
        "state_url": f"sqlite:///{fleet.path}",
        "batch_size": 1,
        "concurrency": 2,
        "settle": 3.0,
        "timeout": 20.0,
    }
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"koophone.fleet.video_setting": options}],
    }
    (folder / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    return subprocess.Popen(
        [Path(sys.executable).with_name("ansible-playbook"), "play.yml"],
        cwd=folder,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "200", "ANSIBLE_REMOTE_TEMP": str(folder / "remote")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def module_process(folder: Path) -> int | None:
    """The Python process that is the module; Ansible keeps its script below the folder."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        # The shell that starts it names the script too, though not as a word of its own.
        if any(w.endswith(b"AnsiballZ_video_setting.py") and str(folder).encode() in w for w in words[:2]):
            return int(file.parent.name)
    return None


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the process in /proc")
@pytest.mark.parametrize("how", ["SIGTERM to the module", "Ctrl-C"])
def test_run_that_is_told_to_stop_exits_quickly_and_leaves_marked_what_is_in_flight(
    fleet: Fleet, emulator: Emulator, tmp_path: Path, how: str
) -> None:
    group = fleet.group("g", 200, A)
    emulator.config(latency=0.05)
    # Ten requests are answered; two of the following never are.
    emulator.fault("late", seconds=60.0, then="hang", effect="none", ids=list(group.instance_ids[10:12]), times=None)
    process = start(fleet, tmp_path, 200)
    try:
        wait_for(lambda: emulator.count() >= 12, "the requests that are not answered")
        module = module_process(tmp_path)
        assert module is not None
        time.sleep(0.3)
        sent = emulator.count()
        if how == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        else:
            os.kill(module, signal.SIGTERM)
        # Were it to wait for what is in flight, that would take the time-out of 20 seconds.
        told = time.monotonic()
        wait_for(lambda: not Path(f"/proc/{module}").exists(), "the end of the module")
        assert time.monotonic() - told < 15.0
        output = process.communicate(timeout=PATIENCE)[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert emulator.count() == sent
    assert process.returncode != 0
    if how != "Ctrl-C":
        # On Ctrl-C, ansible-playbook itself has nobody left to tell it to.
        assert "The run ended early: the run was told to stop" in output
        assert "may still be carried out" in output

    done, doubtful = ids_of(group) - set(group.instance_ids[10:]), set(group.instance_ids[10:12])
    assert fleet.known(group).keys() == done
    emulator.clear_faults()
    emulator.config(latency=0.0)
    # Nobody has to wait for anything but the two; and when their time is over, for nothing.
    others = fleet.group("g", 200, B, add=False)
    outcomes = fleet.run(others, claim_timeout=0.0).outcomes
    assert outcomes.failed.keys() == doubtful
    assert outcomes.changed == ids_of(group) - doubtful
    assert emulator.conflicts() == []
