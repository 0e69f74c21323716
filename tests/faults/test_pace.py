# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throttling, the limit of requests a second, the deadline, and servers that are not there or not what they should be.

Times are those of the emulator's journal, or of a simulated clock.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils import _pace, _sending
from ansible_collections.koophone.fleet.plugins.module_utils._pace import Pace, backoff
from tests.emulator.handle import Emulator
from tests.faults.running import message_of
from tests.support.fleets import A, B, Fleet, ids_of

REAL = {name: getattr(_pace, name) for name in ("_BACKOFF_FIRST", "_BACKOFF_MOST", "_UNREACHABLE_MOST", "_RATE_LEAST")}


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch, impatience: None) -> None:
    """The pauses as they are."""
    for name, value in REAL.items():
        monkeypatch.setattr(_pace, name, value)


def throttled(requests: list[dict[str, Any]]) -> int:
    return sum(request["http_status"] == 429 for request in requests)


def seconds_of(requests: list[dict[str, Any]]) -> float:
    """From the first arrival to the last answer."""
    return float(max(request["finished_at"] for request in requests) - requests[0]["received_at"])


# --- throttling ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("patience")
def test_throttling_service_is_used_up_without_being_flooded(fleet: Fleet, emulator: Emulator) -> None:
    emulator.config(rate_limit=10)
    group = fleet.group("g", 60, A)
    outcomes = fleet.run(group, batch_size=1).outcomes
    assert outcomes.changed == ids_of(group)
    requests = emulator.requests()
    # Two of so few are a larger share than of the 200 for which the share is promised.
    assert throttled(requests) <= max(2, 0.15 * len(requests))
    # Ten are let through at once, the others at ten a second.
    assert seconds_of(requests) <= 1.25 * 60 / 10


RETRY_AFTER = {
    "seconds": ({"retry_after": 1}, 1.0),
    "a date": ({"retry_after_date": 2}, 1.0),
    "nothing": ({}, 0.25),
    "nonsense": ({"retry_after": "soon"}, 0.25),
}


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize(("fields", "least"), RETRY_AFTER.values(), ids=RETRY_AFTER.keys())
def test_one_throttled_request_pauses_all_of_the_run(
    fleet: Fleet, emulator: Emulator, fields: dict[str, Any], least: float
) -> None:
    emulator.config(latency=0.02)
    emulator.fault("throttle", skip=12, **fields)
    group = fleet.group("g", 40, A)
    assert fleet.run(group, batch_size=1, concurrency=4).outcomes.changed == ids_of(group)
    requests = emulator.requests()
    [at] = [request["finished_at"] for request in requests if request["http_status"] == 429]
    after = [request["received_at"] for request in requests if request["received_at"] > at]
    # Those that were on their way already arrive; then there is silence for as long as the service asks for.
    gaps = [later - earlier for earlier, later in zip([at, *after], after, strict=False)]
    assert max(gaps) >= least * 0.9
    assert gaps.index(max(gaps)) <= 4


@pytest.mark.usefixtures("patience")
def test_fewer_are_in_flight_after_throttling_and_more_again_later() -> None:
    pace = Pace(8)
    for at in range(20):
        pace.answered(at / 20)
    pace.throttled(1.0, 0.5, 1.0)
    assert pace.in_flight_limit == 4
    assert pace.ready_at() == 2.0
    # What was in flight with it brings no second reduction.
    pace.throttled(1.1, 0.5, 1.0)
    assert pace.in_flight_limit == 4
    limits = []
    for at in range(200):
        pace.answered(3.0 + at / 20)
        limits.append(pace.in_flight_limit)
    assert limits == sorted(limits)
    assert max(later - earlier for earlier, later in itertools.pairwise(limits)) == 1
    assert limits[-1] == 8


