# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils._state._rules import (
    FREE,
    Holder,
    Row,
    Verdict,
    judge,
)

# The run that asks is number 5 and wants the settings 1; the time is 100.
RUN, MINE, OTHER, THIRD = 5, 1, 2, 3
NOW, PAST, SOON, LATER = 100.0, 90.0, 110.0, 150.0
GRACE = 90.0
OLDER, YOUNGER = 4, 6


def holder(run: int = OLDER, lease_until: float = SOON, broken: bool = False, grace: float = GRACE) -> Holder:
    return Holder(run, lease_until, grace, broken)


def row(wants: int | None = None, marked: int | None = None, doubt: int | None = None, until: float = 0.0) -> Row:
    return Row(None if wants is None else 7, wants, marked, doubt, until)


def verdict(of: Row, by: Holder | None) -> Verdict:
    return judge(of, by, run=RUN, wanted=MINE, now=NOW)


TAKEN_OVER = Verdict(None, breaks_claim=True)


def in_doubt(until: float) -> Verdict:
    return Verdict(until, in_doubt=True)


TABLE = {
    # --- nobody holds it
    "nothing was ever sent": (row(), None, FREE),
    "doubt about what is wanted anyway": (row(doubt=MINE, until=SOON), None, FREE),
    "doubt about other settings": (row(doubt=OTHER, until=SOON), None, in_doubt(SOON)),
    "doubt about more than one thing": (row(doubt=None, until=SOON), None, in_doubt(SOON)),
    "doubt about other settings that is over": (row(doubt=OTHER, until=PAST), None, FREE),
    "doubt about other settings that is over just now": (row(doubt=OTHER, until=NOW), None, FREE),
    # --- a run at work holds it
    "older run at work that wants the same": (row(MINE), holder(OLDER), TAKEN_OVER),
    "older run at work that wants the same and may have sent it": (row(MINE, MINE), holder(OLDER), TAKEN_OVER),
    "older run at work that wants something else": (row(OTHER), holder(OLDER), Verdict(SOON)),
    "older run at work that sends something else": (row(OTHER, OTHER), holder(OLDER), Verdict(SOON)),
    "younger run at work that wants the same": (row(MINE), holder(YOUNGER), Verdict(SOON)),
    "younger run at work that sends the same": (row(MINE, MINE), holder(YOUNGER), Verdict(SOON)),
    "younger run at work that wants something else": (row(OTHER), holder(YOUNGER), Verdict(SOON)),
    # --- what an older run wants does not undo what is in doubt
    "older run that wants the same, with a doubt about the same": (
        row(MINE, MINE, doubt=MINE, until=LATER),
        holder(OLDER),
        TAKEN_OVER,
    ),
    "older run that wants the same, with a doubt about something else": (
        row(MINE, MINE, doubt=OTHER, until=LATER),
        holder(OLDER),
        in_doubt(LATER),
    ),
    "older run that wants the same, but something else is marked": (
        row(MINE, OTHER),
        holder(OLDER),
        in_doubt(SOON + GRACE),
    ),
    "run at work, with a doubt that outlives it": (
        row(OTHER, OTHER, doubt=OTHER, until=LATER),
        holder(OLDER),
        Verdict(SOON),
    ),
    # --- a run that died holds it
    "dead run that sent nothing": (row(OTHER), holder(lease_until=PAST), FREE),
    "dead run that sent what is wanted": (row(MINE, MINE), holder(lease_until=PAST), FREE),
    "dead younger run that sent what is wanted": (row(MINE, MINE), holder(YOUNGER, PAST), FREE),
    "dead run that may have sent something else": (
        row(OTHER, OTHER),
        holder(lease_until=PAST),
        in_doubt(PAST + GRACE),
    ),
    "dead younger run that may have sent something else": (
        row(OTHER, OTHER),
        holder(YOUNGER, PAST),
        in_doubt(PAST + GRACE),
    ),
    "dead run whose request is over": (row(OTHER, OTHER), holder(lease_until=PAST, grace=5.0), FREE),
    "dead run whose request is over just now": (row(OTHER, OTHER), holder(lease_until=PAST, grace=10.0), FREE),
    "run that dies just now": (row(OTHER), holder(lease_until=NOW), FREE),
    "dead run with an earlier doubt about something else": (
        row(MINE, MINE, doubt=OTHER, until=LATER),
        holder(lease_until=PAST),
        in_doubt(LATER),
    ),
    "dead run and doubt, the mark lasts longer": (
        row(OTHER, OTHER, doubt=THIRD, until=LATER),
        holder(lease_until=PAST),
        in_doubt(PAST + GRACE),
    ),
    "dead run and doubt, the doubt lasts longer": (
        row(OTHER, OTHER, doubt=THIRD, until=1000.0),
        holder(lease_until=PAST),
        in_doubt(1000.0),
    ),
    # --- its claim was broken: no heartbeat prolongs it
    "broken claim that sent nothing": (row(OTHER), holder(broken=True), FREE),
    "broken claim that sent what is wanted": (row(MINE, MINE), holder(broken=True), FREE),
    "broken claim that may have sent something else": (
        row(OTHER, OTHER),
        holder(broken=True),
        in_doubt(SOON + GRACE),
    ),
    "broken claim of a younger run that may have sent something else": (
        row(OTHER, OTHER),
        holder(YOUNGER, broken=True),
        in_doubt(SOON + GRACE),
    ),
    # --- it is its own
    "own claim": (row(MINE), holder(RUN), FREE),
    "own claim for something else": (row(OTHER), holder(RUN), FREE),
    "own claim with a doubt about what is wanted": (row(MINE, MINE, doubt=MINE, until=LATER), holder(RUN), FREE),
    "own claim with a doubt about something else": (
        row(MINE, MINE, doubt=OTHER, until=LATER),
        holder(RUN),
        in_doubt(LATER),
    ),
}


