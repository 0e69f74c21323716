# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Who may claim an instance, and from when on. Pure: both stores decide by these rules."""

from __future__ import annotations

from typing import NamedTuple


class Holder(NamedTuple):
    """The claim that an instance is under. `run` grows with every run; times are in seconds of the store's clock."""

    run: int
    lease_until: float
    grace: float
    broken: bool


class Row(NamedTuple):
    """What decides about one instance; settings are those of the store's keys.

    `wants` is what the holder wants to send, `marked` what it may have sent, `doubt_settings` what an earlier request
    may still bring until `doubt_until` (None with a time in the future: more than one thing).
    """

    claim: int | None
    wants: int | None
    marked: int | None = None
    doubt_settings: int | None = None
    doubt_until: float = 0.0


class Verdict(NamedTuple):
    """`until` is None when the instance is free, else the time at which to ask again."""

    until: float | None
    in_doubt: bool = False
    breaks_claim: bool = False


FREE = Verdict(None)


def judge(row: Row, holder: Holder | None, *, run: int, wanted: int, now: float) -> Verdict:
    """Whether `run`, which wants to send `wanted`, may claim the instance.

    Never are requests with different settings in flight at once: so nobody waits for a request that carries what is
    wanted anyway, and everybody waits for one that carries something else. A younger run may take over what an older
    one wants too; never the other way round, or two equal runs would take from each other for ever.
    """
    doubt = 0.0
    if row.doubt_until > now and row.doubt_settings != wanted:
        doubt = row.doubt_until
    if holder is None or holder.run == run:
        return Verdict(doubt, in_doubt=True) if doubt else FREE
    alive = not holder.broken and holder.lease_until > now
    if row.marked is not None and row.marked != wanted and holder.lease_until + holder.grace > now:
        doubt = max(doubt, holder.lease_until + holder.grace)
    if alive and not (row.wants == wanted and holder.run < run):
        # Its holder may well be done sooner than a request in doubt; so this is when to ask again.
        return Verdict(holder.lease_until)
    if doubt:
        return Verdict(doubt, in_doubt=True)
    return Verdict(None, breaks_claim=alive)
