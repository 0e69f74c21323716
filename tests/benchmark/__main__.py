# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line: ``python -m tests.benchmark``, started by `make benchmark`."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmark.cases import QUICK_SIZES, SIZES, cases
from tests.benchmark.growth import measure_phases
from tests.benchmark.measuring import measure, measure_uri
from tests.benchmark.plot import draw
from tests.benchmark.results import Results
from tests.benchmark.running import ROOT, WrongRunError
from tests.benchmark.services import CONCURRENCY, LATENCY, Services
from tests.benchmark.table import inserted, tables

DOCUMENT = ROOT / "docs" / "performance.md"
CACHE = ROOT / ".cache"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options; exits with a message for a mistake in them."""
    parser = argparse.ArgumentParser(prog="make benchmark", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small fleets only, once: about two minutes")
    parser.add_argument("--sizes", help="numbers of instances, multiples of 10, with commas between")
    parser.add_argument("--repeat", type=int, help="runs of each kind, up to 10,000 instances (default: 3)")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with this in their names: 'hosts', 'sqlite'")
    parser.add_argument("--without", nargs="*", choices=("runs", "uri", "phases"), default=[], help="leave these out")
    parser.add_argument("--output", type=Path, default=CACHE / "benchmark", help="folder of the numbers and the plot")
    parser.add_argument("--write-docs", action="store_true", help="put tables, numbers and plot into docs")
    options = parser.parse_args(arguments)
    sizes = QUICK_SIZES if options.quick else SIZES
    try:
        options.sizes = sorted({int(size) for size in options.sizes.split(",")}) if options.sizes else list(sizes)
    except ValueError:
        parser.error(f"--sizes {options.sizes}: these are no numbers")
    if any(size < 10 or size % 10 for size in options.sizes):
        parser.error("--sizes: a fleet has ten groups of equal size")
    options.repeat = options.repeat or (1 if options.quick else 3)
    return options


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write; returns the exit status."""
    options = parse_arguments(arguments)
    # Below the checkout: a folder for temporary files may be in memory, where to make durable costs nothing.
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=CACHE))
    try:
        results = run(options, folder)
    except WrongRunError as error:
        print(f"A run went wrong, so nothing is measured.\n{error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = tables(results)
    print("\n\n".join(["", *found.values()]))
    output = DOCUMENT.with_suffix("") if options.write_docs else options.output
    output.mkdir(parents=True, exist_ok=True)
    results.write(output / "benchmark.json")
    draw(results, output / "benchmark.png")
    if options.write_docs:
        DOCUMENT.write_text(inserted(DOCUMENT.read_text(encoding="utf-8"), found), encoding="utf-8")
    print(f"\nNumbers and plot are in {output}")
    return 0


def run(options: argparse.Namespace, folder: Path) -> Results:
    """Measure everything that is asked for."""
    started = time.monotonic()

    def tell(text: str) -> None:
        passed = int(time.monotonic() - started)
        print(f"[{passed // 60:2}:{passed % 60:02}] {text}", flush=True)

    with Services(folder) as services:
        chosen = list(cases(options.sizes, options.repeat, options.only))
        rows = [] if "runs" in options.without else measure(services, folder, chosen, tell)
        uri = [] if "uri" in options.without else measure_uri(services, folder, options.sizes, tell)
        phases = []
        if "phases" not in options.without:
            phases = list(measure_phases(services, folder, options.sizes, options.repeat, tell))
        return Results(machine(services, time.monotonic() - started), rows, uri, phases)


def machine(services: Services, seconds: float) -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, {platform.system()}",
        "Python": platform.python_version(),
        "ansible-core": version("ansible-core"),
        "latency of the API": f"{LATENCY * 1000:.0f} ms, {CONCURRENCY} requests in flight",
        "processor time of the emulator": f"{services.emulator_ms_per_request():.1f} ms a request",
        "a durable write": f"{services.sync_seconds() * 1000:.1f} ms",
        "the whole benchmark": f"{seconds / 60:.1f} minutes",
    }


if __name__ == "__main__":
    sys.exit(main())