@pytest.mark.parametrize(("of", "by", "expected"), TABLE.values(), ids=TABLE.keys())
def test_who_may_claim_an_instance(of: Row, by: Holder | None, expected: Verdict) -> None:
    assert verdict(of, by) == expected


times = st.sampled_from([PAST, NOW, SOON, LATER])
any_settings_key = st.sampled_from([MINE, OTHER, THIRD])
# A mark is only ever of what its claim wants.
any_row = st.tuples(st.none() | any_settings_key, st.booleans(), st.none() | any_settings_key, times).map(
    lambda drawn: row(drawn[0], drawn[0] if drawn[1] else None, drawn[2], drawn[3])
)
any_holder = st.builds(
    Holder,
    run=st.sampled_from([OLDER, RUN, YOUNGER]),
    lease_until=times,
    grace=st.sampled_from([0.0, 20.0, GRACE]),
    broken=st.booleans(),
)


@given(any_row, any_holder)
def test_nobody_gets_an_instance_while_another_run_may_bring_other_settings(of: Row, by: Holder) -> None:
    if verdict(of, by if of.claim else None).until is not None:
        return
    assert of.doubt_until <= NOW or of.doubt_settings == MINE
    if of.claim and by.run != RUN:
        assert of.marked in (None, MINE) or by.lease_until + by.grace <= NOW
        # A run at work gives way only to a younger one that wants what it wants itself.
        assert by.broken or by.lease_until <= NOW or (of.wants == MINE and by.run < RUN)


@given(any_row, any_holder)
def test_who_waits_is_told_a_time_to_come(of: Row, by: Holder) -> None:
    until = verdict(of, by if of.claim else None).until
    assert until is None or until > NOW


@given(any_row, any_holder)
def test_only_a_claim_at_work_is_broken(of: Row, by: Holder) -> None:
    result = verdict(of, by if of.claim else None)
    if result.breaks_claim:
        assert result.until is None
        assert of.claim is not None
        assert by.run != RUN
        assert not by.broken
        assert by.lease_until > NOW


@given(any_row, any_holder)
def test_of_two_runs_at_work_that_want_the_same_only_one_gives_way(of: Row, by: Holder) -> None:
    if by.run == RUN or of.wants is None:
        return
    older, younger = sorted([by.run, RUN])
    by_older = by._replace(run=older)
    by_younger = by._replace(run=younger)
    forth = judge(of, by_older, run=younger, wanted=of.wants, now=NOW)
    back = judge(of, by_younger, run=older, wanted=of.wants, now=NOW)
    assert not (forth.breaks_claim and back.breaks_claim)


@given(any_row, any_holder, st.integers(0, 300))
def test_every_wait_ends_by_itself(of: Row, by: Holder, longer: int) -> None:
    late = NOW + 300 + longer
    assert judge(of, by if of.claim else None, run=RUN, wanted=MINE, now=late).until is None
