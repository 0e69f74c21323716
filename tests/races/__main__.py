# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The property test: random sequences, on both state stores, in several processes.

    python -m tests.races --sequences 2000              as many sequences, drawn from seeds 0, 1, 2, …
    python -m tests.races --seed 1234 --sequences 1     one of them again
    python -m tests.races --replay FILE                 a shortened one again, as it was printed
    python -m tests.races --break write-ahead           with the collection broken on purpose: it has to fail

Every sequence is judged by what the emulator did. `void` are those in which a request was carried out later than the
API promises, because a pause hit the gap that no client can close or because the machine was too busy.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.emulator.handle import PROJECT_ROOT, Emulator
from tests.races import sequence as drawing
from tests.races.breakage import BREAKAGES
from tests.races.play import LieError, VoidError, World, shorten
from tests.support.postgres import PostgreSQL

STORES = ("sqlite", "postgresql")


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.races", description=__doc__.partition("\n")[0])
    parser.add_argument("--sequences", type=int, default=2000, help="how many in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the first (default: %(default)s)")
    parser.add_argument("--store", choices=[*STORES, "both"], default="both", help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=4 * (os.cpu_count() or 1), help="processes (default: %(default)s)")
    parser.add_argument("--break", dest="breakage", choices=sorted(BREAKAGES), default="", help="what to break")
    parser.add_argument("--replay", type=Path, help="a sequence in JSON, run over and over instead of drawn ones")
    parser.add_argument("--keep-going", action="store_true", help="do not end with the first lie")
    parser.add_argument("--as-it-is", action="store_true", help="do not shorten the sequence that lies")
    parser.add_argument("--report", type=Path, help="file for the figures, as JSON")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_arguments(arguments)
    if options.worker:
        work()
        return 0
    began = time.monotonic()
    stores = STORES if options.store == "both" else (options.store,)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(PostgreSQL({"max_connections": "300"})) if "postgresql" in stores else None
        figures = drive(options, stores, server.url(server.create_database()) if server is not None else None)
    figures["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(figures))
    if options.report is not None:
        options.report.write_text(json.dumps(figures), encoding="utf-8")
    return 1 if figures.get("lies") else 0


def drive(options: argparse.Namespace, stores: Sequence[str], postgresql_url: str | None) -> dict[str, Any]:
    """Share the sequences out among the workers, and add up what they report."""
    total = Counter[str]()
    lock = threading.Lock()
    over = threading.Event()
    jobs = min(options.jobs, options.sequences)
    seeds = iter(range(options.seed, options.seed + options.sequences))
    replay = json.loads(options.replay.read_text(encoding="utf-8")) if options.replay is not None else None

    def employ(number: int) -> None:
        given = {"postgresql_url": postgresql_url, "breakage": options.breakage, "as_it_is": options.as_it_is}
        command = [sys.executable, "-m", "tests.races", "--worker"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT
        ) as worker:
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write(json.dumps(given) + "\n")
            while not over.is_set():
                with lock:
                    seed = next(seeds, None)
                if seed is None:
                    break
                store = stores[seed % len(stores)]
                worker.stdin.write(json.dumps({"seed": seed, "store": store, "replay": replay}) + "\n")
                worker.stdin.flush()
                line = worker.stdout.readline()
                if not line:
                    with lock:
                        total["lies"] += 1
                    print(f"worker {number} died at seed {seed} ({store})", flush=True)
                    over.set()
                    break
                answer = json.loads(line)
                with lock:
                    total.update(answer["figures"])
                    if answer.get("text"):
                        print(answer["text"], flush=True)
                    if total["sequences"] % 100 == 0:
                        print(f"{total['sequences']} sequences, {dict(total)}", flush=True)
                if answer["figures"].get("lies") and not options.keep_going:
                    over.set()
            worker.stdin.close()

    threads = [threading.Thread(target=employ, args=(number,)) for number in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return dict(total)


def work() -> None:
    """One process: sequences in, verdicts out, a line each. It has a single thread, since it forks."""
    given = json.loads(sys.stdin.readline())
    with _folder() as folder, Emulator() as emulator:
        worlds = {
            "sqlite": World(emulator, None, folder, breakage=given["breakage"]),
            "postgresql": World(emulator, given["postgresql_url"], folder, breakage=given["breakage"]),
        }
        for line in iter(sys.stdin.readline, ""):
            asked = json.loads(line)
            world = worlds[asked["store"]]
            drawn = drawing.Sequence.from_data(asked["replay"]) if asked["replay"] else drawing.draw(asked["seed"])
            answer = judge(world, drawn, f"seed {asked['seed']} on {asked['store']}", as_it_is=given["as_it_is"])
            print(json.dumps(answer), flush=True)


def judge(world: World, drawn: drawing.Sequence, name: str, *, as_it_is: bool) -> dict[str, Any]:
    try:
        return {"figures": {"sequences": 1, **world.run(drawn)}}
    except VoidError as error:
        return {"figures": {"sequences": 1, "void": 1, f"void: {str(error).partition(';')[0]}": 1}}
    except LieError as error:
        short = drawn if as_it_is else shorten(world, drawn)
        text = f"LIE, {name}: {error}\nshortened from {len(drawn.steps)} to {len(short.steps)} steps (for --replay):\n"
        return {"figures": {"sequences": 1, "lies": 1}, "text": text + json.dumps(short.as_data())}


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    # In memory where that is possible: a killed process loses nothing there either, and nothing waits for a disk.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="koophone-races-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


if __name__ == "__main__":
    sys.exit(main())
