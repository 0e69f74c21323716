# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seconds by phase for growing fleets, and what the state store costs: each run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmark.cases import median
from tests.benchmark.fleet import Fleet
from tests.benchmark.measuring import Tell
from tests.benchmark.running import ROOT, WrongRunError
from tests.benchmark.services import CONCURRENCY, STORES, Services

NO_STORE = "none"
ACTS = ("first apply", "nothing changed", "one group changed")


@dataclass(frozen=True)
class PhaseRow:
    """The module's code alone, without Ansible: seconds by phase, medians of `runs`; `store` none keeps nothing."""

    size: int
    store: str
    act: str
    runs: int
    total: float
    seconds: dict[str, float]
    peak_mib: float


def measure_phases(
    services: Services, folder: Path, sizes: Sequence[int], repeats: int, tell: Tell
) -> Iterator[PhaseRow]:
    """A life on each store, and a first apply without one."""
    for size in sizes:
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for _life in range(repeats):
            for store in (NO_STORE, *STORES):
                url = services.new_store("sqlite" if store == NO_STORE else store)
                for act in ACTS if store != NO_STORE else ACTS[:1]:
                    one = _run(services, folder, Fleet(size), act, url, store=store != NO_STORE)
                    found.setdefault((store, act), []).append(one)
                    tell(f"{size:,} instances without Ansible, store {store}, {act}: {one['total']:.2f} s")
        for (store, act), runs in found.items():
            seconds = {phase: median([one["seconds"][phase] for one in runs]) for phase in runs[0]["seconds"]}
            total, peak = median([one["total"] for one in runs]), max(one["peak_kib"] for one in runs) / 1024
            yield PhaseRow(size, store, act, len(runs), total, seconds, peak)


def _run(services: Services, folder: Path, fleet: Fleet, act: str, url: str, *, store: bool) -> dict[str, Any]:
    services.reset()
    options = {
        "instance_groups": fleet.groups(changed=act == "one group changed"),
        "endpoint": services.emulator.url,
        "auth_token": services.emulator.token,
        "state_url": url,
        "concurrency": CONCURRENCY,
    }
    process = subprocess.run(
        [sys.executable, "-m", "tests.benchmark.phases"],
        input=json.dumps({"options": options, "store": store}),
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": f"{ROOT}:{ROOT / '.tree'}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if process.returncode:
        raise WrongRunError(process.stdout[-4000:])
    one: dict[str, Any] = json.loads(process.stdout)
    requests = fleet.requests(groups={"first apply": 10, "one group changed": 1}.get(act, 0))
    if not services.emulator.count() == one["result"]["requests"] == requests:
        raise WrongRunError(f"{fleet}, {act}: {services.emulator.count()} requests instead of {requests}")
    return one
