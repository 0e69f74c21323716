# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What was confirmed for instances that came to represent a region: it holds, whatever becomes of later tries. Pure."""

from __future__ import annotations

from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Outcome, Resolution
from ansible_collections.koophone.fleet.plugins.module_utils._work import Work


class Confirmed:
    """Request ids by the first instance of what was confirmed: those may come to represent a region."""

    def __init__(self) -> None:
        self._request_ids: dict[str, str] = {}

    def note(self, work: Work, request_id: str) -> None:
        self._request_ids[work.instance_ids[0]] = request_id

    def compared(self, work: Work) -> tuple[str, ...]:
        """The instances without the one that represents a region."""
        return work.instance_ids[work.instance_ids[0] in self._request_ids :]

    def unconfirmed(self, work: Work, now: float) -> list[Resolution]:
        """The end of a batch that was not confirmed.

        What represents a region was confirmed before, with the same settings; it has them, whatever became of this.
        """
        end, compared = work.resolution(now), self.compared(work)
        ends = [end._replace(instance_ids=compared)] if compared else []
        if len(compared) < len(work.instance_ids):
            first = work.instance_ids[0]
            request_id = self._request_ids[first]
            ends.append(end._replace(instance_ids=(first,), outcome=Outcome.CONFIRMED, request_id=request_id))
        return ends
