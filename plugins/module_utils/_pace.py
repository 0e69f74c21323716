# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""How fast requests go out: back-off, throttling, a limit, and when to stop asking a server that is not there. Pure.

Times are in seconds on one clock that the caller reads; rates are in requests a second.
"""

from __future__ import annotations

import random
from collections import deque

_BACKOFF_FIRST = 0.5
_BACKOFF_MOST = 30.0
# More would overflow long before anybody waited for it.
_BACKOFF_DOUBLINGS = 10
# Over how long a time the rate is measured that a throttling server lets through.
_WINDOW = 1.0
# After a throttled request, the rate starts a little below what was let through, and grows again by a share at a time:
# each further refusal costs the pause that the server asks for, and growing slowly loses less than asking often.
_RATE_AFTER_THROTTLING = 0.9
_RATE_GROWTH = 1.05
# Where nothing was let through there is nothing to go by: the rate is halved, but not for ever, and then doubled every
# second until something is refused again. Otherwise minutes of throttling would slow down hours.
_RATE_LEAST = 0.5
_RATE_DOUBLED_SECONDS = 1.0
_GROWTH_SECONDS_FIRST = 5.0
_GROWTH_SECONDS_MOST = 60.0
# How many confirmed requests bring one more request in flight.
_SUCCESSES_FOR_ONE_MORE = 10
# How many batches may fail in a row, with all their retries, for want of a server that answers properly.
BATCHES_IN_VAIN = 3
# A server that cannot be reached at all is asked again within seconds, by one request at a time.
_UNREACHABLE_MOST = 2.0


def backoff(tries: int, most: float = _BACKOFF_MOST) -> float:
    """Seconds to wait after so many tries: exponential, with jitter so that runs do not try in step."""
    longest = min(most, _BACKOFF_FIRST * 2.0 ** min(tries, _BACKOFF_DOUBLINGS))
    return random.uniform(longest / 2, longest)


class Pace:
    """When the next request may go out, and how many may be in flight, for all requests of a run."""

    def __init__(self, concurrency: int, rate_limit: float | None = None) -> None:
        self._concurrency = concurrency
        self._rate_limit = rate_limit
        self._rate = rate_limit
        self._in_flight_limit = concurrency
        self._paused_until = 0.0
        self._next_at = 0.0
        self._grown_at = 0.0
        self._growth_seconds = _GROWTH_SECONDS_FIRST
        self._rate_is_measured = False
        self._successes = 0
        self._passed: deque[float] = deque()
        self._unreachable = 0
        self._throttled_at: float | None = None

    @property
    def in_flight_limit(self) -> int:
        return 1 if self._unreachable else self._in_flight_limit

    @property
    def steady(self) -> bool:
        """Whether nothing but the answers holds requests back."""
        throttled = self._throttled_at is not None or self._in_flight_limit < self._concurrency
        return self._rate is None and not self._unreachable and not throttled

    @property
    def unreachable(self) -> int:
        """How many times in a row the server could not be reached."""
        return self._unreachable

    def ready_at(self) -> float:
        """When the next request may go out."""
        return max(self._paused_until, self._next_at)

    def sent(self, now: float) -> None:
        """A request goes out."""
        self._slow_down()
        if self._rate is not None:
            # Time that went by unused is not made up for, or the server would see a burst.
            self._next_at = max(self._next_at, now) + 1 / self._rate

    def answered(self, now: float) -> None:
        """An answer came that is not about throttling, whatever it says."""
        self._unreachable = 0
        self._passed.append(now)
        since = now if self._throttled_at is None else self._throttled_at
        while self._passed[0] < since - _WINDOW:
            self._passed.popleft()
        self._grow(now)

    def throttled(self, now: float, delay: float, retry_after: float | None) -> None:
        """The server asks for less: nobody sends for a while, and then fewer at once and at a lower rate.

        `delay` is how long to pause where the server does not say.
        """
        self._unreachable = 0
        already_paused = now < self._paused_until
        wait = delay if retry_after is None else retry_after
        self._paused_until = max(self._paused_until, now + wait)
        if already_paused:
            # It was in flight with the request that brought the pause, and says nothing new.
            return
        self._in_flight_limit = max(1, self._in_flight_limit // 2)
        self._successes = 0
        self._throttled_at = now
        self._grown_at = self._paused_until
        self._growth_seconds = min(2 * self._growth_seconds, _GROWTH_SECONDS_MOST)

    def not_reached(self, now: float) -> None:
        """No connection could be made: until one can, a single request at a time asks again."""
        if now < self._paused_until:
            return
        self._paused_until = now + backoff(self._unreachable, _UNREACHABLE_MOST)
        self._unreachable += 1

    def _slow_down(self) -> None:
        """After a pause: what was let through before it, answers that came during it included, is the rate to keep."""
        if self._throttled_at is None:
            return
        passed = sum(at >= self._throttled_at - _WINDOW for at in self._passed) / _WINDOW
        self._rate_is_measured = passed > 0
        slower = passed * _RATE_AFTER_THROTTLING if passed else max(_RATE_LEAST, (self._rate or 2.0) / 2)
        self._rate = slower if self._rate is None else min(self._rate, slower)
        self._throttled_at = None

    def _grow(self, now: float) -> None:
        self._successes += 1
        if self._in_flight_limit < self._concurrency and self._successes >= _SUCCESSES_FOR_ONE_MORE:
            self._in_flight_limit += 1
            self._successes = 0
        seconds, growth = (
            (self._growth_seconds, _RATE_GROWTH) if self._rate_is_measured else (_RATE_DOUBLED_SECONDS, 2.0)
        )
        if self._rate is not None and self._rate != self._rate_limit and now >= self._grown_at + seconds:
            self._grown_at = now
            self._rate *= growth
            if self._rate_limit is not None:
                self._rate = min(self._rate, self._rate_limit)
