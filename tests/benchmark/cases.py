# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured: which sizes, ways, stores and acts, and how often."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.benchmark.fleet import Fleet

SIZES = (100, 1_000, 10_000, 100_000)
QUICK_SIZES = (100, 1_000)
#: What happens in the life of a fleet, in this order.
ACTS = ("first apply", "nothing changed", "check mode", "one group changed")
# Above this, a run lasts long enough for one to tell; and in an inventory, 100,000 hosts would keep Ansible itself busy
# for minutes.
_REPEATED_UP_TO = 10_000
# `uri` takes 0.7 seconds a call.
_URI_UP_TO = 10_000
URI_INSTANCES = 20


@dataclass(frozen=True)
class Case:
    """One fleet, one source of its groups, and one store, through all acts; `repeats` lives, each on a new store."""

    size: int
    source: str
    store: str
    repeats: int

    @property
    def fleet(self) -> Fleet:
        return Fleet(self.size)

    def requests(self, act: str) -> int:
        """The least possible number of requests."""
        return self.fleet.requests(groups={"first apply": 10, "one group changed": 1}.get(act, 0))

    def __str__(self) -> str:
        return f"{self.size:,} instances, {self.source}, {self.store}"


def cases(sizes: Sequence[int], repeats: int, only: str = "") -> Iterator[Case]:
    """All cases; `only` is a part of what they are called."""
    for size in sizes:
        times = repeats if size <= _REPEATED_UP_TO else 1
        ways = [("list", "sqlite", times), ("list", "postgresql", times)]
        if size > min(SIZES):
            ways.append(("file", "sqlite", times))
            if size > _REPEATED_UP_TO:
                ways.append(("file", "postgresql", times))
            else:
                ways += [("role, list", "sqlite", 1), ("role, hosts", "sqlite", 1)]
        for source, store, number in ways:
            case = Case(size, source, store, number)
            if only in str(case):
                yield case


def uri_sizes(sizes: Sequence[int]) -> list[int]:
    """The fleets for which `uri` over batches is run; the rest is extrapolated from the largest."""
    return [size for size in sizes if size <= _URI_UP_TO]


def ideal_seconds(requests: int, latency: float, concurrency: int) -> float:
    """The arithmetic ideal: nothing takes time but the API."""
    return requests * latency / concurrency


def median(values: Sequence[float]) -> float:
    """The one in the middle; of two in the middle the lower, so that it is always one that was measured."""
    return sorted(values)[math.ceil(len(values) / 2) - 1]
