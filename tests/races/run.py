# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run, as the module carries it out, in a process that may be killed or paused at any of its moments."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils import _apply, _pace, _sending
from ansible_collections.koophone.fleet.plugins.module_utils._client import Client
from ansible_collections.koophone.fleet.plugins.module_utils._guard import Guard, RefusedError
from ansible_collections.koophone.fleet.plugins.module_utils._job import Job, SendOptions
from ansible_collections.koophone.fleet.plugins.module_utils._limits import parse_portion
from ansible_collections.koophone.fleet.plugins.module_utils._module import StopSignal
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Options, Target
from ansible_collections.koophone.fleet.plugins.module_utils._settings import SPEC_KEYS, Settings, Spec
from ansible_collections.koophone.fleet.plugins.module_utils._state import sqlite
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Run, StateError
from ansible_collections.koophone.fleet.plugins.module_utils._state._location import Location, parse_state_url
from ansible_collections.koophone.fleet.plugins.module_utils._state._store import SqlStore
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import look_at, open_store
from ansible_collections.koophone.fleet.plugins.module_utils._state.postgresql import PostgresqlStore
from ansible_collections.koophone.fleet.plugins.module_utils._transport import Transport
from tests.races.breakage import break_on_purpose

# The moments at which a run may be told to end or to pause itself.
EVENTS = ("look", "open", "sql", "commit", "committed", "send", "sent")


@dataclass(frozen=True)
class Timing:
    """The times of the protocol in seconds: as in the collection, only shorter."""

    timeout: float = 0.2
    settle: float = 0.4
    lease: float = 0.3

    @property
    def grace(self) -> float:
        return self.timeout + self.settle


@dataclass(frozen=True)
class RunSpec:
    """What a run is to do. `desired` is a palette number (see `palette`) for each instance.

    A strike is an event, its how-manieth occurrence, and the name of the signal that the run then sends itself.
    """

    name: str
    service: str
    endpoint: str
    state_url: str
    desired: Mapping[str, int]
    token: str = "emulator-token"
    regions: Mapping[str, str] = field(default_factory=dict)
    batch_size: int = 3
    concurrency: int = 2
    retries: int = 2
    claim_timeout: float = 1.0
    force: bool = False
    max_changed: str = ""
    approved_plan: str = ""
    timing: Timing = Timing()
    strikes: tuple[tuple[str, int, str], ...] = ()
    breakage: str = ""

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RunSpec:
        given = json.loads(text)
        strikes = tuple(tuple(strike) for strike in given["strikes"])
        return cls(**{**given, "timing": Timing(**given["timing"]), "strikes": strikes})


def palette(number: int) -> Settings:
    """Settings that differ from those of every other number."""
    return Settings(tuple(Spec(100 + 100 * number, 30) for _unused in SPEC_KEYS))


def location_of(state_url: str) -> Location:
    mistakes: list[str] = []
    location = parse_state_url(state_url, mistakes)
    assert location is not None, mistakes
    return location


def shorten_times(timing: Timing) -> None:
    """Let this process live faster than the collection does: all of its times, none of its rules."""
    for module, shorter in (
        (_sending, {"LEASE": timing.lease, "_HEARTBEAT": timing.lease / 4, "_ATTENTION": 0.05, "_FAREWELL": 0.1}),
        (_apply, {"LEASE": timing.lease, "_ASK_AGAIN": 0.03}),
        # With few requests a second, the pace after throttling would be slower than all of these tests.
        (_pace, {"_BACKOFF_FIRST": 0.02, "_UNREACHABLE_MOST": 0.05, "_RATE_LEAST": 50.0, "_RATE_AFTER_THROTTLING": 50}),
        (sqlite, {"BUSY_TIMEOUT": 20.0}),
    ):
        for name, value in shorter.items():
            assert hasattr(module, name), name
            setattr(module, name, value)


def carry_out(spec: RunSpec, log: Path) -> dict[str, Any]:
    """Do what the module's own wiring does; returns what became of it, or raises what is a mistake of ours.

    `log` gets a line for each request just before it is sent: its id, and the time on the monotonic clock at which its
    try began.
    """
    shorten_times(spec.timing)
    strikes = Strikes(spec.strikes)
    strikes.watch_stores()
    break_on_purpose(spec.breakage)
    stopped = StopSignal()
    job = job_of(spec, stopped)
    location = location_of(spec.state_url)
    try:
        strikes.at("look")
        plan = look_at(location, job.service, job.desired, job.checked_plan)
        if not plan.changes:
            return {"changed": [], "failed": {}, "not_attempted": [], "ended_by": None, "notes": [], "requests": 0}
        stopped.listen()
        strikes.at("open")
        store = open_store(location)
        transport = Transport(timeout=spec.timing.timeout, connections=spec.concurrency, verify=True)
        try:
            client = Client(spec.endpoint, transport, _Token(spec.token))
            # As the module does it, before anything is claimed.
            client.prepare()
            outcomes = _apply.apply(job, store, _Watched(client, transport, log, strikes)).outcomes
        finally:
            store.close()
            transport.close()
    except (StateError, RefusedError) as error:
        return {"error": str(error), "kind": type(error).__name__}
    return {
        "changed": sorted(outcomes.changed),
        "failed": {instance_id: failure.error_msg for instance_id, failure in outcomes.failed.items()},
        "not_attempted": sorted(outcomes.not_attempted),
        "ended_by": outcomes.ended_by,
        "notes": outcomes.notes,
        "requests": outcomes.requests,
    }


