# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A state store that keeps nothing: what an apply takes without one is what the real ones are measured against."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._memory import Memory
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import (
    Chooser,
    Claim,
    ClaimResult,
    Mark,
    Resolution,
    Run,
)


def _reading() -> Any:
    return SimpleNamespace(memory=Memory(), continues=lambda *_digests: False)


class NoStore:
    """As much of the interface as an apply needs; nobody else is ever there."""

    def claim(
        self, run: Run, service: str, _ids: Collection[str], choose: Chooser, *, lease: float, grace: float
    ) -> ClaimResult:
        choice = choose(_reading())
        ids = {instance_id for want in choice.wanted for instance_id in want.instance_ids}
        return ClaimResult(Claim(1, service, run, _clock.now() + lease, ids), {})

    def renew(self, claim: Claim, *, lease: float) -> bool:
        claim.ends_at = _clock.now() + lease
        return True

    def record(self, _claim: Claim, _resolutions: Iterable[Resolution], _marks: Iterable[Mark]) -> set[str]:
        return set()

    def learn_regions(self, _claim: Claim, _regions: Mapping[str, Any]) -> None:
        """Nothing is kept."""

    def release(self, _claim: Claim) -> None:
        """Nothing is kept."""

    def finish(self, *_arguments: Any, **_keywords: Any) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


def look_at_nothing(_location: Any, _service: str, _ids: Collection[str], look: Any) -> Any:
    """In place of `_stores.look_at`."""
    return look(_reading())
