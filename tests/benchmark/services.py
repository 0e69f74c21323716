# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the measured runs talk to: a KooPhone emulator that takes its time, and state stores that are new each time."""

from __future__ import annotations

import itertools
import os
import statistics
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.emulator.handle import Emulator
from tests.support.postgres import PostgreSQL

#: Seconds that the API takes for an answer, and how many requests are in flight at the most: the module's default.
LATENCY = 0.05
CONCURRENCY = 8
STORES = ("sqlite", "postgresql")
# Tests switch these off; what is to be durable has to pay for it here.
_DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


class Services:
    """An emulator for all runs, and PostgreSQL once somebody asks for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._postgresql: PostgreSQL | None = None
        self._numbers = itertools.count()
        self._requests = 0

    def __enter__(self) -> Services:
        options = ["--open-fleet", "--latency", str(LATENCY)]
        self.emulator = self._stack.enter_context(Emulator(options))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def new_store(self, kind: str) -> str:
        """The `state_url` of a store that is not there yet."""
        if kind == "sqlite":
            return f"sqlite:///{self._folder}/store-{next(self._numbers)}.sqlite3"
        if self._postgresql is None:
            self._postgresql = self._stack.enter_context(PostgreSQL(_DURABLE))
        return self._postgresql.url(self._postgresql.create_database())

    def reset(self) -> None:
        """Forget all requests, but not how many there were."""
        self._requests += self.emulator.count()
        self.emulator.reset()

    def emulator_ms_per_request(self) -> float:
        """Milliseconds of a processor that the emulator takes for a request: it shares this machine with the rest."""
        fields = Path(f"/proc/{self.emulator.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 1000 * seconds / max(1, self._requests + self.emulator.count())

    def sync_seconds(self) -> float:
        """How long this machine's disk takes to make a small write durable: the price of a mark."""
        path, seconds = self._folder / "sync", []
        with path.open("wb") as file:
            for _number in range(20):
                file.write(bytes(4096))
                file.flush()
                started = time.perf_counter()
                os.fsync(file.fileno())
                seconds.append(time.perf_counter() - started)
        path.unlink()
        return statistics.median(seconds)
