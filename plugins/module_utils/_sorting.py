# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Turns the comparisons that sort instances into regions into work, and remembers what they tell. Pure."""

from __future__ import annotations

from ansible_collections.koophone.fleet.plugins.module_utils._errors import Kind
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Batch
from ansible_collections.koophone.fleet.plugins.module_utils._regions import Answer, RegionBook, Sorter
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.module_utils._work import Work


class Sorting:
    """The regions of a run. Instances are compared only with others that want the same settings."""

    def __init__(self, batch_size: int, retries: int) -> None:
        self._batch_size = batch_size
        self._retries = retries
        self._books: dict[Settings, RegionBook] = {}
        #: What each sorter sorts, as work that nothing was decided about yet.
        self._bases: dict[Sorter, Work] = {}
        self._linkers: dict[Sorter, RegionBook] = {}

    @property
    def busy(self) -> bool:
        return bool(self._bases)

    def start(self, work: Work) -> list[Work]:
        """The API refused the mix: the first comparison."""
        sorter = Sorter(work.instance_ids, mixed=True, most=self._batch_size)
        self._bases[sorter] = work
        return self._following(sorter)

    def succeeded(self, work: Work) -> list[Work]:
        """The API confirmed it; returns the comparison that follows, if it was one."""
        if work.sorter is None:
            if work.batch.region is None:
                self._book(work).note([work.instance_ids], mixed=False)
            return []
        work.sorter.learn(Answer.SAME)
        return self._following(work.sorter)

    def refused(self, work: Work, sorter: Sorter, kind: Kind) -> tuple[list[Work], list[Work]]:
        """The API refused a comparison; returns what has failed for good, and the comparison that follows."""
        base = self._bases[sorter]
        # An earlier try of this comparison may still be carried out for all of them.
        base.doubt_until = max(base.doubt_until, work.doubt_until)
        base.error = work.error
        known_bad = len(sorter.bad)
        sorter.learn(Answer.MIXED if kind is Kind.MIX else Answer.BAD)
        failed = sorter.bad[known_bad:]
        return [base.part(failed)] if failed else [], self._following(sorter)

    def given_up(self, work: Work) -> list[Work]:
        """A comparison failed for good: so has what it was part of."""
        if work.sorter is None:
            return []
        base = self._bases.pop(work.sorter)
        rest = [instance_id for instance_id in work.sorter.unsorted if instance_id not in work.instance_ids]
        self._note(work.sorter, base)
        return [base.part(rest)] if rest else []

    def link(self) -> list[Work]:
        """When nothing is in flight: comparisons between what was found in different batches."""
        works = []
        for settings, book in self._books.items():
            linker = book.linker(self._batch_size)
            if linker is not None:
                self._linkers[linker] = book
                base = Work(Batch(settings, None, tuple(linker.unsorted)), retries=self._retries)
                self._bases[linker] = base
                works += self._following(linker)
        return works

    def left_over(self) -> list[Work]:
        """What is neither sorted nor part of a comparison under way: those are someone else's to end."""
        return [base.part(rest) for sorter, base in self._bases.items() if (rest := sorter.unsorted)]

    def labels(self) -> dict[str, list[str]]:
        """Label → instances, of the regions that were told apart."""
        return {label: ids for book in self._books.values() for label, ids in book.labels()}

    def _following(self, sorter: Sorter) -> list[Work]:
        base = self._bases[sorter]
        ids = sorter.comparison()
        if ids:
            work = base.part(ids)
            work.sorter = sorter
            return [work]
        del self._bases[sorter]
        self._note(sorter, base)
        return []

    def _note(self, sorter: Sorter, base: Work) -> None:
        # What a linker finds stays with it: it is about regions that are noted already.
        if sorter not in self._linkers:
            self._book(base).note(sorter.regions, mixed=True)

    def _book(self, work: Work) -> RegionBook:
        return self._books.setdefault(work.batch.settings, RegionBook())
