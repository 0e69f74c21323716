# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Send the batches of one claim: mark, try, try again, record. It knows neither Ansible, SQL nor HTTP.

One thread decides and writes to the state store; others only try requests. What makes it safe:

- A batch is marked durably before its first try, and no try starts after the claim ended (`Claim.ends_at`).
- A try that ended in doubt is remembered as a time until which it may still be carried out, and that time is written
  down whatever becomes of the batch.
- A confirmation is written only where the claim still holds; what was lost is claimed anew by the caller.
- An instance is never part of two requests at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._backlog import Backlog
from ansible_collections.koophone.fleet.plugins.module_utils._confirmed import Confirmed
from ansible_collections.koophone.fleet.plugins.module_utils._errors import Kind, KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._job import SendOptions
from ansible_collections.koophone.fleet.plugins.module_utils._outcome import DEADLINE_PASSED, STOPPED, Failure, Outcomes
from ansible_collections.koophone.fleet.plugins.module_utils._pace import Pace
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Batch
from ansible_collections.koophone.fleet.plugins.module_utils._reactions import Reactions
from ansible_collections.koophone.fleet.plugins.module_utils._sorting import Sorting
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import (
    Claim,
    Mark,
    Outcome,
    Resolution,
    StateError,
    Store,
)
from ansible_collections.koophone.fleet.plugins.module_utils._trying import Trying
from ansible_collections.koophone.fleet.plugins.module_utils._work import Call, Tried, Work
from ansible_collections.koophone.fleet.plugins.module_utils._workers import Workers

# A claim ends this many seconds after its last heartbeat. It must be less than the 10 seconds by which the default
# `claim_timeout` exceeds `timeout` + `settle`, so that a run with other settings outwaits one that was killed.
LEASE = 8.0
_HEARTBEAT = LEASE / 4
# How long a confirmation may wait to be written together with others, in seconds: what is killed meanwhile is unknown.
_GATHERING = 0.1
# How quickly a signal is noticed, in seconds.
_ATTENTION = 0.2
# How long a run that was told to stop waits for what is in flight, in seconds.
_FAREWELL = 2.0


