# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What a run is to bring about, and what became of it. Pure, and all that a run needs which finds nothing to change."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.koophone.fleet.plugins.module_utils._guard import Guard
from ansible_collections.koophone.fleet.plugins.module_utils._outcome import Outcomes
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Options, Plan, Target, make_plan
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Reading, Run


class SendOptions(NamedTuple):
    """Times in seconds and `rate_limit` in requests a second, as the module's options.

    `stopped` tells whether the run was told to stop; `prepare` gets what a request needs beforehand, such as a token,
    and raises `CredentialsError`.
    """

    concurrency: int
    retries: int
    timeout: float
    settle: float
    batch_size: int = 100
    rate_limit: float | None = None
    stopped: Callable[[], bool] = lambda: False
    prepare: Callable[[], None] = lambda: None
    #: When, on this machine's clock, nothing new is sent any more.
    ends_at: float = math.inf

    @property
    def grace(self) -> float:
        """How many seconds after its start a try may still be carried out."""
        return self.timeout + self.settle


class Job(NamedTuple):
    """What a run is to bring about, and within which limits. `claim_timeout` and `history_age` are in seconds."""

    run: Run
    service: str
    desired: Mapping[str, Target]
    options: Options
    guard: Guard
    batch_size: int
    claim_timeout: float
    history_age: float
    send: SendOptions
    #: Told, while it happens, what the run waits for.
    tell: Callable[[str], None] = lambda _text: None
    #: Change only the first so many of the instances named; the guard judges the whole plan all the same.
    up_to: int | None = None

    def checked_plan(self, reading: Reading) -> Plan:
        """The plan for what was read. Raises `RefusedError`."""
        plan = make_plan(self.service, self.desired, reading.memory, self.options)
        self.guard.check(plan, reading)
        return plan if self.up_to is None else plan.up_to(self.up_to)


@dataclass
class Applied:
    """The plan that was checked, and what became of it."""

    plan: Plan
    outcomes: Outcomes

    @classmethod
    def begun(cls, plan: Plan) -> Applied:
        """Nothing has become of the instances yet; what is deferred is not attempted."""
        return cls(plan, Outcomes(not_attempted=set(plan.deferred)))
