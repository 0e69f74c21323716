# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All numbers of one run, and what they say about the figures to reach."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmark.growth import NO_STORE, PhaseRow
from tests.benchmark.measuring import Row, UriRow
from tests.benchmark.services import STORES


@dataclass(frozen=True)
class Results:
    """What one run measured, and on which machine."""

    machine: dict[str, Any]
    rows: Sequence[Row]
    uri: Sequence[UriRow]
    phases: Sequence[PhaseRow]

    def row(self, size: int, source: str, store: str, act: str) -> Row | None:
        found = (r for r in self.rows if (r.size, r.source, r.store, r.act) == (size, source, store, act))
        return next(found, None)

    def phase(self, size: int, store: str, act: str) -> PhaseRow | None:
        return next((p for p in self.phases if (p.size, p.store, p.act) == (size, store, act)), None)

    def write(self, path: Path) -> None:
        content = {
            "machine": self.machine,
            "runs": [asdict(row) for row in self.rows],
            "uri": [asdict(row) for row in self.uri],
            "phases": [asdict(row) for row in self.phases],
            "figures": [figure._asdict() for figure in figures(self)],
        }
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


class Figure(NamedTuple):
    """A figure to reach, with what was measured and the most that it may be."""

    what: str
    measured: float
    most: float
    unit: str

    @property
    def reached(self) -> bool:
        return self.measured <= self.most


def figures(results: Results) -> Iterator[Figure]:
    """Those of which this run has the numbers."""
    for store in STORES:
        if row := results.row(10_000, "list", store, "first apply"):
            yield Figure(f"10,000 applied, over (empty module + ideal), {store}", row.ratio, 1.3, "×")
    for store in STORES:
        if row := results.row(10_000, "list", store, "nothing changed"):
            yield Figure(f"10,000 unchanged, over an empty module, {store}", row.ratio, 1.25, "×")
    for store in STORES:
        if row := results.row(100_000, "file", store, "nothing changed"):
            above = row.seconds - row.empty_seconds
            yield Figure(f"100,000 unchanged from files, above an empty module, {store}", above, 2.0, "s")
    for store in STORES:
        without = results.phase(10_000, NO_STORE, "first apply")
        of_store, row = results.phase(10_000, store, "first apply"), results.row(10_000, "list", store, "first apply")
        if without and of_store and row:
            share = 100 * (of_store.total - without.total) / row.seconds
            yield Figure(f"share of the state store in applying 10,000, {store}", share, 10.0, "%")
    peaks = [row.module_mib for row in results.rows if row.size == 100_000]
    if peaks:
        yield Figure("most memory of the module with 100,000", max(peaks), 300.0, "MiB")
