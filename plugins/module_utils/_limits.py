# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Ages, shares and numbers as users write them: `12h`, `7d`, `500`, `20%`. Pure."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGE = re.compile(r"([0-9]{1,15}(?:\.[0-9]+)?)\s*([smhdw])")
_NUMBER = re.compile(r"([0-9]{1,15})")
_SHARE = re.compile(r"([0-9]{1,15}(?:\.[0-9]+)?)\s*%")


class Portion(NamedTuple):
    """So many instances: a number, or a share of some (in percent)."""

    text: str
    number: int | None = None
    percent: float | None = None

    def at_most(self, instances: int) -> int:
        """How many that is as a limit: a share is rounded down."""
        if self.percent is None:
            return self.number or 0
        # A hair's breadth is added so that 29% of 100, which floating point makes 28.999..., is 29.
        return math.floor(instances * self.percent / 100 + 1e-9)

    def at_least(self, instances: int) -> int:
        """How many that is as a goal: a share is rounded up, so that a hundredth of ten instances is one of them."""
        if self.percent is None:
            return self.number or 0
        return math.ceil(instances * self.percent / 100 - 1e-9)


def parse_age(text: str, place: str, mistakes: list[str]) -> float | None:
    """Read an age such as `90s`, `30m`, `12h`, `7d` or `2w`; the result is in seconds."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        mistakes.append(f"{place}: {shown(text)} is not an age such as 90s, 30m, 12h, 7d or 2w")
        return None
    return float(match[1]) * _SECONDS[match[2]]


def parse_portion(text: str, place: str, mistakes: list[str]) -> Portion | None:
    """Read a number of instances (`500`) or a share of them (`20%`)."""
    stripped = text.strip()
    if match := _NUMBER.fullmatch(stripped):
        return Portion(stripped, number=int(match[1]))
    if (match := _SHARE.fullmatch(stripped)) and float(match[1]) <= 100:
        return Portion(stripped, percent=float(match[1]))
    mistakes.append(f"{place}: {shown(text)} is neither a number of instances such as 500 nor a share such as 20%")
    return None
