# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of every request that arrived, and what can be read from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from .codes import VIDEO_SETTING
from .rules import Settings, digest_of


@dataclass
class Entry:
    """One HTTP request.

    The times that end in ``_at`` are seconds of the system's monotonic clock (comparable between processes of one
    machine), those that end in ``_wall`` seconds since the epoch. ``effect_on`` is the number of instances changed.
    """

    n: int
    method: str
    path: str
    peer: str | None
    host: str | None
    received_at: float
    received_wall: float
    request_id: str | None = None
    instance_ids: list[str] | None = None
    settings_digest: str | None = None
    auth: str = "none"
    fault: str | None = None
    violation: str | None = None
    effect_at: float | None = None
    effect_wall: float | None = None
    effect_on: int = 0
    effect_pending: bool = False
    finished_at: float | None = None
    finished_wall: float | None = None
    http_status: int | None = None
    error_code: str | None = None

    def took_effect(self, instances: int) -> None:
        """Note that the request changed that many instances just now."""
        self.effect_pending = False
        if instances:
            self.effect_at, self.effect_wall, self.effect_on = time.monotonic(), time.time(), instances

    def finish(self, http_status: int | None = None, error_code: str | None = None) -> None:
        """Note that the answer is about to go out, or with None that there will be none.

        It is noted before the first byte, because after that the client may already have sent its next request.
        """
        if self.finished_at is None:
            self.finished_at, self.finished_wall = time.monotonic(), time.time()
            self.http_status, self.error_code = http_status, error_code

    @property
    def outcome(self) -> str:
        """``pending``, ``dropped``, or status and error code with a blank between."""
        if self.finished_at is None:
            return "pending"
        return "dropped" if self.http_status is None else f"{self.http_status} {self.error_code or '-'}"

    def as_dict(self) -> dict[str, Any]:
        """All fields by name."""
        return {name: getattr(self, name) for name in _FIELDS}

    def until(self, now: float) -> float:
        """The end of the interval in which the request counts as in flight, in monotonic seconds."""
        if self.finished_at is None or self.effect_pending:
            return now
        return max(self.finished_at, self.effect_at or 0.0)


_FIELDS = tuple(item.name for item in fields(Entry))


class Journal:
    """All requests since the last reset, and every distinct settings that occurred in them."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.settings: dict[str, Settings] = {}
        self.repeated_request_ids: list[str] = []
        self._request_ids: set[str] = set()

    def open(self, method: str, path: str, peer: str | None, host: str | None) -> Entry:
        """Begin the record of a request that has just arrived."""
        entry = Entry(len(self.entries) + 1, method, path, peer, host, time.monotonic(), time.time())
        self.entries.append(entry)
        return entry

    def identify(self, entry: Entry, request_id: str | None) -> None:
        """Note a request's id, and whether it has been used before."""
        entry.request_id = request_id or None
        if not request_id:
            return
        if request_id in self._request_ids:
            entry.violation = "x-request-id repeated"
            self.repeated_request_ids.append(request_id)
        self._request_ids.add(request_id)

    def keep_settings(self, settings: Settings) -> str:
        """Remember settings once per distinct value; returns their digest."""
        digest = digest_of(settings)
        self.settings.setdefault(digest, settings)
        return digest

    def counts(self) -> dict[str, dict[str, Any]]:
        """How many requests came in by path, and with which outcomes."""
        result: dict[str, dict[str, Any]] = {}
        for entry in self.entries:
            count = result.setdefault(entry.path, {"total": 0, "outcomes": {}})
            count["total"] += 1
            count["outcomes"][entry.outcome] = count["outcomes"].get(entry.outcome, 0) + 1
        return result

    def conflicts(self) -> list[dict[str, Any]]:
        """Pairs of requests with different settings for one instance that were in flight at once."""
        now = time.monotonic()
        by_instance: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.path == VIDEO_SETTING and entry.settings_digest is not None:
                for instance_id in dict.fromkeys(entry.instance_ids or ()):
                    by_instance.setdefault(instance_id, []).append(entry)
        pairs: dict[tuple[int, int], dict[str, Any]] = {}
        for instance_id, entries in by_instance.items():
            for first, second in _overlapping(entries, now):
                pair = pairs.setdefault(
                    (first.n, second.n),
                    {
                        "requests": [first.n, second.n],
                        "request_ids": [first.request_id, second.request_id],
                        "settings_digests": [first.settings_digest, second.settings_digest],
                        "intervals": [[item.received_at, item.until(now)] for item in (first, second)],
                        "instance_ids": [],
                    },
                )
                pair["instance_ids"].append(instance_id)
        return [pairs[key] for key in sorted(pairs)]


def _overlapping(entries: list[Entry], now: float) -> Iterator[tuple[Entry, Entry]]:
    open_ones: list[Entry] = []
    # Entries are in the order of their arrival, so that whatever has ended before one has ended before all that follow.
    for entry in entries:
        open_ones = [item for item in open_ones if item.until(now) > entry.received_at]
        for item in open_ones:
            if item.settings_digest != entry.settings_digest:
                yield item, entry
        open_ones.append(entry)
