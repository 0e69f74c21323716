# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What to do about a try that failed: at once, later, in parts, or never again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.koophone.fleet.plugins.module_utils._errors import Kind, KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._pace import BATCHES_IN_VAIN, Pace
from ansible_collections.koophone.fleet.plugins.module_utils._work import Work

# A service that asks for a longer pause than this, in seconds, is better come back to by another run.
_LONGEST_PAUSE = 600.0


class Reaction(NamedTuple):
    """`again` is sent as soon as possible, `later` after `delay` seconds; else the work has `failed`.

    `mixed`: its regions are to be sorted out. `ends`: why nothing else is worth trying.
    """

    again: Sequence[Work] = ()
    later: Work | None = None
    delay: float = 0.0
    failed: bool = False
    mixed: bool = False
    ends: str | None = None


class Reactions:
    """Decides for a run; it remembers how often the server was asked in vain."""

    def __init__(self, pace: Pace, retries: int) -> None:
        self._pace = pace
        self._retries = retries
        self._tries_in_vain = 0
        self._batches_in_vain = 0

    @property
    def in_trouble(self) -> bool:
        """Whether the server seems to be down: then what failed is tried again before anything else is begun."""
        return self._tries_in_vain >= BATCHES_IN_VAIN

    def to_success(self, now: float) -> None:
        self._tries_in_vain = self._batches_in_vain = 0
        self._pace.answered(now)

    def to(self, work: Work, error: KooPhoneError, now: float) -> Reaction:
        """`work` has noted the error already."""
        if error.kind is Kind.UNREACHABLE:
            return self._to_unreachable(work, error, now)
        if error.kind is Kind.THROTTLED:
            self._pace.throttled(now, work.delay(), error.retry_after)
        elif error.http_status is not None:
            self._pace.answered(now)
        if _in_vain(error):
            self._tries_in_vain += 1
        else:
            # Somebody who knows the API answered.
            self._tries_in_vain = self._batches_in_vain = 0
        if error.kind is Kind.TOKEN_EXPIRED and not work.renewed:
            work.renewed = True
            return Reaction(again=(work,))
        if len(work.instance_ids) > 1 and work.sorter is None:
            if error.kind is Kind.MIX:
                return Reaction(mixed=True)
            if error.kind.concerns_some_instance:
                # The answer does not say which one: halving finds it, and applies the rest on the way.
                return Reaction(again=work.halves())
        if error.retry_after is not None and error.retry_after > _LONGEST_PAUSE:
            return Reaction(failed=True, ends=f"the service asks to wait for {error.retry_after:.0f} seconds: {error}")
        if error.kind.passes and work.retries > 0:
            delay = work.delay()
            work.retries -= 1
            work.tries += 1
            return Reaction(later=work, delay=delay)
        return Reaction(failed=True, ends=self._end_of_run(error))

    def _to_unreachable(self, work: Work, error: KooPhoneError, now: float) -> Reaction:
        """Nobody is there: it is no fault of this batch, and no other one would fare better."""
        self._pace.not_reached(now)
        if self._pace.unreachable <= self._retries:
            return Reaction(again=(work,))
        tries = self._pace.unreachable
        return Reaction(failed=True, ends=f"the service cannot be reached ({tries} attempts in a row): {error}")

    def _end_of_run(self, error: KooPhoneError) -> str | None:
        if error.kind in (Kind.RUN, Kind.TOKEN_EXPIRED):
            return str(error)
        if _in_vain(error):
            self._batches_in_vain += 1
            if self._batches_in_vain >= BATCHES_IN_VAIN:
                return (
                    f"the service does not answer as it should: {self._batches_in_vain} batches in a row failed with"
                    f" all their tries, the last one with {error}"
                )
        return None


def _in_vain(error: KooPhoneError) -> bool:
    """Whether no server of this API answered as it should: none at all, or another one."""
    return error.kind is Kind.PASSING or (error.kind is Kind.REQUEST and not error.error_code)
