# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole list or none: retries, shifting pages, totals that do not match, the limits of time and rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils import _clock, _listing
from ansible_collections.koophone.fleet.plugins.module_utils._client import Page
from ansible_collections.koophone.fleet.plugins.module_utils._errors import Fate, Kind, KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._listing import (
    SWEEPS,
    ListError,
    ListOptions,
    list_instances,
)


def error(kind: Kind, retry_after: float | None = None) -> KooPhoneError:
    return KooPhoneError(
        method="GET",
        url="https://x/y",
        request_id="r",
        meaning="no",
        kind=kind,
        fate=Fate.ENDED,
        retry_after=retry_after,
    )


class Script:
    """Answers one after another: a page of ids with a total, or an error. It notes what was asked for."""

    def __init__(self, *answers: tuple[Sequence[str], int] | KooPhoneError) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []

    def list_instances(self, page_no: int, page_size: int) -> Page:
        self.asked.append(page_no)
        answer = self.answers.pop(0)
        if isinstance(answer, KooPhoneError):
            raise answer
        ids, total = answer
        return Page([{"instance_id": instance_id} for instance_id in ids], total)


class Sleeper:
    """A clock that runs only while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        monkeypatch.setattr(_clock, "now", lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_listing, "PAGE_SIZE", 2)


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> Sleeper:
    return Sleeper(monkeypatch)


def ids_of(script: Script, sleeper: Sleeper, retries: int = 2, **options: Any) -> list[str]:
    found = list_instances(script, ListOptions(retries, sleep=sleeper.sleep, **options))
    assert not script.answers
    return [instance["instance_id"] for instance in found]


def test_to_the_end(sleeper: Sleeper) -> None:
    script = Script(("ba", 3), ("c", 3))
    assert ids_of(script, sleeper) == ["a", "b", "c"]
    assert script.asked == [1, 2]
    assert ids_of(Script(("ab", 2), ("", 2)), sleeper) == ["a", "b"]
    assert ids_of(Script(("", 0)), sleeper) == []
    assert sleeper.slept == []


def test_a_server_with_smaller_pages(sleeper: Sleeper) -> None:
    assert ids_of(Script(("a", 3), ("b", 3), ("c", 3)), sleeper) == ["a", "b", "c"]


def test_duplicates_are_folded_where_nothing_is_missing(sleeper: Sleeper) -> None:
    assert ids_of(Script(("ab", 3), ("bc", 3), ("", 3)), sleeper) == ["a", "b", "c"]


def test_what_was_missed_comes_with_the_next_time(sleeper: Sleeper) -> None:
    told: list[str] = []
    script = Script(("ab", 3), ("b", 3), ("ca", 3), ("a", 3))
    assert ids_of(script, sleeper, tell=told.append) == ["a", "b", "c"]
    assert script.asked == [1, 2, 1, 2]
    assert told == ["the list of instances does not match its total_count (2 of 3); asking again"]


def test_a_fleet_that_changes_meanwhile(sleeper: Sleeper) -> None:
    # `a` is gone after the first page; what came while the total was another is not counted.
    script = Script(("ab", 4), ("d", 3), ("bc", 3), ("d", 3))
    assert ids_of(script, sleeper) == ["b", "c", "d"]
    # One time `c` was missed, and it is gone the next time: 3 came in all, but not 3 of these 2.
    script = Script(("ab", 3), ("b", 3), ("bd", 2), ("", 2))
    assert ids_of(script, sleeper) == ["b", "d"]


@pytest.mark.parametrize("total", [1, 3])
def test_a_total_that_never_matches(sleeper: Sleeper, total: int) -> None:
    script = Script(*[("ab", total), ("", total)] * SWEEPS)
    with pytest.raises(ListError, match=f"in {SWEEPS} attempts.*2 of {total}, 2 of {total}"):
        ids_of(script, sleeper)
    assert len(sleeper.slept) == SWEEPS - 1


def test_a_server_that_never_comes_to_an_end(sleeper: Sleeper) -> None:
    class Endless:
        asked = 0

        def list_instances(self, page_no: int, page_size: int) -> Page:
            self.asked += 1
            return Page([{"instance_id": "a"}, {"instance_id": "b"}], 5)

    endless = Endless()
    with pytest.raises(ListError):
        list_instances(endless, ListOptions(0, sleep=sleeper.sleep))
    assert endless.asked < 100


def test_retries(sleeper: Sleeper) -> None:
    script = Script(error(Kind.PASSING), error(Kind.THROTTLED, 7.0), ("ab", 3), error(Kind.UNREACHABLE), ("c", 3))
    assert ids_of(script, sleeper) == ["a", "b", "c"]
    assert script.asked == [1, 1, 1, 2, 2]
    assert [int(seconds) for seconds in sleeper.slept] == [0, 7, 0]


@pytest.mark.parametrize("kind", [Kind.RUN, Kind.REQUEST])
def test_final_errors_are_not_tried_again(sleeper: Sleeper, kind: Kind) -> None:
    with pytest.raises(KooPhoneError, match="no"):
        ids_of(Script(("ab", 3), error(kind)), sleeper)
    assert sleeper.slept == []


def test_retries_come_to_an_end(sleeper: Sleeper) -> None:
    with pytest.raises(KooPhoneError) as caught:
        ids_of(Script(*[error(Kind.PASSING)] * 3), sleeper)
    assert str(caught.value) == "GET https://x/y: no; given up after 3 tries; request id r"


def test_a_token_is_renewed_once_a_page(sleeper: Sleeper) -> None:
    expired = Kind.TOKEN_EXPIRED
    assert ids_of(Script(error(expired), ("ab", 3), error(expired), ("c", 3)), sleeper, 0) == ["a", "b", "c"]
    with pytest.raises(KooPhoneError):
        ids_of(Script(error(expired), error(expired)), sleeper)


def test_the_deadline(sleeper: Sleeper) -> None:
    script = Script(error(Kind.THROTTLED, 3600.0))
    with pytest.raises(ListError, match=r"deadline: .* GET https://x/y"):
        ids_of(script, sleeper, ends_at=sleeper.now + 60)
    assert sleeper.slept == []


def test_the_rate_limit(sleeper: Sleeper) -> None:
    assert ids_of(Script(("ab", 5), ("cd", 5), ("e", 5)), sleeper, rate_limit=4.0) == list("abcde")
    assert sleeper.slept == [0.25, 0.25]
