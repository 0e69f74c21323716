# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Find out which instances share a region, where nobody said so and the API refuses the mix. Pure.

The refusal (`KOOPHONE.API.1002`) names nobody, and there is no need to know a region's name: it is enough to know who
may share a request. So instances are compared with one representative of each region found so far. Every comparison
that succeeds has also applied the settings. What was learnt is remembered as a label, so that the next run needs the
least number of requests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from enum import Enum

# A label names a region by one of its instances; no real region begins with this.
LABEL_PREFIX = "?"


class Answer(Enum):
    """What the API said to a comparison."""

    SAME = "they are all in one region"
    MIXED = "they are not"
    BAD = "something is wrong with some instance"


class Sorter:
    """Sorts instances into regions, one comparison after the other."""

    def __init__(self, instance_ids: Sequence[str], *, mixed: bool, most: int) -> None:
        """`mixed`: it is known already that they are not all in one region. A request holds `most` at the most."""
        self.regions: list[list[str]] = []
        #: Those that something else is wrong with.
        self.bad: list[str] = []
        self._todo = deque(instance_ids)
        self._others: list[str] = []
        self._representative: str | None = None
        self._try_whole = not mixed
        self._most = most
        self._size = 1
        self._streak = 0

    @property
    def unsorted(self) -> list[str]:
        return [*self._todo, *self._others]

    def comparison(self) -> tuple[str, ...]:
        """The instances of the next request; empty when all are sorted."""
        if not self._todo and self._others:
            # None of these is in a region found so far. They may well be the last one.
            self._todo, self._others = deque(self._others), []
            self._representative, self._try_whole = None, len(self._todo) <= self._most
        if not self._todo:
            return ()
        if self._representative is not None:
            return (self._representative, *list(self._todo)[: self._size])
        return tuple(self._todo) if self._try_whole else (self._todo[0],)

    def learn(self, answer: Answer) -> None:
        """Take in what the API said to the comparison."""
        compared = self.comparison()
        if self._representative is not None:
            self._learn_with_representative(len(compared) - 1, answer)
        elif answer is Answer.SAME:
            self._found_region(len(compared))
        elif len(compared) == 1:
            self.bad.append(self._todo.popleft())
        self._try_whole = False

    def _found_region(self, size: int) -> None:
        region = [self._todo.popleft() for _number in range(size)]
        self.regions.append(region)
        self._representative, self._size, self._streak = region[0], 1, 0

    def _learn_with_representative(self, size: int, answer: Answer) -> None:
        if answer is Answer.SAME:
            self.regions[-1].extend(self._todo.popleft() for _number in range(size))
            # Neighbours are often alike: twice right, then twice as many at once.
            self._streak += 1
            if self._streak == 2:
                self._size, self._streak = min(2 * self._size, self._most - 1), 0
            return
        if size == 1:
            (self._others if answer is Answer.MIXED else self.bad).append(self._todo.popleft())
        # Fewer at once, also where fewer were left than would have been tried.
        self._size, self._streak = max(1, size // 2), 0


class RegionBook:
    """What a run learns of the regions of instances with equal settings."""

    def __init__(self) -> None:
        self._regions: list[list[str]] = []
        self._mixed = False
        self._linker: Sorter | None = None

    def note(self, regions: Sequence[Sequence[str]], *, mixed: bool) -> None:
        """Each of these was found to be within one region. `mixed`: there was a refusal, so that it matters."""
        self._regions.extend(list(region) for region in regions)
        self._mixed = self._mixed or mixed

    def linker(self, most: int) -> Sorter | None:
        """Compares the representatives of what was found in different batches; None where there is no need."""
        if self._mixed and self._linker is None and len(self._regions) > 1:
            self._linker = Sorter([region[0] for region in self._regions], mixed=True, most=most)
            return self._linker
        return None

    def labels(self) -> Iterator[tuple[str, list[str]]]:
        """Label → instances, for each region."""
        if not self._mixed:
            return
        of = {region[0]: region for region in self._regions}
        linked = self._linker.regions if self._linker is not None else [[first] for first in of]
        for firsts in linked:
            yield LABEL_PREFIX + min(firsts), [instance_id for first in firsts for instance_id in of[first]]
