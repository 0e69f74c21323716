# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Desired and last applied in, plan out: what to change, in which batches, and how to show it. Pure.

The same input gives the same plan and the same digest, in whatever order groups and ids were given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from ansible_collections.koophone.fleet.plugins.module_utils._memory import Memory
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings

UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Target:
    """What is desired of an instance. Instances of the same groups share one target."""

    settings: Settings
    region: str | None
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """The instances of one request: at most 100, of one region, with equal desired settings."""

    settings: Settings
    region: str | None
    instance_ids: tuple[str, ...]


@dataclass(frozen=True)
class Options:
    """What decides, besides desired and last applied, whether an instance is to be changed.

    `max_age` is in seconds; its text as the user gave it is part of the digest.
    """

    force: bool = False
    max_age: float | None = None
    max_age_text: str = ""


@dataclass(frozen=True)
class Plan:
    """The changes that lead from last applied to desired, before any is made.

    `last_applied` has the digest of what each instance to change has, or None where that counts as unknown.
    """

    service: str
    options: Options
    desired: Mapping[str, Target]
    memory: Memory
    last_applied: Mapping[str, str | None]

    @cached_property
    def changes(self) -> tuple[str, ...]:
        """The ids of the instances to change, sorted."""
        return tuple(sorted(self.last_applied))

    @cached_property
    def unknown(self) -> int:
        """How many of the instances to change are unknown."""
        return sum(digest is None for digest in self.last_applied.values())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what is planned, in hexadecimal: not the clock, nor batches, nor the order of anything.

        It covers every instance named, not only those to change: with `max_age` the passing of time alone moves
        instances from one to the other, and an approval must not go stale by that.
        """
        seal = hashlib.sha256(_line(self.service, self.options.force, self.options.max_age_text))
        of = self.memory.of
        for instance_id, wanted in self._desired_lines:
            seal.update(wanted)
            seal.update((of(instance_id).digest or UNKNOWN).encode())
        return seal.hexdigest()

    @cached_property
    def desired_digest(self) -> str:
        """SHA-256 of what is desired alone, in hexadecimal."""
        seal = hashlib.sha256(_line(self.service, self.options.force, self.options.max_age_text))
        for _instance_id, wanted in self._desired_lines:
            seal.update(wanted)
        return seal.hexdigest()

    @property
    def _desired_lines(self) -> Iterable[tuple[str, bytes]]:
        parts: dict[Target, str] = {}
        for instance_id in sorted(self.desired):
            target = self.desired[instance_id]
            part = parts.get(target)
            if part is None:
                part = parts[target] = json.dumps([target.region, target.settings.digest])
            # An id has no blanks, so the line cannot be read in two ways.
            yield instance_id, f"\n{instance_id} {part} ".encode()

    def only(self, instance_ids: Collection[str]) -> Plan:
        """The same plan for some of its changes."""
        return replace(self, last_applied={i: self.last_applied[i] for i in self.changes if i in instance_ids})

    def batches(self, batch_size: int) -> list[Batch]:
        """The least number of requests: Σ over (region, distinct desired settings) of ⌈instances ÷ batch_size⌉."""
        together: dict[tuple[str, str], list[str]] = {}
        for instance_id in self.changes:
            target = self.desired[instance_id]
            # `KOOPHONE.API.1002` refuses two regions in one request. Where the user names none, an earlier run may
            # have learnt it.
            region = target.region or self.memory.of(instance_id).region or ""
            together.setdefault((region, target.settings.digest), []).append(instance_id)
        batches: list[Batch] = []
        for (region, _digest), ids in sorted(together.items()):
            settings = self.desired[ids[0]].settings
            batches.extend(
                Batch(settings, region or None, tuple(ids[start : start + batch_size]))
                for start in range(0, len(ids), batch_size)
            )
        return batches


def _line(*values: object) -> bytes:
    return json.dumps(values).encode()


def desired_of(groups: Sequence[InstanceGroup]) -> dict[str, Target]:
    """Instance id → target. The groups were checked before: an instance in two of them has equal settings in both."""
    members: dict[str, tuple[str, ...]] = {}
    by_name = {group.name: group for group in groups}
    for group in sorted(groups, key=lambda group: group.name):
        alone = (group.name,)
        for instance_id in group.instance_ids:
            names = members.get(instance_id)
            members[instance_id] = alone if names is None else names + alone
    targets: dict[tuple[str, ...], Target] = {}
    for names in set(members.values()):
        group = by_name[names[0]]
        targets[names] = Target(group.settings, group.region, names)
    return {instance_id: targets[names] for instance_id, names in members.items()}


def make_plan(service: str, desired: Mapping[str, Target], memory: Memory, options: Options) -> Plan:
    """Which instances are to be changed: those whose last applied is unknown or not what is desired."""
    last_applied: dict[str, str | None] = {}
    oldest = None if options.max_age is None else memory.now - options.max_age
    for instance_id, target in desired.items():
        digest, applied_at, _region = memory.of(instance_id)
        if digest is not None and oldest is not None and (applied_at is None or applied_at < oldest):
            digest = None
        if options.force or digest != target.settings.digest:
            last_applied[instance_id] = digest
    return Plan(service, options, desired, memory, last_applied)
