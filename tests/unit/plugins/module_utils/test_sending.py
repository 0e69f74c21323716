# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._errors import Fate, Kind, KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._job import SendOptions
from ansible_collections.koophone.fleet.plugins.module_utils._outcome import STOPPED, Outcomes
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Batch
from ansible_collections.koophone.fleet.plugins.module_utils._sending import LEASE, Sending
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import (
    Claim,
    Mark,
    Outcome,
    Resolution,
    Run,
)
from ansible_collections.koophone.fleet.tests.unit.plugins.module_utils.samples import settings

A = settings()
CONCURRENCY = 4


class Service:
    """An API and a state store in one, which hold each other to what is promised."""

    def __init__(self, *, latency: float = 0.01, write: float = 0.0) -> None:
        self.latency = latency
        self.write = write
        self.writes = 0
        self.begun: list[float] = []
        self.throttles: list[int] = []
        self.throttled_at = 0.0
        self.most_ahead = self.most_in_flight = 0
        self._marked: set[str] = set()
        self._sent: set[str] = set()
        self._in_flight = 0
        self._lock = threading.Lock()

    def call(self, ids: Sequence[str], _settings: Settings) -> str:
        with self._lock:
            number = len(self.begun)
            self.begun.append(time.monotonic())
            # What is marked is durable; only that may be sent.
            assert self._marked.issuperset(ids)
            self._sent.update(ids)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        time.sleep(self.latency)
        with self._lock:
            self._in_flight -= 1
        if number in self.throttles:
            self.throttled_at = time.monotonic()
            raise KooPhoneError(
                method="PUT",
                url="u",
                request_id="r",
                meaning="too many requests",
                kind=Kind.THROTTLED,
                fate=Fate.NOT_PROCESSED,
                retry_after=0.3,
            )
        return f"r{number}"

    def record(self, _claim: Claim, resolutions: Iterable[Resolution], marks: Iterable[Mark]) -> set[str]:
        time.sleep(self.write)
        self.writes += 1
        with self._lock:
            for resolution in resolutions:
                self._marked.difference_update(resolution.instance_ids)
                assert resolution.outcome is not Outcome.CONFIRMED or self._sent.issuperset(resolution.instance_ids)
            for mark in marks:
                self._marked.update(mark.instance_ids)
            self.most_ahead = max(self.most_ahead, len(self._marked - self._sent))
        return set()

    def renew(self, claim: Claim, *, lease: float) -> bool:
        claim.ends_at = _clock.now() + lease
        return True

    def learn_regions(self, _claim: Claim, _regions: Mapping[str, Sequence[str]]) -> None:
        """Nothing is learnt."""

    def send(self, batches: int, **options: object) -> Outcomes:
        """Send so many batches of one instance each."""
        ids = [f"i{number:04}" for number in range(batches)]
        claim, outcomes = Claim(1, "s", Run("r"), _clock.now() + LEASE, set(ids)), Outcomes()
        fields = {"concurrency": CONCURRENCY, "retries": 2, "timeout": 5.0, "settle": 5.0, **options}
        work = [Batch(A, None, (instance_id,)) for instance_id in ids]
        Sending(self, claim, work, self.call, SendOptions(**fields), outcomes).run()  # type: ignore[arg-type]
        return outcomes


def test_all_is_sent_in_few_writes_and_nothing_unmarked_or_too_far_ahead() -> None:
    service = Service()
    outcomes = service.send(200)
    assert (len(outcomes.changed), outcomes.requests, len(service.begun)) == (200, 200, 200)
    assert service.most_in_flight == CONCURRENCY
    assert service.most_ahead <= 2 * CONCURRENCY
    # One for each batch would be 200, and each of them waits for the disk.
    assert service.writes <= 100


def test_what_waits_for_a_thread_is_held_back_when_a_request_is_throttled() -> None:
    service = Service(latency=0.02)
    service.throttles = [30]
    assert len(service.send(50).changed) == 50
    late = [at for at in service.begun if service.throttled_at + 0.08 < at < service.throttled_at + 0.28]
    assert late == []


def test_what_waits_for_a_thread_is_not_sent_after_the_run_was_told_to_stop() -> None:
    service = Service(latency=0.1)
    outcomes = service.send(40, stopped=lambda: len(service.begun) >= CONCURRENCY)
    assert outcomes.ended_by == STOPPED
    assert len(service.begun) == outcomes.requests == len(outcomes.changed) == CONCURRENCY
    assert len(outcomes.not_attempted) == 36
    assert not outcomes.failed
