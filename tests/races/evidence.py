# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the journal of the emulator proves: which requests met in flight, and which came later than promised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Record, Status
from tests.emulator.handle import Control
from tests.emulator.rules import digest_of
from tests.races.run import Timing, palette, started_times


@dataclass
class Sender:
    """A process that sent requests: its times, its log of them, and when it was paused (monotonic seconds)."""

    timing: Timing
    log: Path
    pauses: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class _Sent:
    """A request whose try began at `began`, and which counts as in flight until `ends` at the most."""

    sender: Sender
    began: float

    @property
    def ends(self) -> float:
        return self.began + self.sender.timing.grace


class Evidence:
    """A look at the journal, for requests of these senders."""

    def __init__(self, emulator: Control, senders: Sequence[Sender]) -> None:
        self._emulator = emulator
        self._sent = {
            request_id: _Sent(sender, began)
            for sender in senders
            for request_id, began in started_times([sender.log]).items()
        }

    def conflicts(self) -> list[str]:
        """Requests with different settings for one instance that were in flight at once.

        A request counts as in flight until its try's start + `timeout` + `settle`, even where its sender was paused and
        so did not hang up.
        """
        found = self._emulator.conflicts()
        if not found:
            return []
        entries = {entry["n"]: entry for entry in self._emulator.requests()}
        met = []
        for conflict in found:
            first, second = (entries[number] for number in conflict["requests"])
            until = conflict["intervals"][0][1]
            if first["request_id"] in self._sent:
                until = min(until, self._sent[first["request_id"]].ends)
            if second["received_at"] < max(until, first["effect_at"] or 0.0):
                met.append(f"two requests with different settings were in flight at once: {first}, {second}")
        return met

    def late(self) -> list[str]:
        """Requests that arrived or were carried out later than the API promises; what follows from them proves nothing.

        That is so where a pause falls between the last look at the clock and the first byte, and where this machine is
        too busy for short times.
        """
        return list(self._late())

    def _late(self) -> Iterator[str]:
        for entry in self._emulator.requests():
            sent = self._sent.get(entry["request_id"])
            if sent is None:
                continue
            landed = max(entry["received_at"], entry["effect_at"] or 0.0)
            if landed > sent.ends:
                paused = any(begin < landed and end > sent.began for begin, end in sent.sender.pauses)
                yield "paused before the first byte" if paused else "slow machine"


def lies(records: Sequence[Record], truth: dict[str, dict[str, Any]]) -> list[Record]:
    """The records that say what is not so."""
    return [
        record
        for record in records
        if record.status is Status.APPLIED and digest(record) != truth[record.instance_id]["settings_digest"]
    ]


def digest(record: Record) -> str:
    """The emulator's digest of what was confirmed last."""
    assert record.last is not None
    return digest_of(record.last.settings.nested())


def digest_of_palette(number: int) -> str:
    return digest_of(palette(number).nested())


_NUMBERS = {digest_of_palette(number): number for number in range(10)}


def compared(record: Record, truth: dict[str, dict[str, Any]]) -> str:
    """Store and truth of one instance, in words."""
    instance, last = truth[record.instance_id], record.last
    assert last is not None
    return (
        f"the store says {_NUMBERS[digest(record)]} for {record.instance_id}, of request {last.request_id} by"
        f" {last.run.run_id}; the truth is {_NUMBERS.get(instance['settings_digest'])}, of request"
        f" {instance['last_request_id']}"
    )
