# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""A batch on its way through its tries. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.koophone.fleet.plugins.module_utils._auth import CredentialsError
from ansible_collections.koophone.fleet.plugins.module_utils._errors import Fate, KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._job import SendOptions
from ansible_collections.koophone.fleet.plugins.module_utils._pace import backoff
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Batch
from ansible_collections.koophone.fleet.plugins.module_utils._regions import Sorter
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Outcome, Resolution

# Confirms settings for instances in one try and returns the request id, or raises KooPhoneError.
Call = Callable[[Sequence[str], Settings], str]


class Tried(NamedTuple):
    """How one try ended: with a request id, with an error, or before anything was sent.

    Then either no credentials were to be had, or the claim had ended.
    """

    started: float
    request_id: str | None = None
    error: KooPhoneError | None = None
    refused: CredentialsError | None = None


@dataclass(eq=False)
class Work:
    """A batch on its way. `doubt_until` is on this machine's clock; `touched`: some try may have had an effect.

    `renewed`: the token was renewed for it once. `sorter`: it is a comparison of that one.
    """

    batch: Batch
    retries: int
    doubt_until: float = 0.0
    touched: bool = False
    tries: int = 0
    renewed: bool = False
    sorter: Sorter | None = None
    error: KooPhoneError | None = None

    @property
    def instance_ids(self) -> tuple[str, ...]:
        return self.batch.instance_ids

    def part(self, instance_ids: Sequence[str]) -> Work:
        """The same work for some of its instances; what is in doubt is so for each, what failed for all is not."""
        batch = Batch(self.batch.settings, self.batch.region, tuple(instance_ids))
        return Work(batch, self.retries, self.doubt_until, self.touched)

    def halves(self) -> tuple[Work, Work]:
        middle = (len(self.instance_ids) + 1) // 2
        return self.part(self.instance_ids[:middle]), self.part(self.instance_ids[middle:])

    def note(self, started: float, error: KooPhoneError, options: SendOptions, now: float) -> None:
        """Remember how a try failed, and until when it may still be carried out."""
        self.error = error
        self.touched = self.touched or error.fate is not Fate.NOT_PROCESSED
        if error.fate is Fate.IN_DOUBT:
            # From when it was really given up, should this process have been paused meanwhile.
            self.note_doubt(max(started + options.timeout, now) + options.settle)

    def note_doubt(self, until: float) -> None:
        self.touched = True
        self.doubt_until = max(self.doubt_until, until)

    def resolution(self, now: float, request_id: str | None = None) -> Resolution:
        """What to write down when no further try is made: confirmed, if there is a request id."""
        if request_id is not None:
            outcome = Outcome.CONFIRMED
        else:
            outcome = Outcome.UNCONFIRMED if self.touched else Outcome.NOT_PROCESSED
        doubt_for = max(0.0, self.doubt_until - now)
        return Resolution(self.instance_ids, self.batch.settings, outcome, request_id, doubt_for)

    def delay(self) -> float:
        """Seconds until the next try; what the server asks for comes on top."""
        retry_after = self.error.retry_after if self.error is not None else None
        return backoff(self.tries) + (retry_after or 0.0)
