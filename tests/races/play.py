# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry a sequence out, and compare what the state store says with what the emulator did."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._state import sqlite
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Record, Run, StateError, Status
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import open_store, records_of
from tests.emulator.handle import Control
from tests.races import sequence as drawing
from tests.races.evidence import Evidence, Sender, compared, digest, digest_of_palette, lies
from tests.races.run import RunSpec, Timing, carry_out, location_of, write_result

# What no run may take, pauses aside.
_HUNG_AFTER = 30.0
_POLL = 0.003
# The last run is not hurried: a machine that is busy with other sequences must not make it fail.
CALM = Timing(timeout=3.0, settle=0.2, lease=3.0)


class LieError(AssertionError):
    """The state store said what is not so, or one of the other promises was broken."""


class VoidError(Exception):
    """A request was carried out later than the API promises: what follows from it proves nothing.

    That is so where a pause falls between the last look at the clock and the first byte, and where this machine is
    too busy for the short times of these tests.
    """


@dataclass
class Child:
    """A run in a process of its own. Times are on the monotonic clock."""

    pid: int
    spec: RunSpec
    log: Path
    result: Path
    stacks: Path
    began: float
    pause: float = 0.0
    killed_when_paused: bool = False
    at: list[tuple[float, str]] = field(default_factory=list)
    pauses: list[tuple[float, float]] = field(default_factory=list)
    stopped_since: float | None = None
    ended: bool = False

    def awake_for(self, now: float) -> float:
        return now - self.began - sum(end - start for start, end in self.pauses)


