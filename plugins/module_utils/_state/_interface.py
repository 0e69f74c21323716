# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The state store as its users see it: values, errors, and the one small interface.

Words: a *claim* is a run's exclusive, expiring right to change instances; a *mark* is the durable note, made before
a request goes out, that its instances are unknown. See docs/state.md for the protocol and why it is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol, TypeVar

from ansible_collections.koophone.fleet.plugins.module_utils._memory import Memory
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings

Result = TypeVar("Result")


class StateError(Exception):
    """The state store cannot be used; the text says which, why, and what to do."""


class Run(NamedTuple):
    """Who runs: kept with what the run changes, and named to those who wait for it. `job` is that of AWX."""

    run_id: str
    user: str = ""
    host: str = ""
    job: str = ""

    def __str__(self) -> str:
        origin = ", ".join(part for part in (self.user, self.host, self.job and f"job {self.job}") if part)
        return f"run {self.run_id}" + (f" ({origin})" if origin else "")


class Wanted(NamedTuple):
    """Instances that a run wants to claim, all with the same desired settings."""

    settings: Settings
    instance_ids: Sequence[str]


class Choice(NamedTuple):
    """What a run makes of what it read: what to claim, and the digests of the plan behind it."""

    wanted: Sequence[Wanted]
    plan_digest: str
    desired_digest: str
    approved_plan: str = ""


class Held(NamedTuple):
    """An instance that could not be claimed: by whom it is held, and for how many seconds at the most, as of now."""

    run: Run
    seconds: float
    in_doubt: bool

    def __str__(self) -> str:
        if self.in_doubt:
            return f"a request of {self.run} may still be carried out, for up to {self.seconds:.0f} more seconds"
        seconds = f"{self.seconds:.0f} seconds"
        return f"claimed by {self.run}, which is at work or died less than {seconds} before its claim ends"


@dataclass
class Claim:
    """A run's right to its instances. `ends_at` is on this machine's `clock.now()`: no try may start after it.

    `marked` are those that the store may have a mark of, kept by the store.
    """

    key: int
    service: str
    run: Run
    ends_at: float
    instance_ids: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)


class ClaimResult(NamedTuple):
    """What was claimed (None: nothing), and what others hold."""

    claim: Claim | None
    held: Mapping[str, Held]


class Status(Enum):
    """Whether last applied is known."""

    APPLIED = "applied"
    UNKNOWN = "unknown"


class Confirmed(NamedTuple):
    """Settings that the API confirmed once, or that were adopted (then `request_id` is None); when, by which run."""

    settings: Settings
    applied_at: float
    request_id: str | None
    run: Run


class Record(NamedTuple):
    """All that is remembered of one instance. `last` was confirmed last, whatever happened since."""

    service: str
    instance_id: str
    region: str | None
    status: Status
    last: Confirmed | None
    history: Sequence[Confirmed] = ()


class Outcome(Enum):
    """How the requests for a batch ended."""

    CONFIRMED = "the API confirmed the settings"
    UNCONFIRMED = "something was sent and not confirmed"
    NOT_PROCESSED = "nothing that was sent can have had an effect"


class Resolution(NamedTuple):
    """The end of a batch. `doubt_for` is how many seconds longer a try of it may still be carried out."""

    instance_ids: Sequence[str]
    settings: Settings
    outcome: Outcome
    request_id: str | None = None
    doubt_for: float = 0.0


class Mark(NamedTuple):
    """A batch that is about to be sent."""

    instance_ids: Sequence[str]
    settings: Settings


class Counts(NamedTuple):
    """What a run did, for its history."""

    instances: int
    changed: int
    failed: int
    not_attempted: int


class Reading(Protocol):
    """What was read, and what may be asked in the same transaction."""

    @property
    def memory(self) -> Memory:
        """What is remembered of the instances asked for."""

    def changed_by_others(self, approved_plan: str, desired_digest: str) -> set[str] | None:
        """Which instances others changed since a run with that plan began; None if there was none."""

    def latest_changes(self) -> Sequence[str]:
        """Who changed what is remembered of these instances, in words, the latest first."""


Look = Callable[[Reading], Result]
Chooser = Callable[[Reading], Choice]


class Store(Protocol):
    """Where last applied is kept. Every method is one transaction, and may be repeated without harm."""

    def read(self, service: str, instance_ids: Collection[str], look: Look[Result]) -> Result:
        """Show `look` one consistent reading of these instances, and return what it makes of it."""

    def claim(
        self, run: Run, service: str, instance_ids: Collection[str], choose: Chooser, *, lease: float, grace: float
    ) -> ClaimResult:
        """Read, let `choose` decide on what was read, and claim what it wants, in one transaction.

        The claim ends `lease` seconds after its last renewal; a request that was out then may still be carried out
        for `grace` seconds. What `choose` raises undoes everything.
        """

    def renew(self, claim: Claim, *, lease: float) -> bool:
        """Prolong an unbroken claim. False when it is broken or over: then claim anew."""

    def record(self, claim: Claim, resolutions: Iterable[Resolution], marks: Iterable[Mark]) -> set[str]:
        """Durably write how batches ended and which are about to be sent; returns the ids that are claimed no more."""

    def learn_regions(self, claim: Claim, regions: Mapping[str, Sequence[str]]) -> None:
        """Remember which instances share a region: its name, or a label for it → instances."""

    def release(self, claim: Claim) -> None:
        """Give the claim back; what is marked under it stays in doubt."""

    def finish(self, run: Run, service: str, counts: Counts, *, history_age: float) -> None:
        """Note the end of a run and what it did; prune the history that is older than so many seconds."""

    def records(self, service: str | None, instance_ids: Collection[str] | None, *, history: bool) -> Sequence[Record]:
        """All that is remembered of these instances (None: of all), of one service or of all."""

    def forget(self, run: Run, service: str, instance_ids: Collection[str]) -> None:
        """Make instances unknown, whoever holds them: what is being confirmed for them right now will not be."""

    def close(self) -> None:
        """Let go of the database."""
