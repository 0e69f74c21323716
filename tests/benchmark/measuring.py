# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measures the cases, each life with an empty module in it, and doesn't count a run that went wrong."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmark.cases import ACTS, URI_INSTANCES, Case, ideal_seconds, median, uri_sizes
from tests.benchmark.fleet import Fleet
from tests.benchmark.project import Project, UriProject
from tests.benchmark.running import Measured, WrongRunError, run
from tests.benchmark.services import CONCURRENCY, LATENCY, Services

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """The medians of one act of one case. `ratio` is to the empty module of the same life plus the ideal."""

    size: int
    source: str
    store: str
    act: str
    runs: int
    requests: int
    seconds: float
    empty_seconds: float
    ideal_seconds: float
    ratio: float
    module_mib: float
    empty_mib: float
    controller_mib: float


@dataclass(frozen=True)
class UriRow:
    """`uri` in a loop; `measured_on` is a smaller fleet where the seconds are extrapolated."""

    size: int
    batch: int
    requests: int
    seconds: float
    measured_on: int


def measure(services: Services, folder: Path, cases: Sequence[Case], tell: Tell) -> list[Row]:
    """All acts of all cases. The lives of the cases of one size take turns, so that a busy minute hits all alike."""
    rows: list[Row] = []
    for size, group in itertools.groupby(cases, key=lambda case: case.size):
        of_size = list(group)
        projects = {
            source: Project(folder / f"{size}-{source.replace(', ', '-')}", Fleet(size), source)
            for source in dict.fromkeys(case.source for case in of_size)
        }
        empty: dict[Case, list[Measured]] = {case: [] for case in of_size}
        found: dict[tuple[Case, str], list[Measured]] = {(case, act): [] for case in of_size for act in ACTS}
        for life in range(max(case.repeats for case in of_size)):
            for case in of_size:
                if life >= case.repeats:
                    continue
                project, store = projects[case.source], services.new_store(case.store)
                for act in ("empty", *ACTS):
                    if act == "empty":
                        measured = run(services, project.folder, project.arguments("empty", changed=False))
                        empty[case].append(measured)
                    else:
                        measured = _run_act(services, project, act, store)
                        _verify(case, act, measured)
                        found[case, act].append(measured)
                    tell(f"{case}, {act}: {measured.seconds:.2f} s")
        rows += [_row(case, act, found[case, act], empty[case]) for case in of_size for act in ACTS]
    return rows


def measure_uri(services: Services, folder: Path, sizes: Sequence[int], tell: Tell) -> list[UriRow]:
    """`uri` over batches of 100, and over instances on a small fleet; what is larger is extrapolated by requests."""
    measured: dict[int, list[tuple[Fleet, Measured]]] = {}
    plans = [(size, 100) for size in uri_sizes(sizes)] + [(URI_INSTANCES, 1)]
    for size, batch in plans:
        project = UriProject(folder / f"uri-{size}-{batch}", Fleet(size), batch=batch)
        one = run(services, project.folder, project.arguments())
        if one.requests != project.requests:
            raise WrongRunError(f"uri sent {one.requests} requests instead of {project.requests}")
        measured.setdefault(batch, []).append((Fleet(size), one))
        tell(f"{size:,} instances, uri over batches of {batch}: {one.seconds:.2f} s")
    rows: list[UriRow] = []
    for batch, runs in measured.items():
        largest, slowest = runs[-1]
        for size in sizes:
            known = {fleet.size: one for fleet, one in runs}
            if size in known:
                rows.append(UriRow(size, batch, known[size].requests, known[size].seconds, size))
                continue
            requests = size if batch == 1 else Fleet(size).requests(groups=10)
            seconds = slowest.seconds * requests / slowest.requests
            rows.append(UriRow(size, batch, requests, seconds, largest.size))
    return rows


def _run_act(services: Services, project: Project, act: str, store: str) -> Measured:
    changed, check = act in ("one group changed", "check mode"), act == "check mode"
    return run(services, project.folder, project.arguments("apply", changed=changed), state_url=store, check=check)


def _verify(case: Case, act: str, measured: Measured) -> None:
    """The least possible requests, and the right instances changed."""
    instances = {"first apply": case.size, "nothing changed": 0}.get(act, case.fleet.group_size)
    said, requests = measured.outcome, case.requests(act)
    if (measured.requests, said["requests"]) != (requests, requests):
        raise WrongRunError(f"{case}, {act}: {measured.requests} requests instead of {requests}")
    if (said["summary"]["changed"], said["changed"]) != (instances, instances > 0):
        raise WrongRunError(f"{case}, {act}: {said} instead of {instances} changed")
    if said["summary"]["instances"] != case.size:
        raise WrongRunError(f"{case}, {act}: {said['summary']['instances']} instances")


def _row(case: Case, act: str, runs: Sequence[Measured], empty: Sequence[Measured]) -> Row:
    seconds, floor = median([one.seconds for one in runs]), median([one.seconds for one in empty])
    ideal = ideal_seconds(case.requests(act), LATENCY, CONCURRENCY)
    return Row(
        size=case.size,
        source=case.source,
        store=case.store,
        act=act,
        runs=len(runs),
        requests=case.requests(act),
        seconds=seconds,
        empty_seconds=floor,
        ideal_seconds=ideal,
        # Not of the medians: a machine that is slower for a minute is so for both runs of a life.
        ratio=median([one.seconds / (nothing.seconds + ideal) for one, nothing in zip(runs, empty, strict=True)]),
        module_mib=max(one.module_mib for one in runs),
        empty_mib=max(one.module_mib for one in empty),
        controller_mib=max(one.controller_mib for one in runs),
    )
