# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Desired and last applied in, plan out: what to change, in which batches, and how to show it. Pure.

The same input gives the same plan and the same digest, in whatever order groups and ids were given.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from ansible_collections.koophone.fleet.plugins.module_utils._memory import Memory
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings

UNKNOWN = "unknown"
# Of the digits of a digest.
_HALF = 32


@dataclass(frozen=True, eq=False)
class Target:
    """What is desired of an instance. Instances of the same groups share one target."""

    settings: Settings
    region: str | None
    groups: tuple[str, ...]


class Batch(NamedTuple):
    """The instances of one request: at most 100, of one region, with equal desired settings."""

    settings: Settings
    region: str | None
    instance_ids: tuple[str, ...]


class Options(NamedTuple):
    """What decides, besides desired and last applied, whether an instance is to be changed.

    `max_age` is in seconds; its text as the user gave it is part of the digest.
    """

    force: bool = False
    max_age: float | None = None
    max_age_text: str = ""


@dataclass(frozen=True)
class Plan:
    """The changes that lead from last applied to desired, before any is made.

    `last_applied` has the digest of what each instance to change has, or None where that counts as unknown. `deferred`
    has the same of those that are to be changed too, but not by this run.
    """

    service: str
    options: Options
    desired: Mapping[str, Target]
    memory: Memory
    last_applied: Mapping[str, str | None]
    deferred: Mapping[str, str | None] = field(default_factory=dict)

    @cached_property
    def changes(self) -> tuple[str, ...]:
        """The ids of the instances to change, sorted."""
        return tuple(sorted(self.last_applied))

    @cached_property
    def unknown(self) -> int:
        """How many of the instances to change, now or later, are unknown."""
        return sum(digest is None for some in (self.last_applied, self.deferred) for digest in some.values())

    @cached_property
    def digest(self) -> str:
        """What is planned, as 64 hexadecimal digits: not the clock, nor batches or waves, nor the order of anything.

        It covers every instance named, not only those to change: with `max_age` the passing of time alone moves
        instances from one to the other, and an approval must not go stale by that. The first half is of what is
        desired, the second of what was last applied, so that a stale approval can be told why it is stale.
        """
        seal = hashlib.sha256()
        of = self.memory.of
        for instance_id in self._sorted:
            seal.update(f"{instance_id} {of(instance_id).digest or UNKNOWN}\n".encode())
        return self.desired_digest[:_HALF] + seal.hexdigest()[:_HALF]

    def desires(self, digest: str) -> bool:
        """Whether the plan with that digest was of the same desired settings."""
        return digest[:_HALF] == self.desired_digest[:_HALF]

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.desired)

    @cached_property
    def desired_digest(self) -> str:
        """SHA-256 of what is desired alone, in hexadecimal."""
        seal = hashlib.sha256(_line(self.service, self.options.force, self.options.max_age_text))
        parts: dict[Target, str] = {}
        for instance_id in self._sorted:
            target = self.desired[instance_id]
            part = parts.get(target)
            if part is None:
                part = parts[target] = json.dumps([target.region, target.settings.digest])
            # An id has no blanks, so the line cannot be read in two ways.
            seal.update(f"\n{instance_id} {part}".encode())
        return seal.hexdigest()

    def only(self, instance_ids: Collection[str]) -> Plan:
        """The same plan for some of its changes."""
        return self._with({i: self.last_applied[i] for i in self.changes if i in instance_ids}, self.deferred)

    def up_to(self, number: int) -> Plan:
        """The same plan for its first instances; the changes of the others are deferred.

        The order depends on the ids alone, so that who comes first stays first. It has nothing to do with names or
        groups, so that the first few are a fair sample of the fleet.
        """
        if number >= len(self.desired):
            return self
        first = set(heapq.nsmallest(number, self.desired, key=_lot))
        deferred = {i: digest for i, digest in self.last_applied.items() if i not in first}
        return self._with({i: self.last_applied[i] for i in self.changes if i in first}, deferred)

    def _with(self, last_applied: Mapping[str, str | None], deferred: Mapping[str, str | None]) -> Plan:
        """The plan with other changes; what they don't touch, and takes long to be worked out, is taken over."""
        plan = replace(self, last_applied=last_applied, deferred=deferred)
        for name in ("_sorted", "digest", "desired_digest"):
            if name in self.__dict__:
                plan.__dict__[name] = self.__dict__[name]
        return plan

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


def _lot(instance_id: str) -> bytes:
    return hashlib.sha256(instance_id.encode()).digest()


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