class Sending:
    """Carries the batches of one claim out; see the module's text. `outcomes` collects what became of them."""

    def __init__(
        self, store: Store, claim: Claim, batches: Iterable[Batch], call: Call, options: SendOptions, outcomes: Outcomes
    ) -> None:
        self._store = store
        self._claim = claim
        self._options = options
        self._try = Trying(claim, call, options, lambda: self._over)
        self._outcomes = outcomes
        self._backlog = Backlog((Work(batch, options.retries) for batch in batches), options.concurrency)
        self._resolved: list[Resolution] = []
        self._resolved_at = 0.0
        self._confirmed = Confirmed()
        self._pace = Pace(options.concurrency, options.rate_limit)
        self._reactions = Reactions(self._pace, options.retries)
        self._sorting = Sorting(options.batch_size, options.retries)
        self._renewed_at = claim.ends_at - LEASE
        self._broken = False
        self._ended = False
        #: Instances that somebody else broke into the claim of: they have to be claimed anew.
        self.lost: set[str] = set()

    def run(self) -> None:
        """Send everything that can be sent. Raises `StateError` when the state store fails."""
        workers: Workers[Work, Tried] = Workers(self._options.concurrency, self._try)
        try:
            while self._unfinished():
                if self._over:
                    self._wind_up(workers)
                    break
                self._heartbeat()
                self._submit(workers)
                self._write()
                self._submit(workers)
                for work, tried in workers.done(self._idle_seconds()):
                    if tried.request_id is None:
                        # What was handed to the threads ahead is to be decided on again.
                        self._take_back(workers)
                    self._take_in(work, tried)
            self._store_regions()
        except StateError as error:
            self._give_up(error)
            raise
        finally:
            workers.close()

    def _unfinished(self) -> bool:
        if self._backlog or self._resolved:
            return True
        # Only now is no instance part of any request, so that those of different batches may be compared.
        self._backlog.add(self._sorting.link())
        return bool(self._backlog)

    @property
    def _over(self) -> bool:
        return self._broken or self._ended or self._options.stopped() or _clock.now() >= self._options.ends_at

    # --- the thread that decides -------------------------------------------------------------------------------------

    def _heartbeat(self) -> None:
        if _clock.now() < self._renewed_at + _HEARTBEAT:
            return
        if self._store.renew(self._claim, lease=LEASE):
            self._renewed_at = self._claim.ends_at - LEASE
        else:
            self._broken = True

    def _submit(self, workers: Workers[Work, Tried]) -> None:
        while not self._over and not self._try.holding and len(self._backlog.in_flight) < self._most_submitted:
            now = _clock.now()
            if now < self._pace.ready_at() or now >= self._claim.ends_at:
                return
            work = self._backlog.take_to_send(now, nothing_new=self._holds_back)
            if work is None:
                return
            self._pace.sent(now)
            workers.submit(work)

    @property
    def _most_submitted(self) -> int:
        """As many as may be in flight; and while all goes well as many more, so that no thread waits for a write."""
        limit = self._pace.in_flight_limit
        return 2 * limit if self._pace.steady and not self._backlog.waits_for_later else limit

    def _take_back(self, workers: Workers[Work, Tried]) -> None:
        """What no thread has begun is to be decided on again."""
        waiting = workers.take_back()
        for work in waiting:
            self._backlog.landed(work)
        self._backlog.put_back(waiting)

    @property
    def _holds_back(self) -> bool:
        """Whether nothing new is begun for now, lest a server that is down makes everything unknown."""
        return self._backlog.waits_for_later and self._reactions.in_trouble

    def _write(self) -> None:
        """One durable write for all that ended meanwhile and all that is to be sent next."""
        marks = self._backlog.take_to_mark() if self._backlog.wants_marks and not self._over else []
        if not marks and (not self._resolved or self._gathers):
            return
        lost = self._store.record(
            self._claim, self._resolved, [Mark(work.instance_ids, work.batch.settings) for work in marks]
        )
        for resolution in self._resolved:
            if resolution.outcome is Outcome.CONFIRMED:
                self._outcomes.changed.update(i for i in resolution.instance_ids if i not in lost)
        self._resolved = []
        if lost:
            # What is still ours goes on; what is not is claimed anew, whatever its request came to.
            self.lost |= lost
            for instance_id in lost:
                self._outcomes.failed.pop(instance_id, None)
            self._broken = self._broken or self._sorting.busy
            marks = [work.part([i for i in work.instance_ids if i not in lost]) for work in marks]
        self._backlog.marked(work for work in marks if work.instance_ids)

    @property
    def _gathers(self) -> bool:
        """Whether what is resolved may wait for more, or for marks, to be written with."""
        return bool(self._backlog.in_flight) and not self._over and _clock.now() < self._resolved_at + _GATHERING

    def _idle_seconds(self) -> float:
        """How long there is nothing to do but to wait for an answer."""
        if self._backlog.wants_marks or not self._backlog.under_way or self._try.holding:
            return 0.0
        now = _clock.now()
        until = min(now + _ATTENTION, self._renewed_at + _HEARTBEAT)
        if self._resolved:
            until = min(until, self._resolved_at + _GATHERING if self._gathers else now)
        if len(self._backlog.in_flight) < self._most_submitted:
            sendable_at = self._backlog.sendable_at(nothing_new=self._holds_back)
            until = min(until, max(sendable_at, self._pace.ready_at()))
        return max(0.0, until - now)

    # --- what became of a try ----------------------------------------------------------------------------------------

    def _take_in(self, work: Work, tried: Tried) -> None:
        self._backlog.landed(work)
        if not self._resolved:
            self._resolved_at = _clock.now()
        if tried.request_id is not None:
            self._outcomes.requests += 1
            self._reactions.to_success(_clock.now())
            self._resolved.append(work.resolution(_clock.now(), tried.request_id))
            self._confirmed.note(work, tried.request_id)
            self._backlog.add(self._sorting.succeeded(work))
        elif tried.error is not None:
            self._outcomes.requests += tried.error.kind is not Kind.UNREACHABLE
            self._take_in_error(work, tried.started, tried.error)
        else:
            # Nothing was sent: the claim had ended, another try had just failed, or there are no credentials.
            self._backlog.put_back([work])
            if tried.refused is not None:
                self._end(str(tried.refused))
        self._try.decided(work)

    def _take_in_error(self, work: Work, started: float, error: KooPhoneError) -> None:
        now = _clock.now()
        work.note(started, error, self._options, now)
        compared = self._confirmed.compared(work)
        # What is wrong with the only instance that is compared may pass.
        waits = error.kind is Kind.INSTANCE_PASSING and work.retries > 0 and len(compared) == 1
        if work.sorter is not None and not waits and (error.kind is Kind.MIX or error.kind.concerns_some_instance):
            failed, following = self._sorting.refused(work, work.sorter, error.kind)
            self._fail(failed, error, now)
            if len(compared) < len(work.instance_ids):
                self._resolved.extend(self._confirmed.unconfirmed(work.part(work.instance_ids[:1]), now))
            self._backlog.add(following)
            return
        reaction = self._reactions.to(work, error, now)
        if reaction.mixed:
            self._backlog.add(self._sorting.start(work))
        elif reaction.later is not None:
            self._backlog.send_later(reaction.later, now + reaction.delay)
        elif reaction.failed:
            self._fail([work, *self._sorting.given_up(work)], error, now)
        self._backlog.send_again(reaction.again)
        if reaction.ends is not None:
            self._end(reaction.ends)

    def _fail(self, failed: Iterable[Work], error: KooPhoneError, now: float) -> None:
        for work in failed:
            self._outcomes.fail((i for i in work.instance_ids if i not in self._outcomes.changed), Failure.of(error))
            self._resolved.extend(self._confirmed.unconfirmed(work, now))

    def _end(self, reason: str) -> None:
        self._ended = True
        self._outcomes.ended_by = self._outcomes.ended_by or reason

    # --- an end before everything is sent ----------------------------------------------------------------------------

    def _wind_up(self, workers: Workers[Work, Tried]) -> None:
        """Take in what is in flight, take back what was marked and not sent, and write both down."""
        self._take_back(workers)
        started = _clock.now()
        while self._backlog.in_flight:
            patience = _FAREWELL if self._options.stopped() else self._options.timeout + _FAREWELL
            left = started + patience - _clock.now()
            if left <= 0:
                break
            for work, tried in workers.done(min(left, _ATTENTION)):
                self._take_in(work, tried)
        now = _clock.now()
        for work in self._backlog.in_flight:
            work.note_doubt(now + self._options.grace)
            self._outcomes.requests += 1
        begun, unmarked = self._forget_work()
        for work in begun:
            self._resolved.extend(self._confirmed.unconfirmed(work, now))
        self._resolved_at = -math.inf
        self._write()
        left_over = [*begun, *unmarked]
        if self._options.stopped():
            self._end(STOPPED)
        elif now >= self._options.ends_at:
            self._end(DEADLINE_PASSED)
        if self._ended:
            self._abandon(left_over)
        else:
            self.lost.update(instance_id for work in left_over for instance_id in work.instance_ids)

    def _abandon(self, left_over: Iterable[Work]) -> None:
        """Report what was tried in vain as failed, the rest as not attempted."""
        for work in left_over:
            ids = [instance_id for instance_id in work.instance_ids if instance_id not in self._outcomes.changed]
            if work.error is not None:
                self._outcomes.fail(ids, Failure.of(work.error))
            elif work.doubt_until > _clock.now():
                self._outcomes.fail(
                    ids, Failure(f"{self._outcomes.ended_by or STOPPED}; this request may still be carried out")
                )
            else:
                self._outcomes.not_attempted.update(ids)

    def _give_up(self, error: StateError) -> None:
        """The store failed: what is marked there stays so, and is unknown to everybody."""
        failure = Failure(f"the state store failed, so that what became of it could not be recorded: {error}")
        for resolution in self._resolved:
            self._outcomes.fail(resolution.instance_ids, failure)
        begun, unmarked = self._forget_work()
        for work in begun:
            self._outcomes.fail(work.instance_ids, failure)
        self._abandon(unmarked)

    def _forget_work(self) -> tuple[list[Work], list[Work]]:
        """Returns what was marked and has no end yet, and what was not."""
        begun, unmarked = self._backlog.clear()
        begun += self._sorting.left_over()
        self._sorting = Sorting(self._options.batch_size, self._options.retries)
        # The instances of a comparison are among those left over by the sorting.
        return begun, [work for work in unmarked if work.sorter is None]

    def _store_regions(self) -> None:
        labels = self._sorting.labels()
        if labels:
            self._store.learn_regions(self._claim, labels)
