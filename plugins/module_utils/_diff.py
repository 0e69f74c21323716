# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""A plan as Ansible's `--diff` shows it: by group and by distinct last-applied settings, never by instance. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from ansible_collections.koophone.fleet.plugins.module_utils._plan import UNKNOWN, Plan
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.module_utils._wording import instances as counted

# What one diff may hold: Ansible's own callback becomes slow with tens of thousands of lines, and AWX drops results
# that are too large.
MAX_LINES = 1900
MAX_CHARACTERS = 90_000


class Room:
    """What is left of the room that one diff has. The first entry always fits, and after the one that doesn't, none."""

    def __init__(self) -> None:
        self._lines = self._characters = self._entries = 0
        self._full = False

    def takes(self, entry: Mapping[str, str]) -> bool:
        """Whether there is room for one more entry."""
        # With what Ansible prints around it; and in characters of its JSON, where one of a name may become six.
        self._lines += entry.get("before", "").count("\n") + entry.get("after", "").count("\n") + 4
        self._characters += len(json.dumps(entry))
        beyond = self._lines > MAX_LINES or self._characters > MAX_CHARACTERS
        self._full = self._full or (self._entries > 0 and beyond)
        self._entries += 1
        return not self._full


def diff_of(plan: Plan, groups: Sequence[InstanceGroup]) -> list[dict[str, str]]:
    """One entry per group and distinct last-applied settings; empty when everything is as desired."""
    return _limited(
        (_entry(group, None if digest is None else plan.memory.settings[digest], instances), instances)
        for group, digest, instances in _differences(plan, groups)
    )


def forgotten_diff(last_applied: Iterable[Settings]) -> list[dict[str, str]]:
    """One entry per distinct settings that are forgotten."""
    counts = Counter(last_applied)
    return _limited(
        (_shown(_header("forgotten", instances), settings.lines(), [UNKNOWN]), instances)
        for settings, instances in sorted(counts.items(), key=lambda item: item[0].digest)
    )


def _limited(all_entries: Iterable[tuple[dict[str, str], int]]) -> list[dict[str, str]]:
    """As many entries as a result may hold, each given with its number of instances, and a line about the rest."""
    entries: list[dict[str, str]] = []
    room = Room()
    left_out = Counter[str]()
    for entry, instances in all_entries:
        if room.takes(entry):
            entries.append(entry)
        else:
            left_out.update(entries=1, instances=instances)
    if left_out:
        more = f"... and {left_out['entries']} more differences, of {left_out['instances']} instances\n"
        entries.append({"prepared": more})
    return entries


def _differences(plan: Plan, groups: Sequence[InstanceGroup]) -> Iterator[tuple[InstanceGroup, str | None, int]]:
    """Group, digest of last applied (None: unknown), number of instances; sorted, unknown first."""
    for group in sorted(groups, key=lambda group: group.name):
        counts = Counter(
            plan.last_applied[instance_id] for instance_id in group.instance_ids if instance_id in plan.last_applied
        )
        for digest, instances in sorted(counts.items(), key=lambda item: item[0] or ""):
            yield group, digest, instances


def _entry(group: InstanceGroup, last_applied: Settings | None, instances: int) -> dict[str, str]:
    if last_applied is None:
        before, after = [UNKNOWN], group.settings.lines()
    elif last_applied == group.settings:
        # Only `force` sends what is already right; without a line Ansible would not show the group at all.
        before, after = [], ["sent again, as it is (force)"]
    else:
        # Only the specs that differ: Ansible would print the equal ones around them as context.
        different = last_applied.differences(group.settings)
        before = sorted(f"{key}: {spec}" for key, spec, _desired in different)
        after = sorted(f"{key}: {spec}" for key, _last, spec in different)
    return _shown(_header(group.name, instances), before, after)


def _header(name: str, number: int) -> str:
    return f"{name} ({counted(number)})"


def _shown(header: str, before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    return {
        "before_header": header,
        "after_header": header,
        "before": "".join(f"{line}\n" for line in before),
        "after": "".join(f"{line}\n" for line in after),
    }
