# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gap that no client can close: a pause between the last look at the clock and the first byte.

A run that outlives it finds out, and takes back what it has made untrue.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Record, Status
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import records_of
from tests.emulator.handle import Emulator
from tests.races.evidence import digest_of_palette, lies
from tests.races.play import CALM
from tests.races.processes import Processes
from tests.races.run import RunSpec, Timing, location_of

SERVICE = "https://service.example"
INSTANCES = [f"instance-{number}" for number in range(6)]
SHORT = Timing(timeout=0.5, settle=0.2, lease=0.5)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        running.add(INSTANCES, region="cn-south-1")
        yield running
        assert running.log() == ""


def test_a_run_paused_before_its_first_byte_takes_back_what_it_has_made_untrue(
    emulator: Emulator, processes: Processes, tmp_path: Path
) -> None:
    spec = RunSpec(
        name="",
        service=SERVICE,
        endpoint=emulator.url,
        state_url=f"sqlite:///{tmp_path}/state/fleet.sqlite3",
        desired=dict.fromkeys(INSTANCES, 1),
        batch_size=100,
        # Once it has lost its claim it does not wait for it, so that what it leaves behind can be seen.
        claim_timeout=0.0,
        timing=SHORT,
        strikes=(("send", 1, "SIGSTOP"),),
    )
    paused = processes.start(spec)
    _until_stopped(paused.running.pid)
    other = processes.start(
        replace(spec, desired=dict.fromkeys(INSTANCES[:3], 2), claim_timeout=10.0, timing=CALM, strikes=())
    )
    other.running.wait()
    assert other.outcome()["changed"] == INSTANCES[:3]
    assert {record.instance_id for record in _known(spec)} == set(INSTANCES[:3])
    # A third one has claimed some of them and sent, when the first goes on.
    third = processes.start(
        replace(spec, desired=dict.fromkeys(INSTANCES[:2], 3), timing=CALM, strikes=(("sent", 1, "SIGSTOP"),))
    )
    _until_stopped(third.running.pid)
    os.kill(paused.running.pid, signal.SIGCONT)
    paused.running.wait()
    # The third has its answer, and yet it is not what was carried out last.
    assert emulator.applied(INSTANCES[0]) == digest_of_palette(1)
    assert lies(_known(spec), emulator.state(INSTANCES)) == []
    os.kill(third.running.pid, signal.SIGCONT)
    third.running.wait()
    assert lies(_known(spec), emulator.state(INSTANCES)) == []
    last = processes.start(replace(spec, timing=CALM, claim_timeout=20.0, strikes=()))
    last.running.wait()
    assert lies(_known(spec), emulator.state(INSTANCES)) == []
    assert {record.instance_id for record in _known(spec)} == set(INSTANCES)


def _known(spec: RunSpec) -> list[Record]:
    found = records_of(location_of(spec.state_url), SERVICE, None, history=False)
    return [record for record in found if record.status is Status.APPLIED]


def _until_stopped(pid: int) -> None:
    ends = time.monotonic() + 30
    while Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < ends
        time.sleep(0.02)
