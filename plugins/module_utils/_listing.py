# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The whole list of instances, or an error: a short list must never look like a small fleet.

The API promises neither a stable order across pages nor that nothing changes meanwhile. So a list is believed only if
as many different instances came as the API says there are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._client import Page
from ansible_collections.koophone.fleet.plugins.module_utils._errors import Kind, KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._pace import backoff

# As large as any other call of the API takes; the reference states no maximum, and its example shows a hundred.
PAGE_SIZE = 100
# How many times the list is gone through before it is given up.
SWEEPS = 5

Instance = Mapping[str, Any]


class ListError(Exception):
    """There is no list that could be believed."""


class Pages(Protocol):
    """Where the pages come from: the client, as this module sees it."""

    def list_instances(self, page_no: int, page_size: int) -> Page:
        """One page of the list; the first has the number 1."""


@dataclass(frozen=True)
class ListOptions:
    """As the options of the connection. `ends_at` is on this machine's clock (`_clock`)."""

    retries: int
    rate_limit: float | None = None
    ends_at: float = math.inf
    #: Told, while it happens, what went wrong in passing.
    tell: Callable[[str], None] = lambda _text: None
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class _Sweep:
    """What one way through the list brought, by instance id; `totals` are those that its pages stated."""

    instances: dict[str, Instance]
    totals: frozenset[int]

    @property
    def total(self) -> int | None:
        """How many instances there are; None where the pages disagree."""
        return next(iter(self.totals)) if len(self.totals) == 1 else None


def list_instances(pages: Pages, options: ListOptions) -> list[Instance]:
    """All instances, sorted by id. Raises `ListError`, `KooPhoneError`, or `CredentialsError`."""
    return _Listing(pages, options).run()


class _Listing:
    def __init__(self, pages: Pages, options: ListOptions) -> None:
        self._pages = pages
        self._options = options
        self._next_at = -math.inf

    def run(self) -> list[Instance]:
        # What came in sweeps that all stated this total.
        known: dict[str, Instance] = {}
        known_total: int | None = None
        seen: list[str] = []
        for number in range(SWEEPS):
            if number:
                self._pause(backoff(number - 1), seen[-1])
            sweep = self._sweep()
            total = sweep.total
            if total == len(sweep.instances):
                return _sorted(sweep.instances)
            # An order that is not stable shows some instances twice and others not at all; another time it is others.
            # This counts only as long as nothing else has changed meanwhile, as far as the API tells.
            if total is None or total != known_total or len(known) > total:
                known, known_total = {}, total
            known.update(sweep.instances)
            if total == len(known):
                return _sorted(known)
            stated = " or ".join(str(stated) for stated in sorted(sweep.totals))
            seen.append(f"{len(sweep.instances)} of {stated}")
            self._options.tell(f"the list of instances does not match its total_count ({seen[-1]}); asking again")
        raise ListError(
            "the list of instances is not believed: total_count did not match the instances that came, in"
            f" {SWEEPS} attempts ({', '.join(seen)}); is the fleet being changed?"
        )

    def _sweep(self) -> _Sweep:
        """Go through the pages to the end, wherever the total says that it is."""
        instances: dict[str, Instance] = {}
        totals: set[int] = set()
        came = 0
        page_no = 1
        while True:
            page = self._page(page_no)
            totals.add(page.total)
            came += len(page.instances)
            instances.update((instance["instance_id"], instance) for instance in page.instances)
            # A page that isn't full is the last one, unless more was promised: the server may have a maximum.
            short = len(page.instances) < PAGE_SIZE
            if not page.instances or (short and came >= page.total):
                return _Sweep(instances, frozenset(totals))
            if came > 2 * max(totals) + 10 * PAGE_SIZE:
                # A server that never comes to an end; the total won't match.
                return _Sweep(instances, frozenset(totals))
            page_no += 1

    def _page(self, page_no: int) -> Page:
        """One page, with retries."""
        tries = 0
        renewed = False
        while True:
            self._keep_to_rate()
            try:
                return self._pages.list_instances(page_no, PAGE_SIZE)
            except KooPhoneError as error:
                if error.kind is Kind.TOKEN_EXPIRED and not renewed:
                    renewed = True
                    continue
                if not error.kind.passes or tries >= self._options.retries:
                    if tries:
                        error.meaning += f"; given up after {tries + 1} tries"
                    raise
                self._options.tell(f"trying again: {error}")
                self._pause(backoff(tries) + (error.retry_after or 0.0), str(error))
                tries += 1

    def _keep_to_rate(self) -> None:
        if self._options.rate_limit is None:
            return
        now = _clock.now()
        if now < self._next_at:
            self._pause(self._next_at - now, "rate_limit")
        self._next_at = max(now, self._next_at) + 1 / self._options.rate_limit

    def _pause(self, seconds: float, reason: str) -> None:
        if _clock.now() + seconds >= self._options.ends_at:
            raise ListError(f"deadline: the time was up before the list of instances was whole; last: {reason}")
        self._options.sleep(seconds)


def _sorted(instances: Mapping[str, Instance]) -> list[Instance]:
    return [instances[instance_id] for instance_id in sorted(instances)]
