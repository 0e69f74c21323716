# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Four processes with conflicting desires on the same instances, some of them paused for longer than a claim lasts."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Status
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import records_of
from tests.emulator.handle import Emulator
from tests.races.evidence import Evidence, compared, digest, digest_of_palette, lies
from tests.races.play import CALM
from tests.races.processes import Process, Processes
from tests.races.run import RunSpec, Timing, location_of

SERVICE = "https://service.example"
INSTANCES = [f"instance-{number:03}" for number in range(500)]
PROCESSES = 4
ROUNDS = 2
TIMING = Timing(timeout=0.6, settle=0.8, lease=0.8)
# Longer than a claim, and than a claim and all doubts together.
PAUSES = (1.5 * TIMING.lease, TIMING.lease + TIMING.grace + 0.5)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running
        assert running.log() == ""


def test_four_processes_never_send_different_settings_at_once_and_the_store_agrees_with_the_truth(
    emulator: Emulator, state_url: str, processes: Processes
) -> None:
    rng = random.Random(20)
    emulator.reset()
    emulator.add(INSTANCES, region="cn-south-1")
    _trouble(emulator)
    spec = RunSpec(
        name="",
        service=SERVICE,
        endpoint=emulator.url,
        state_url=state_url,
        desired={},
        batch_size=50,
        concurrency=3,
        retries=2,
        claim_timeout=2.0,
        timing=TIMING,
    )
    left = [ROUNDS] * PROCESSES
    running: list[Process | None] = [None] * PROCESSES
    pause_next = time.monotonic() + 1.0
    while any(left) or any(running):
        for place in range(PROCESSES):
            process = running[place]
            if process is not None:
                process.continue_in_time()
                if not process.ended():
                    continue
                process.outcome()
                running[place] = None
            if left[place]:
                left[place] -= 1
                running[place] = processes.start(replace(spec, desired=_desired(place + left[place])))
        awake = [process for process in running if process is not None and process.paused is None]
        if len(awake) > 1 and time.monotonic() >= pause_next:
            rng.choice(awake).pause(rng.choice(PAUSES))
            pause_next = time.monotonic() + rng.uniform(0.3, 0.8)
        _look(emulator, state_url, processes)
        time.sleep(0.05)
    _let_requests_land(emulator)
    assert sum(len(process.sender.pauses) for process in processes.all) >= PROCESSES
    assert Evidence(emulator, [process.sender for process in processes.all]).conflicts() == []
    _look(emulator, state_url, processes)

    emulator.clear_faults()
    last = processes.start(replace(spec, desired=_desired(0), timing=CALM, claim_timeout=20.0))
    last.running.wait()
    outcome = last.outcome()
    assert (outcome["failed"], outcome["not_attempted"], outcome["ended_by"]) == ({}, [], None)
    _let_requests_land(emulator)
    records = {
        record.instance_id: record for record in records_of(location_of(state_url), SERVICE, None, history=False)
    }
    truth = emulator.state(INSTANCES)
    for instance_id, number in _desired(0).items():
        assert records[instance_id].status is Status.APPLIED
        assert digest(records[instance_id]) == truth[instance_id]["settings_digest"] == digest_of_palette(number)
    assert Evidence(emulator, [process.sender for process in processes.all]).conflicts() == []


def _desired(number: int) -> dict[str, int]:
    """Everybody wants all instances, each something else, and some of it is what another one wants."""
    return {
        instance_id: (number + position // 125) % PROCESSES if position % 10 else 9
        for position, instance_id in enumerate(INSTANCES)
    }


def _trouble(emulator: Emulator) -> None:
    """For as long as it is not taken back; nothing comes later than the API promises."""
    late = TIMING.grace - 0.4
    emulator.fault("latency", seconds=0.1, times=None, probability=0.5, seed=1)
    emulator.fault("late", seconds=late, then="drop", times=None, probability=0.15, seed=2)
    emulator.fault("late", seconds=late, then="hang", effect="partial", times=None, probability=0.1, seed=3)
    emulator.fault("late", seconds=late / 2, then="error", times=None, probability=0.1, seed=4)
    emulator.fault("drop", effect="partial", times=None, probability=0.1, seed=5)
    emulator.fault("error", effect="full", times=None, probability=0.1, seed=6)
    emulator.fault("throttle", retry_after=0, times=None, probability=0.05, seed=7)


def _let_requests_land(emulator: Emulator) -> None:
    while any(entry["effect_pending"] for entry in emulator.requests()):
        time.sleep(0.05)


def _look(emulator: Emulator, state_url: str, processes: Processes) -> None:
    """While runs go on: what the store says before and after a look at the truth, it said all the time in between."""
    path = location_of(state_url).path
    if path is not None and (not path.exists() or any(process.paused for process in processes.all)):
        # A process that is paused in the middle of a transaction keeps an SQLite file locked.
        return
    before = {record.instance_id: record for record in records_of(location_of(state_url), SERVICE, None, history=False)}
    truth = emulator.state(INSTANCES)
    wrong = lies(list(before.values()), truth)
    if wrong:
        after = records_of(location_of(state_url), SERVICE, None, history=False)
        still = [record for record in after if record in wrong]
        late = Evidence(emulator, [process.sender for process in processes.all]).late()
        assert late or not still, compared(still[0], truth)
