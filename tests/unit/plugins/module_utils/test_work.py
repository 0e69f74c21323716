# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils._errors import Fate, Kind, KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._job import SendOptions
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Batch
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Outcome
from ansible_collections.koophone.fleet.plugins.module_utils._work import Work
from ansible_collections.koophone.fleet.tests.unit.plugins.module_utils.samples import settings

A = settings()
OPTIONS = SendOptions(concurrency=8, retries=5, timeout=30.0, settle=60.0)
NOT_PROCESSED, ENDED, IN_DOUBT = Fate.NOT_PROCESSED, Fate.ENDED, Fate.IN_DOUBT


def work(count: int = 3, **fields: Any) -> Work:
    return Work(Batch(A, "cn-north-4", tuple(f"i{number}" for number in range(count))), retries=5, **fields)


def error(fate: Fate, retry_after: float | None = None) -> KooPhoneError:
    return KooPhoneError(
        method="PUT", url="u", request_id="r", meaning="m", kind=Kind.PASSING, fate=fate, retry_after=retry_after
    )


def after(*fates: Fate, started: float = 100.0, now: float = 110.0) -> Work:
    done = work()
    for fate in fates:
        done.note(started, error(fate), OPTIONS, now)
    return done


# --- what is written down --------------------------------------------------------------------------------------------


def test_grace_is_how_long_a_try_may_still_be_carried_out() -> None:
    assert OPTIONS.grace == 90


@pytest.mark.parametrize(
    ("fates", "outcome", "doubt_for"),
    [
        ([], Outcome.NOT_PROCESSED, 0),
        ([NOT_PROCESSED], Outcome.NOT_PROCESSED, 0),
        ([NOT_PROCESSED, NOT_PROCESSED], Outcome.NOT_PROCESSED, 0),
        ([ENDED], Outcome.UNCONFIRMED, 0),
        ([ENDED, NOT_PROCESSED], Outcome.UNCONFIRMED, 0),
        ([NOT_PROCESSED, ENDED], Outcome.UNCONFIRMED, 0),
        # From the start of the try, 10 seconds ago: 30 of timeout and 60 of settle.
        ([IN_DOUBT], Outcome.UNCONFIRMED, 80),
        ([IN_DOUBT, NOT_PROCESSED], Outcome.UNCONFIRMED, 80),
        ([NOT_PROCESSED, IN_DOUBT], Outcome.UNCONFIRMED, 80),
        ([IN_DOUBT, ENDED], Outcome.UNCONFIRMED, 80),
    ],
)
def test_what_is_certain_after_some_tries(fates: list[Fate], outcome: Outcome, doubt_for: float) -> None:
    resolution = after(*fates).resolution(110.0)
    assert resolution.outcome is outcome
    assert resolution.doubt_for == doubt_for
    assert resolution.request_id is None
    assert (resolution.instance_ids, resolution.settings) == (("i0", "i1", "i2"), A)


@given(st.lists(st.sampled_from(Fate)))
def test_nothing_is_taken_back_once_a_try_may_have_had_an_effect(fates: list[Fate]) -> None:
    resolution = after(*fates).resolution(110.0)
    assert (resolution.outcome is Outcome.NOT_PROCESSED) == (set(fates) <= {NOT_PROCESSED})
    assert (resolution.doubt_for > 0) == (IN_DOUBT in fates)


def test_a_later_confirmation_does_not_end_the_doubt_of_an_earlier_try() -> None:
    resolution = after(IN_DOUBT).resolution(120.0, "request-2")
    assert resolution.outcome is Outcome.CONFIRMED
    assert resolution.request_id == "request-2"
    assert resolution.doubt_for == 70


def test_doubt_is_over_when_its_time_is() -> None:
    assert after(IN_DOUBT).resolution(500.0).doubt_for == 0
    assert after(IN_DOUBT).resolution(500.0).outcome is Outcome.UNCONFIRMED


def test_doubt_lasts_as_long_as_that_of_the_last_try() -> None:
    done = after(IN_DOUBT)
    done.note(200.0, error(IN_DOUBT), OPTIONS, 210.0)
    assert done.resolution(210.0).doubt_for == 80
    done.note(100.0, error(IN_DOUBT), OPTIONS, 110.0)
    assert done.resolution(210.0).doubt_for == 80


def test_doubt_counts_from_when_a_paused_process_really_gave_up() -> None:
    # It was stopped for a thousand seconds in the middle of the try.
    assert after(IN_DOUBT, started=100.0, now=1100.0).resolution(1100.0).doubt_for == 60


# --- halving ---------------------------------------------------------------------------------------------------------


@given(st.integers(2, 100))
def test_halves_hold_all_instances_once_and_neither_is_empty(count: int) -> None:
    first, second = work(count).halves()
    assert first.instance_ids + second.instance_ids == work(count).instance_ids
    assert 0 <= len(first.instance_ids) - len(second.instance_ids) <= 1


def test_halves_inherit_what_is_in_doubt_and_their_retries_are_their_own() -> None:
    whole = after(IN_DOUBT)
    whole.retries = 3
    for half in whole.halves():
        assert half.resolution(110.0).doubt_for == 80
        assert half.resolution(110.0).outcome is Outcome.UNCONFIRMED
        assert half.retries == 3
        # What failed for all of them need not be the fault of either half.
        assert half.error is None
        assert (half.batch.settings, half.batch.region) == (A, "cn-north-4")
    first, second = whole.halves()
    first.retries -= 1
    assert second.retries == 3


# --- pauses between tries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tries", "most"), [(0, 0.5), (1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (10, 30), (2000, 30)])
def test_pause_grows_exponentially_up_to_a_limit(tries: int, most: float) -> None:
    delays = [work(tries=tries).delay() for _time in range(200)]
    assert all(most / 2 <= delay <= most for delay in delays)
    # With jitter: runs that failed together don't come back together.
    assert len(set(delays)) > 100


def test_retry_after_comes_on_top() -> None:
    waiting = work()
    waiting.note(0.0, error(NOT_PROCESSED, retry_after=7.0), OPTIONS, 0.0)
    assert 7.25 <= waiting.delay() <= 7.5


def test_retry_after_of_an_earlier_try_is_forgotten() -> None:
    waiting = work()
    waiting.note(0.0, error(NOT_PROCESSED, retry_after=7.0), OPTIONS, 0.0)
    waiting.note(10.0, error(ENDED), OPTIONS, 10.0)
    assert waiting.delay() <= 0.5
