# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Carry a plan out: claim, send, record, and claim again what others held. It knows neither Ansible, SQL nor HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._job import Applied, Job
from ansible_collections.koophone.fleet.plugins.module_utils._outcome import DEADLINE_PASSED, STOPPED, Failure, Outcomes
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Plan, Target, make_plan
from ansible_collections.koophone.fleet.plugins.module_utils._sending import LEASE, Sending
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import (
    Choice,
    Chooser,
    Claim,
    ClaimResult,
    Counts,
    Held,
    Outcome,
    Reading,
    Resolution,
    StateError,
    Store,
    Wanted,
)
from ansible_collections.koophone.fleet.plugins.module_utils._wording import instances
from ansible_collections.koophone.fleet.plugins.module_utils._work import Call

# How often a run asks for instances that another one holds, in seconds.
_ASK_AGAIN = 0.5


# Carries out what was planned for claimed instances, and returns those that were lost to somebody else meanwhile.
_CarryOut = Callable[[Claim, Plan, Outcomes], set[str]]


def apply(job: Job, store: Store, call: Call) -> Applied:
    """Bring the instances to what is desired. Raises `RefusedError` or `StateError` before anything was sent.

    A state store that fails later is reported in the outcomes: what was applied by then is no less applied.
    """

    def send(claim: Claim, plan: Plan, outcomes: Outcomes) -> set[str]:
        sending = Sending(store, claim, plan.batches(job.batch_size), call, job.send, outcomes)
        sending.run()
        return sending.lost

    return _Claiming(job, store, send).run()


def adopt(job: Job, store: Store) -> Applied:
    """Take what is desired as last applied, without sending anything; otherwise like `apply`."""

    def note(claim: Claim, plan: Plan, outcomes: Outcomes) -> set[str]:
        batches = plan.batches(max(1, len(plan.changes)))
        resolutions = [Resolution(batch.instance_ids, batch.settings, Outcome.CONFIRMED) for batch in batches]
        lost = store.record(claim, resolutions, [])
        outcomes.changed.update(set(plan.changes) - lost)
        return lost

    return _Claiming(job, store, note).run()


class _Claiming:
    """Claim, carry out, and claim again what others held until patience ends."""

    def __init__(self, job: Job, store: Store, carry_out: _CarryOut) -> None:
        self._job = job
        self._store = store
        self._carry_out = carry_out
        self._patience_ends: float | None = None

    def run(self) -> Applied:
        applied, result = self._first_claim()
        pending = set(applied.plan.changes)
        try:
            pending = self._carry_on(applied, applied.plan, result)
            while pending:
                plan, result = self._next_claim(applied, pending)
                pending = self._carry_on(applied, plan, result)
        except StateError as error:
            self._note_store_failure(applied.outcomes, error, pending)
        self._finish(applied.outcomes)
        return applied

    def _first_claim(self) -> tuple[Applied, ClaimResult]:
        plans: list[Plan] = []

        def choose(reading: Reading) -> Choice:
            plans.append(self._job.checked_plan(reading))
            return self._choice(plans[-1])

        result = self._claim(self._job.desired, choose)
        return Applied.begun(plans[-1]), result

    def _next_claim(self, applied: Applied, pending: Collection[str]) -> tuple[Plan, ClaimResult]:
        """Ask again for what others held, or took away; whatever is right by now is dropped."""
        job = self._job
        desired = {instance_id: job.desired[instance_id] for instance_id in pending}
        plans: list[Plan] = []
        moved: set[str] = set()

        def choose(reading: Reading) -> Choice:
            plan = make_plan(job.service, desired, reading.memory, job.options)
            moved.clear()
            if job.guard.approved_plan is not None:
                others = reading.changed_by_others(job.guard.approved_plan, applied.plan.desired_digest)
                moved.update((others or set()).intersection(plan.changes))
            plans.append(plan.only(set(plan.changes) - moved))
            # What another run is just bringing about may turn out to be what is desired: that is waited for.
            unsettled = {instance_id for instance_id in moved if plan.memory.of(instance_id).digest is None}
            return self._choice(plan.only(set(plan.changes) - (moved - unsettled)))

        result = self._claim(desired, choose)
        refused = moved.difference(result.held)
        applied.outcomes.fail(refused, Failure("another run has changed it since the plan was approved"))
        return plans[-1], result

    def _choice(self, plan: Plan) -> Choice:
        batches = plan.batches(self._job.batch_size)
        wanted = [Wanted(batch.settings, batch.instance_ids) for batch in batches]
        return Choice(wanted, plan.digest, plan.desired_digest, self._job.guard.approved_plan or "")

    def _claim(self, desired: Mapping[str, Target], choose: Chooser) -> ClaimResult:
        job = self._job
        return self._store.claim(job.run, job.service, desired, choose, lease=LEASE, grace=job.send.grace)

    def _carry_on(self, applied: Applied, plan: Plan, result: ClaimResult) -> set[str]:
        """Carry out what was claimed, wait a little for the rest; returns what is still to be claimed."""
        outcomes = applied.outcomes
        lost: set[str] = set()
        if result.claim is not None:
            try:
                lost = self._carry_out(result.claim, plan.only(result.claim.instance_ids), outcomes)
            finally:
                self._store.release(result.claim)
        if (result.held or lost) and outcomes.ended_by is None:
            if self._job.send.stopped():
                outcomes.ended_by = STOPPED
            elif _clock.now() >= self._job.send.ends_at:
                outcomes.ended_by = DEADLINE_PASSED
        if outcomes.ended_by is not None:
            outcomes.not_attempted.update(result.held, lost)
            return set()
        return lost | self._wait(result.held, outcomes)

    def _wait(self, held: Mapping[str, Held], outcomes: Outcomes) -> set[str]:
        """Wait a little for what others hold; returns what to ask for again, and gives up when patience ends."""
        if not held:
            return set()
        now = _clock.now()
        if self._patience_ends is None:
            self._patience_ends = now + self._job.claim_timeout
            text = f"waiting for {instances(len(held))} that cannot be changed yet: {_summary(held)}"
            self._job.tell(text)
            outcomes.notes.append(f"{text[0].upper()}{text[1:]}")
        if now >= self._patience_ends:
            for instance_id, holder in held.items():
                text = f"not obtained within claim_timeout ({self._job.claim_timeout:g} seconds): {holder}"
                outcomes.failed[instance_id] = Failure(text)
            return set()
        soonest = min(holder.seconds for holder in held.values())
        time.sleep(max(0.05, min(_ASK_AGAIN, soonest, self._patience_ends - now)))
        return set(held)

    def _note_store_failure(self, outcomes: Outcomes, error: StateError, pending: Collection[str]) -> None:
        outcomes.ended_by = str(error)
        settled = outcomes.changed | outcomes.failed.keys()
        outcomes.not_attempted.update(instance_id for instance_id in pending if instance_id not in settled)

    def _finish(self, outcomes: Outcomes) -> None:
        counts = Counts(
            len(self._job.desired), len(outcomes.changed), len(outcomes.failed), len(outcomes.not_attempted)
        )
        try:
            self._store.finish(self._job.run, self._job.service, counts, history_age=self._job.history_age)
        except StateError as error:
            # The memory of the instances is right without it.
            outcomes.notes.append(f"the end of the run could not be noted: {error}")


def _summary(held: Mapping[str, Held]) -> str:
    """Who holds them, each holder named once."""
    holders = {holder.run.run_id: holder for holder in held.values()}
    shown = [str(holder) for _run_id, holder in sorted(holders.items())]
    return "; ".join(shown[:3]) + (f"; and {len(shown) - 3} more" if len(shown) > 3 else "")
