# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The works of one claim, by how far they have come: unmarked, marked, to be tried later, in flight. Pure."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Iterable, Sequence

from ansible_collections.koophone.fleet.plugins.module_utils._work import Work


class Backlog:
    """What is still to be sent. Times are on the caller's clock."""

    def __init__(self, works: Iterable[Work], concurrency: int) -> None:
        self._concurrency = concurrency
        self._unmarked = deque(works)
        self._again: deque[Work] = deque()
        self._marked: deque[Work] = deque()
        self._later: list[tuple[float, int, Work]] = []
        self._order = itertools.count()
        self._in_flight: set[Work] = set()

    @property
    def in_flight(self) -> Sequence[Work]:
        return tuple(self._in_flight)

    @property
    def waits_for_later(self) -> bool:
        """Whether something failed and is to be tried again."""
        return bool(self._later)

    @property
    def under_way(self) -> bool:
        """Whether anything is marked and has no end yet."""
        return bool(self._again or self._marked or self._later or self._in_flight)

    @property
    def wants_marks(self) -> bool:
        """Whether more should be marked, lest the network has to wait for the state store."""
        return bool(self._unmarked) and self._ahead < self._concurrency

    @property
    def _ahead(self) -> int:
        """How many are marked and not sent; of those in flight, some may wait for a thread."""
        return len(self._again) + len(self._marked) + max(0, len(self._in_flight) - self._concurrency)

    def __bool__(self) -> bool:
        return bool(self._unmarked) or self.under_way

    def add(self, works: Iterable[Work]) -> None:
        """Works that are to be marked and sent before all others."""
        self._unmarked.extendleft(works)

    def take_to_mark(self) -> list[Work]:
        """What is to be marked next: at most twice `concurrency` batches are marked ahead."""
        room = max(0, 2 * self._concurrency - self._ahead)
        return [self._unmarked.popleft() for _number in range(min(room, len(self._unmarked)))]

    def marked(self, works: Iterable[Work]) -> None:
        self._marked.extend(works)

    def send_again(self, works: Sequence[Work]) -> None:
        """Works that were tried, to be sent before all others: what one try learnt is not left for many to learn."""
        self._again.extend(works)

    def put_back(self, works: Sequence[Work]) -> None:
        """Works that are marked and were not sent after all."""
        self._marked.extendleft(reversed(works))

    def send_later(self, work: Work, at: float) -> None:
        heapq.heappush(self._later, (at, next(self._order), work))

    def take_to_send(self, now: float, *, nothing_new: bool) -> Work | None:
        """What goes in flight next, if anything may. `nothing_new`: only what failed before."""
        if self._later and self._later[0][0] <= now:
            work = heapq.heappop(self._later)[2]
        elif (self._again or self._marked) and not nothing_new:
            work = (self._again or self._marked).popleft()
        else:
            return None
        self._in_flight.add(work)
        return work

    def sendable_at(self, *, nothing_new: bool) -> float:
        """From when on `take_to_send` has something: in the past if it has now, infinity if only answers help."""
        if (self._again or self._marked) and not nothing_new:
            return -math.inf
        return self._later[0][0] if self._later else math.inf

    def landed(self, work: Work) -> None:
        """An answer came, or none will."""
        self._in_flight.remove(work)

    def clear(self) -> tuple[list[Work], list[Work]]:
        """Forget all works; returns those that are marked and have no end yet, and those that are not marked."""
        later = [work for _at, _order, work in self._later]
        begun = [*self._in_flight, *self._again, *self._marked, *later]
        unmarked = list(self._unmarked)
        for works in (self._unmarked, self._again, self._marked, self._later, self._in_flight):
            works.clear()
        return begun, unmarked
