# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways to break the collection on purpose: what proves that the property test can fail."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._state import _claiming, _recording
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Claim, Mark, Outcome, Resolution
from ansible_collections.koophone.fleet.plugins.module_utils._state._store import SqlStore


def _write_ahead() -> None:
    """No instance is marked before its request goes out."""
    record = SqlStore.record

    def unmarked(self: SqlStore, claim: Claim, resolutions: Iterable[Resolution], _marks: Iterable[Mark]) -> set[str]:
        return record(self, claim, resolutions, [])

    SqlStore.record = unmarked  # type: ignore[method-assign,assignment]


def _doubt() -> None:
    """A request that ended in doubt is taken to be over."""
    record = SqlStore.record

    def certain(self: SqlStore, claim: Claim, resolutions: Iterable[Resolution], marks: Iterable[Mark]) -> set[str]:
        return record(self, claim, [resolution._replace(doubt_for=0.0) for resolution in resolutions], marks)

    SqlStore.record = certain  # type: ignore[method-assign]


def _grace() -> None:
    """What a dead run had sent is taken to be over as soon as its claim is."""
    claim = SqlStore.claim

    def graceless(self: SqlStore, *args: Any, **options: Any) -> Any:
        return claim(self, *args, **{**options, "grace": 0.0})

    SqlStore.claim = graceless  # type: ignore[method-assign]


def _claim() -> None:
    """Whatever was confirmed is written down, whoever holds the instance by now."""

    def all_of_them(_tx: Any, _service: int, _claim: int, ids: Iterable[str]) -> set[str]:
        return set(ids)

    _recording._lock_claimed = all_of_them  # type: ignore[assignment]


def _lease() -> None:
    """A run never looks at the clock: its claim lasts for ever, as far as it is concerned."""
    claim = SqlStore.claim

    def endless(self: SqlStore, *args: Any, **options: Any) -> Any:
        result = claim(self, *args, **options)
        if result.claim is not None:
            result.claim.ends_at = math.inf
        return result

    SqlStore.claim = endless  # type: ignore[method-assign]


def _takeover() -> None:
    """What the former holder of an instance may have sent is forgotten by who takes it over."""

    def forgotten(_tx: Any) -> str:
        return " marked = NULL"

    _claiming.resolve_marks = forgotten  # type: ignore[assignment]


def _taken_back() -> None:
    """What was sent and not confirmed is taken back as if it had not been sent."""
    record = SqlStore.record

    def harmless(resolution: Resolution) -> Resolution:
        unconfirmed = resolution.outcome is Outcome.UNCONFIRMED
        return resolution._replace(outcome=Outcome.NOT_PROCESSED) if unconfirmed else resolution

    def careless(self: SqlStore, claim: Claim, resolutions: Iterable[Resolution], marks: Iterable[Mark]) -> set[str]:
        return record(self, claim, [harmless(resolution) for resolution in resolutions], marks)

    SqlStore.record = careless  # type: ignore[method-assign]


BREAKAGES: dict[str, Callable[[], None]] = {
    "write-ahead": _write_ahead,
    "doubt": _doubt,
    "grace": _grace,
    "claim": _claim,
    "lease": _lease,
    "takeover": _takeover,
    "taken-back": _taken_back,
}


def break_on_purpose(name: str) -> None:
    """Break this process's copy of the collection in the way that is named; '' leaves it whole."""
    if name:
        BREAKAGES[name]()
