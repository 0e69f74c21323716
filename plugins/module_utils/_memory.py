# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What the state store remembers, as the plan needs it: values only, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings


class LastApplied(NamedTuple):
    """What is remembered of one instance.

    `digest` names its last applied settings and is None where they are unknown. `applied_at` is in seconds since
    the epoch, UTC. `region` is what earlier runs learnt of it.
    """

    digest: str | None
    applied_at: float | None = None
    region: str | None = None


NEVER_APPLIED = LastApplied(None)


@dataclass(frozen=True)
class Memory:
    """One consistent reading of the state store: instance id → last applied, digest → settings, and its clock."""

    records: Mapping[str, LastApplied] = field(default_factory=dict)
    settings: Mapping[str, Settings] = field(default_factory=dict)
    now: float = 0.0

    def of(self, instance_id: str) -> LastApplied:
        return self.records.get(instance_id, NEVER_APPLIED)
