# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What became of the instances of a run, collected while it goes on. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ansible_collections.koophone.fleet.plugins.module_utils._errors import KooPhoneError

# Why a run ended early.
STOPPED = "the run was told to stop"
DEADLINE_PASSED = "the deadline has passed"


class Failure(NamedTuple):
    """Why instances failed, as results show it."""

    error_msg: str
    http_status: int | None = None
    error_code: str | None = None
    request_id: str | None = None

    @classmethod
    def of(cls, error: KooPhoneError) -> Failure:
        message = f"{error.meaning}: {error.error_msg}" if error.error_msg else error.meaning
        return cls(message, error.http_status, error.error_code, error.request_id)


@dataclass
class Outcomes:
    """Ids by what became of them; `requests` counts HTTP requests sent. `ended_by` tells why a run ended early."""

    changed: set[str] = field(default_factory=set)
    failed: dict[str, Failure] = field(default_factory=dict)
    not_attempted: set[str] = field(default_factory=set)
    requests: int = 0
    ended_by: str | None = None
    notes: list[str] = field(default_factory=list)

    def fail(self, instance_ids: Iterable[str], failure: Failure) -> None:
        self.failed.update(dict.fromkeys(instance_ids, failure))
