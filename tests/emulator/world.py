# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that a reset throws away, in one place."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any

from .auth import Tokens
from .codes import RefusalError
from .config import Config
from .faults import Faults
from .fleet import Fleet
from .journal import Journal


class World:
    """The fleet, its history, the waiting faults, the tokens and the configuration.

    A request keeps the world in which it arrived: what is still under way at a reset cannot touch the next one.
    """

    def __init__(self, config: Config, fleets: list[tuple[list[str], dict[str, Any]]]) -> None:
        self.config = config
        self.fleet = Fleet()
        self.journal = Journal()
        self.faults = Faults()
        self.tokens = Tokens()
        self.rng = random.Random(config.seed)
        self._admitted: deque[float] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        for ids, attributes in fleets:
            self.fleet.put(ids, attributes)

    def configure(self, fields: dict[str, Any]) -> None:
        """Change the configuration; a new ``seed`` starts the coin anew."""
        self.config = self.config.changed(fields)
        if "seed" in fields:
            self.rng = random.Random(self.config.seed)
        if "rate_limit" in fields:
            self._admitted.clear()

    def admit(self) -> None:
        """Let a request through the gateway's limit: so many in any one second, those refused not counted."""
        limit = self.config.rate_limit
        if limit is None:
            return
        # Less than one a second is one in so many seconds.
        window, most = (1.0, int(limit)) if limit >= 1 else (1.0 / limit, 1)
        now = time.monotonic()
        while self._admitted and self._admitted[0] <= now - window:
            self._admitted.popleft()
        if len(self._admitted) >= most:
            wait = self._admitted[0] + window - now
            raise RefusalError(
                HTTPStatus.TOO_MANY_REQUESTS, "APIGW.0308", headers={"Retry-After": str(max(1, math.ceil(wait)))}
            )
        self._admitted.append(now)

    def later(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let something happen apart from the request that caused it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def end(self) -> None:
        """Call off what was still to happen."""
        for task in list(self._tasks):
            task.cancel()