class World:
    """The emulator and the state store of one sequence after the other."""

    def __init__(self, emulator: Control, postgresql_url: str | None, folder: Path, *, breakage: str = "") -> None:
        """Without a URL of PostgreSQL the state store is an SQLite file in `folder`."""
        self.emulator = emulator
        self._postgresql_url = postgresql_url
        self._folder = folder
        self._breakage = breakage
        self._number = 0

    def run(self, sequence: drawing.Sequence) -> dict[str, int]:
        """Raises `LieError` or `VoidError`; returns figures that show what the sequence covered."""
        self._number += 1
        folder = Path(tempfile.mkdtemp(prefix="sequence-", dir=self._folder))
        try:
            state_url = self._postgresql_url or f"sqlite:///{folder}/state/fleet.sqlite3"
            service = f"service-{os.getpid()}-{self._number}"
            playing = _Playing(self.emulator, sequence, folder, state_url, service, self._breakage)
            try:
                return playing.play()
            finally:
                playing.end()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _Playing:
    def __init__(
        self,
        emulator: Control,
        sequence: drawing.Sequence,
        folder: Path,
        state_url: str,
        service: str,
        breakage: str,
    ) -> None:
        self._emulator = emulator
        self._sequence = sequence
        self._folder = folder
        self._state_url = state_url
        self._service = service
        self._breakage = breakage
        self._children: list[Child] = []
        # Parent's own looks never wait for a run that is paused in the middle of a transaction.
        sqlite.BUSY_TIMEOUT = 0.05

    # --- the steps ---------------------------------------------------------------------------------------------------

    def play(self) -> dict[str, int]:
        sequence, emulator = self._sequence, self._emulator
        emulator.reset()
        emulator.config(on_refusal=sequence.on_refusal, seed=sequence.seed)
        self._calm_instances()
        for step in sequence.steps:
            self._do(step)
            self._let(step.then)
            self._check()
        self._let(None)
        emulator.clear_faults()
        self._calm_instances()
        self._check()
        self._final()
        kills = sum(child.result.exists() is False for child in self._children)
        pauses = sum(len(child.pauses) for child in self._children)
        return {
            "runs": len(self._children),
            "killed": kills,
            "pauses": pauses,
            "requests": len(emulator.requests()),
        }

    def end(self) -> None:
        for child in self._children:
            if not child.ended:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                child.ended = True

    def _calm_instances(self) -> None:
        for region in {self._sequence.region_of(i) for i in self._sequence.ids}:
            ids = [i for i in self._sequence.ids if self._sequence.region_of(i) == region]
            self._emulator.add(ids, region=region, kind="ok")

    def _do(self, step: drawing.Step) -> None:
        ids, given = self._sequence.ids, step.given
        if step.do == "faults":
            self._emulator.clear_faults()
            self._emulator.call("POST", "faults", given["faults"])
        elif step.do == "kinds":
            for index, (kind, passes_after) in given.items():
                attributes = {} if passes_after is None else {"passes_after": passes_after}
                self._emulator.add([ids[int(index)]], kind=kind, **attributes)
        elif step.do == "forget":
            self._fork_forget([ids[index] for index in given["instances"]])
        else:
            self._start(given)

    def _start(self, given: dict[str, Any]) -> None:
        ids, sequence = self._sequence.ids, self._sequence
        desired = {ids[int(index)]: number for index, number in given["desired"].items()}
        child = self._fork(
            self._spec(
                desired,
                batch_size=given["batch_size"],
                concurrency=given["concurrency"],
                retries=given["retries"],
                claim_timeout=given["claim_timeout"],
                force=given["force"],
                timing=sequence.timing,
                strikes=tuple((event, number, name) for event, number, name in given.get("strikes", ())),
            )
        )
        child.pause = given.get("pause", 0.0)
        child.killed_when_paused = given.get("killed", False)
        for name, action in (("kill_after", "kill"), ("stop_after", "stop"), ("tell_after", "tell")):
            if name in given:
                child.at.append((child.began + given[name], action))

    def _spec(self, desired: dict[str, int], **options: Any) -> RunSpec:
        sequence = self._sequence
        regions = {i: sequence.region_of(i) for i in desired} if sequence.regions == "known" else {}
        spec = RunSpec(
            name=f"{self._service}-run-{len(self._children)}",
            service=self._service,
            endpoint=self._emulator.url,
            state_url=self._state_url,
            desired=desired,
            regions=regions,
            breakage=self._breakage,
        )
        return replace(spec, **options)

    def _fork(self, spec: RunSpec) -> Child:
        log = self._folder / f"log-{len(self._children)}"
        return self._begin(spec, log, lambda: carry_out(spec, log))

    def _fork_forget(self, ids: list[str]) -> None:
        spec = self._spec({})

        def forget() -> dict[str, Any]:
            sqlite.BUSY_TIMEOUT = 20.0
            store = open_store(location_of(self._state_url))
            store.forget(Run(spec.name), self._service, ids)
            store.close()
            return {}

        self._begin(spec, self._folder / "no-log", forget)

    def _begin(self, spec: RunSpec, log: Path, work: Callable[[], dict[str, Any]]) -> Child:
        number = len(self._children)
        result, stacks = self._folder / f"result-{number}", self._folder / f"stacks-{number}"
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            try:
                with stacks.open("w", encoding="utf-8") as file:
                    faulthandler.register(signal.SIGUSR1, file)
                    write_result(result, work)
            finally:
                os._exit(0)
        child = Child(pid, spec, log, result, stacks, began)
        self._children.append(child)
        return child

    def _final(self) -> None:
        """With nothing in the way, one more run brings everything to what is desired, and the store says so."""
        desired = dict(zip(self._sequence.ids, self._sequence.final, strict=True))
        child = self._fork(self._spec(desired, claim_timeout=15.0, retries=5, timing=CALM))
        self._let(None)
        result = json.loads(child.result.read_text(encoding="utf-8"))
        if result.get("error") or result["failed"] or result["ended_by"] or result["not_attempted"]:
            raise self._verdict(f"the last run, with nothing in its way, did not do everything: {result}")
        self._let_requests_land()
        records = {record.instance_id: record for record in self._records() or ()}
        truth = self._emulator.state(self._sequence.ids)
        for instance_id, number in desired.items():
            record = records.get(instance_id)
            if record is None or record.status is not Status.APPLIED or record.last is None:
                raise self._verdict(f"{instance_id} is not known after the last run")
            if not digest(record) == truth[instance_id]["settings_digest"] == digest_of_palette(number):
                raise self._verdict(f"{compared(record, truth)}, and desired is {number}")
        self._check()

    def _let_requests_land(self) -> None:
        while any(entry["effect_pending"] for entry in self._emulator.requests()):
            time.sleep(0.01)

    # --- the processes -----------------------------------------------------------------------------------------------

    def _let(self, seconds: float | None) -> None:
        """Let the runs go on for a time, or with None until all have ended."""
        ends = None if seconds is None else time.monotonic() + seconds
        while True:
            now = time.monotonic()
            running = [child for child in self._children if not child.ended]
            for child in running:
                self._attend(child, now)
            if (ends is None and not running) or (ends is not None and now >= ends):
                return
            time.sleep(_POLL)

    def _attend(self, child: Child, now: float) -> None:
        pid, status = os.waitpid(child.pid, os.WNOHANG | os.WUNTRACED)
        if pid and os.WIFSTOPPED(status):
            child.stopped_since = now
            child.at.append((now + child.pause, "kill" if child.killed_when_paused else "continue"))
        elif pid:
            child.ended = True
            self._look_at_end(child)
            return
        for at, action in [item for item in child.at if item[0] <= now]:
            child.at.remove((at, action))
            if action == "continue" and child.stopped_since is not None:
                child.pauses.append((child.stopped_since, time.monotonic()))
                child.stopped_since = None
            number = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "tell": signal.SIGTERM}
            os.kill(child.pid, number.get(action, signal.SIGCONT))
        if child.stopped_since is None and child.awake_for(now) > _HUNG_AFTER:
            raise LieError(f"a run hangs: {child.spec}\n{self._stacks(child)}")

    def _stacks(self, child: Child) -> str:
        """Where all threads of a run are."""
        os.kill(child.pid, signal.SIGUSR1)
        time.sleep(0.5)
        return child.stacks.read_text(encoding="utf-8") + Path(f"/proc/{child.pid}/stat").read_text(encoding="ascii")

    def _look_at_end(self, child: Child) -> None:
        now = time.monotonic()
        if child.stopped_since is not None:
            child.pauses.append((child.stopped_since, now))
            child.stopped_since = None
        if not child.result.exists():
            return
        result = json.loads(child.result.read_text(encoding="utf-8"))
        if "traceback" in result:
            raise LieError(f"a run broke down: {child.spec}\n{result['traceback']}")
        if result.get("kind") == "StateError":
            raise LieError(f"a run could not use its state store: {result['error']}")

    # --- the comparison ----------------------------------------------------------------------------------------------

    def _check(self) -> None:
        self._check_memory()
        self._check_flights()

    def _check_memory(self) -> None:
        records = self._records()
        if not records:
            return
        truth = self._emulator.state(self._sequence.ids)
        wrong = lies(records, truth)
        if not wrong:
            return
        # Runs go on meanwhile. What is known after as it was before was so all the time in between: a request would
        # have been preceded by a mark, and a mark would have been followed by another confirmation.
        again = {record.instance_id: record for record in self._records() or ()}
        for record in wrong:
            if again.get(record.instance_id) == record:
                raise self._verdict(compared(record, truth))

    def _records(self) -> Sequence[Record] | None:
        """What the store says; None where a run that is paused keeps it locked."""
        try:
            return records_of(location_of(self._state_url), self._service, None, history=False)
        except StateError as error:
            if "locked" in str(error):
                return None
            raise LieError(f"the state store cannot be read: {error}") from error

    def _check_flights(self) -> None:
        for conflict in self._evidence().conflicts():
            raise self._verdict(conflict)

    def _verdict(self, text: str) -> LieError | VoidError:
        late = self._evidence().late()
        return VoidError("; ".join(late)) if late else LieError(text)

    def _evidence(self) -> Evidence:
        now = time.monotonic()
        senders = []
        for child in self._children:
            still = [] if child.stopped_since is None else [(child.stopped_since, now)]
            senders.append(Sender(child.spec.timing, child.log, [*child.pauses, *still]))
        return Evidence(self._emulator, senders)


def shorten(world: World, sequence: drawing.Sequence, *, tries: int = 4, most: int = 60) -> drawing.Sequence:
    """A sequence with as few steps as possible that still lies; timing is a matter of luck, hence several tries."""
    left = most

    def lies(candidate: drawing.Sequence) -> bool:
        nonlocal left
        for _unused in range(tries):
            if left <= 0:
                return False
            left -= 1
            try:
                with contextlib.suppress(VoidError):
                    world.run(candidate)
            except LieError:
                return True
        return False

    index = len(sequence.steps)
    while index > 0 and left > 0:
        index -= 1
        shorter = replace(sequence, steps=sequence.steps[:index] + sequence.steps[index + 1 :])
        if lies(shorter):
            sequence = shorter
    return sequence