class Bucket:
    """A service that lets so many requests a second through, from so many seconds on."""

    def __init__(self, rate: float, opens_at: float = 0.0) -> None:
        self.rate, self.opens_at = rate, opens_at
        self._tokens, self._at = rate, 0.0

    def admits(self, now: float) -> bool:
        self._tokens = min(self.rate, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if now < self.opens_at or self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def simulate(bucket: Bucket, requests: int, *, concurrency: int = 8, seconds: float = 0.05) -> tuple[float, int]:
    """Send so many requests through the pace on a simulated clock; when the last one passed, and how many did not."""
    pace, now, left, refused = Pace(concurrency), 0.0, requests, 0
    answers: list[tuple[float, bool]] = []
    while left or answers:
        while left and len(answers) < pace.in_flight_limit and pace.ready_at() <= now:
            pace.sent(now)
            left -= 1
            heapq.heappush(answers, (now + seconds, bucket.admits(now)))
        coming = [at for at, _passed in answers[:1]]
        if left and len(answers) < pace.in_flight_limit:
            coming.append(pace.ready_at())
        now = max(now, min(coming))
        while answers and answers[0][0] <= now:
            _at, passed = heapq.heappop(answers)
            if passed:
                pace.answered(now)
            else:
                pace.throttled(now, backoff(0), 1.0)
                left, refused = left + 1, refused + 1
    return now, refused


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("rate", [2.0, 10.0, 50.0])
def test_whatever_the_rate_is_it_is_used_up_with_few_refusals(rate: float) -> None:
    ended, refused = simulate(Bucket(rate), 600)
    assert ended <= 1.25 * 600 / rate
    assert refused < 0.15 * (600 + refused)


@pytest.mark.usefixtures("patience")
def test_service_that_refused_everything_for_a_minute_is_used_up_soon_afterwards() -> None:
    ended, _refused = simulate(Bucket(100.0, opens_at=60.0), 1000)
    # A tenth of a second each without limits, and some seconds to find out that there are none any more.
    assert ended <= 60.0 + 30.0


# --- rate_limit ------------------------------------------------------------------------------------------------------


def test_rate_limit_is_kept_from_the_first_request_on(fleet: Fleet, emulator: Emulator) -> None:
    group = fleet.group("g", 30, A)
    assert fleet.run(group, batch_size=1, rate_limit=20.0).outcomes.changed == ids_of(group)
    arrivals = [request["received_at"] for request in emulator.requests()]
    for first, twenty_later in zip(arrivals, arrivals[20:], strict=False):
        # Arrivals jitter a little; twenty intervals of a twentieth of a second do not shrink much.
        assert twenty_later - first >= 0.85


# --- deadline --------------------------------------------------------------------------------------------------------


def test_nothing_new_is_sent_after_the_deadline_and_what_is_in_flight_is_taken_in(
    fleet: Fleet, emulator: Emulator
) -> None:
    emulator.config(latency=0.2)
    group = fleet.group("g", 100, A)
    applied = fleet.run(group, batch_size=1, concurrency=4, deadline=0.7)
    message, outcomes = message_of(applied), applied.outcomes
    assert "the deadline has passed" in message
    assert "not attempted" in message
    assert outcomes.failed == {}
    assert 0 < len(outcomes.changed) < 100
    assert outcomes.not_attempted == ids_of(group) - outcomes.changed
    requests = emulator.requests()
    assert outcomes.changed == {i for request in requests for i in request["instance_ids"]} == fleet.known(group).keys()
    assert requests[-1]["received_at"] - requests[0]["received_at"] < 1.0
    # The claims were given back: others need not wait.
    emulator.config(latency=0.0)
    others = fleet.group("g", 100, B, add=False)
    assert fleet.run(others, claim_timeout=0.0).outcomes.changed == ids_of(others)


def test_slow_answer_after_the_deadline_is_confirmed_though_the_claim_would_have_ended(
    fleet: Fleet, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sending, "LEASE", 0.8)
    monkeypatch.setattr(_sending, "_HEARTBEAT", 0.2)
    emulator.config(latency=2.0)
    group = fleet.group("g", 2, A)
    applied = fleet.run(group, batch_size=1, concurrency=1, deadline=0.3)
    assert len(applied.outcomes.changed) == 1
    assert len(applied.outcomes.not_attempted) == 1
    assert fleet.known(group).keys() == applied.outcomes.changed


def test_deadline_ends_a_pause_that_the_service_asks_for(fleet: Fleet, emulator: Emulator) -> None:
    emulator.fault("throttle", retry_after=500, skip=1)
    group = fleet.group("g", 20, A)
    applied = fleet.run(group, batch_size=1, concurrency=1, deadline=1.0)
    assert "the deadline has passed" in message_of(applied)
    assert len(applied.outcomes.changed) == 1


def test_run_does_not_wait_for_a_day_because_the_service_asks_for_it(fleet: Fleet, emulator: Emulator) -> None:
    emulator.fault("throttle", retry_after=86400, skip=1)
    group = fleet.group("g", 20, A)
    applied = fleet.run(group, batch_size=1, concurrency=1)
    assert "asks to wait for 86400 seconds" in message_of(applied)
    assert len(applied.outcomes.changed) == 1
    assert emulator.count() == 2


def test_deadline_that_passes_before_the_first_request_sends_nothing(fleet: Fleet, emulator: Emulator) -> None:
    group = fleet.group("g", 20, A)
    applied = fleet.run(group, deadline=1e-6)
    assert emulator.count() == applied.outcomes.requests == 0
    assert applied.outcomes.not_attempted == ids_of(group)
    assert "the deadline has passed" in message_of(applied)


# --- the circuit breaker ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def counting(*, hold: bool = False, answer: bytes = b"") -> Iterator[tuple[str, list[int]]]:
    """A server that closes each connection, or holds it without a word; its address, and a line for each connection."""
    connections: list[int] = []
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = listener.accept()
                    connections.append(1)
                    if hold:
                        held.append(connection)
                        continue
                    if answer:
                        connection.recv(65536)
                        connection.sendall(answer)
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", connections
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def test_dead_server_is_given_up_with_one_sentence(fleet: Fleet, closed_port: int) -> None:
    group = fleet.group("g", 1000, A)
    fleet.run(group)
    wanted = fleet.group("g", 1000, B, add=False)
    applied = fleet.run(wanted, url=f"http://127.0.0.1:{closed_port}", batch_size=10, retries=5)
    message, outcomes = message_of(applied), applied.outcomes
    assert "the service cannot be reached (6 attempts in a row)" in message
    assert "Connection refused" in message
    assert message.count("Connection refused") <= 2
    assert outcomes.requests == 0
    assert len(outcomes.not_attempted) >= 900
    # Nothing that was known is not any more.
    assert fleet.known(wanted) == dict.fromkeys(group.instance_ids, A)


def test_server_that_listens_and_closes_sees_no_storm(fleet: Fleet) -> None:
    group = fleet.group("g", 1000, A)
    with counting() as (url, connections):
        applied = fleet.run(group, url=url, batch_size=10, retries=2, settle=0.0)
    message, outcomes = message_of(applied), applied.outcomes
    assert "3 batches in a row failed with all their tries" in message
    # Of a hundred batches, eight at once and a few more until it is clear that nobody answers, each three times.
    assert len(outcomes.not_attempted) >= 880
    assert len(connections) == outcomes.requests <= 36


def test_server_that_only_answers_503_sees_no_storm(fleet: Fleet, emulator: Emulator) -> None:
    group = fleet.group("g", 1000, A)
    emulator.fault("html", http_status=503, times=None)
    applied = fleet.run(group, batch_size=10, retries=2, settle=0.0)
    message, outcomes = message_of(applied), applied.outcomes
    assert "the service does not answer as it should" in message
    assert "HTTP 503" in message
    assert emulator.count() == outcomes.requests <= 36
    assert len(outcomes.not_attempted) >= 880


def test_server_that_never_answers_sees_no_storm(fleet: Fleet) -> None:
    group = fleet.group("g", 1000, A)
    with counting(hold=True) as (url, connections):
        applied = fleet.run(group, url=url, batch_size=10, retries=1, settle=0.0, timeout=0.3)
    message, outcomes = message_of(applied), applied.outcomes
    assert "no complete answer within 0.3 seconds" in message
    assert len(connections) == outcomes.requests <= 20
    assert len(outcomes.not_attempted) >= 850


@pytest.mark.parametrize("status", [200, 404, 405])
def test_server_that_is_another_one_is_not_asked_for_every_batch(fleet: Fleet, emulator: Emulator, status: int) -> None:
    group = fleet.group("g", 1000, A)
    emulator.fault("html", http_status=status, times=None)
    applied = fleet.run(group, batch_size=10, settle=0.0)
    assert "the service does not answer as it should" in message_of(applied)
    assert emulator.count() == applied.outcomes.requests <= 16
    assert len(applied.outcomes.not_attempted) >= 800


def test_batches_that_fail_among_others_that_do_not_break_nothing(fleet: Fleet, emulator: Emulator) -> None:
    group = fleet.group("g", 200, A)
    bad = group.instance_ids[::20]
    emulator.fault("html", http_status=502, ids=bad, times=None)
    outcomes = fleet.run(group, batch_size=10, concurrency=1, retries=0, settle=0.0).outcomes
    assert outcomes.ended_by is None
    assert len(outcomes.failed) == len(outcomes.changed) == 100


def test_server_that_comes_back_is_used_again(fleet: Fleet, emulator: Emulator) -> None:
    group = fleet.group("g", 200, A)
    emulator.fault("drop", times=12)
    outcomes = fleet.run(group, batch_size=10, concurrency=4, settle=0.0).outcomes
    assert outcomes.changed == ids_of(group)
