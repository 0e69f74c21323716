# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""One try of one request, in a thread of its own."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._auth import CredentialsError
from ansible_collections.koophone.fleet.plugins.module_utils._errors import KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._job import SendOptions
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Claim
from ansible_collections.koophone.fleet.plugins.module_utils._work import Call, Tried, Work


class Trying:
    """What the threads call. None begins a try after the claim ended, or after `over`."""

    def __init__(self, claim: Claim, call: Call, options: SendOptions, over: Callable[[], bool]) -> None:
        self._claim = claim
        self._call = call
        self._options = options
        self._over = over
        # What failed in a thread, until it was decided what follows from that.
        self._undecided: deque[Work] = deque()

    @property
    def holding(self) -> bool:
        """Whether a try failed of which the deciding thread doesn't know yet: until then, none begins."""
        return bool(self._undecided)

    def decided(self, work: Work) -> None:
        """It was decided what follows from this try."""
        with contextlib.suppress(ValueError):
            self._undecided.remove(work)

    def __call__(self, work: Work) -> Tried:
        """Try once. Nothing was sent where the result has neither a request id nor an error."""
        if self.holding or self._over():
            return Tried(_clock.now())
        tried = self._tried(work)
        if tried.request_id is None:
            self._undecided.append(work)
        return tried

    def _tried(self, work: Work) -> Tried:
        try:
            self._options.prepare()
        except CredentialsError as error:
            return Tried(_clock.now(), refused=error)
        started = _clock.now()
        if started >= self._claim.ends_at:
            return Tried(started)
        try:
            return Tried(started, request_id=self._call(work.instance_ids, work.batch.settings))
        except KooPhoneError as error:
            return Tried(started, error=error)