def job_of(spec: RunSpec, stopped: Callable[[], bool] = lambda: False) -> Job:
    mistakes: list[str] = []
    max_changed = parse_portion(spec.max_changed, "max_changed", mistakes) if spec.max_changed else None
    assert mistakes == []
    return Job(
        run=Run(spec.name, user="tester", host="here"),
        service=spec.service,
        desired=_desired(spec),
        options=Options(spec.force),
        guard=Guard(max_changed, spec.approved_plan or None),
        batch_size=spec.batch_size,
        claim_timeout=spec.claim_timeout,
        history_age=90 * 86400.0,
        send=SendOptions(
            concurrency=spec.concurrency,
            retries=spec.retries,
            timeout=spec.timing.timeout,
            settle=spec.timing.settle,
            batch_size=spec.batch_size,
            stopped=stopped,
        ),
    )


def _desired(spec: RunSpec) -> dict[str, Target]:
    targets: dict[tuple[int, str | None], Target] = {}
    desired = {}
    for instance_id, number in spec.desired.items():
        region = spec.regions.get(instance_id)
        target = targets.setdefault((number, region), Target(palette(number), region, (f"group-{number}",)))
        desired[instance_id] = target
    return desired


class _Token:
    """Credentials of the simplest kind."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.secrets = (token,)

    def prepare(self) -> None:
        pass

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        return {"X-Auth-Token": self._token}

    def expired(self, headers: Mapping[str, str]) -> bool:
        return False


class Strikes:
    """Sends this process signals at the moments that were chosen for them."""

    def __init__(self, chosen: Sequence[tuple[str, int, str]]) -> None:
        self._chosen = {(event, number): name for event, number, name in chosen}
        self._counts = Counter[str]()
        self._lock = threading.Lock()

    def at(self, event: str) -> None:
        with self._lock:
            self._counts[event] += 1
            name = self._chosen.get((event, self._counts[event]))
        if name is not None:
            os.kill(os.getpid(), signal.Signals[name])

    def watch_stores(self) -> None:
        """Make events of what the stores do."""
        if not self._chosen:
            return
        strikes = self

        def watched(writing: Callable[..., Any]) -> Callable[..., Any]:
            def wrapper(self: SqlStore, work: Callable[[Any], Any]) -> Any:
                def noted(tx: Any) -> Any:
                    execute = tx._execute

                    def noted_execute(*args: Any) -> Any:
                        strikes.at("sql")
                        return execute(*args)

                    tx._execute = noted_execute
                    result = work(tx)
                    strikes.at("commit")
                    return result

                result = writing(self, noted)
                strikes.at("committed")
                return result

            return wrapper

        for kind in (sqlite.SqliteStore, PostgresqlStore):
            kind._writing = watched(kind._writing)  # type: ignore[method-assign]


class _Watched:
    """The client's call, with a line in the log for each request."""

    def __init__(self, client: Client, transport: Transport, log: Path, strikes: Strikes) -> None:
        self._client = client
        self._send = transport.send
        self._strikes = strikes
        self._file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._began = threading.local()
        transport.send = self._noted_send  # type: ignore[method-assign,assignment]

    def __call__(self, instance_ids: Sequence[str], settings: Settings) -> str:
        self._began.at = time.monotonic()
        return self._client.set_video_settings(instance_ids, settings)

    def _noted_send(self, method: str, url: str, *, headers: dict[str, str], body: bytes | None = None) -> Any:
        os.write(self._file, f"{headers['x-request-id']} {self._began.at}\n".encode())
        self._strikes.at("send")
        try:
            return self._send(method, url, headers=headers, body=body)
        finally:
            self._strikes.at("sent")


def main(arguments: Sequence[str]) -> int:
    """`run.py LOG RESULT`, with the run as JSON on standard input: one run in a process of its own."""
    log, result = map(Path, arguments)
    spec = RunSpec.from_json(sys.stdin.read())
    write_result(result, lambda: carry_out(spec, log))
    return 0


def write_result(result: Path, work: Callable[[], dict[str, Any]]) -> None:
    """Put into place, whole, what became of a run; an exception becomes `traceback`."""
    try:
        became = work()
    except BaseException:
        became = {"traceback": traceback.format_exc()}
    draft = result.with_name(result.name + ".draft")
    draft.write_text(json.dumps(became), encoding="utf-8")
    draft.replace(result)


def started_times(logs: Sequence[Path]) -> dict[str, float]:
    """When the try of each request began, by its id; from the logs of any number of runs."""
    times: dict[str, float] = {}
    for log in logs:
        with contextlib.suppress(FileNotFoundError):
            for line in log.read_text(encoding="ascii").splitlines():
                request_id, _unused, at = line.partition(" ")
                times[request_id] = float(at)
    return times


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
