# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets of any size, as the benchmark gives them to the module, to the role and to `uri`."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NETWORK_TYPES = ("MOBILE_NETWORK", "WIFI", "WIRED")
ENCODING_TYPES = ("H264", "H265")
DEFINITIONS = ("540P", "720P", "1080P")
GROUPS = 10
BATCH = 100
# What the one group gets that is changed; no group has it at first.
CHANGED_RATE = 9000


@dataclass(frozen=True)
class Fleet:
    """Ten instance groups of equal size, each with settings of its own; the first of them is the one that changes."""

    size: int

    @property
    def group_size(self) -> int:
        return self.size // GROUPS

    def ids(self, number: int) -> list[str]:
        """The members of a group: 32 hexadecimal digits each, as the service's own ids, and in no order."""
        first = number * self.group_size
        return [hashlib.md5(f"{place}".encode()).hexdigest() for place in range(first, first + self.group_size)]

    def code_rate(self, number: int, *, changed: bool) -> int:
        return CHANGED_RATE if changed and number == 0 else 1000 + 100 * number

    def requests(self, *, groups: int) -> int:
        """The least possible number of requests for so many groups."""
        return groups * math.ceil(self.group_size / BATCH)

    def groups(self, *, changed: bool, files: Path | None = None) -> list[dict[str, Any]]:
        """The option `instance_groups`; with `files`, the members are in files of that folder."""
        groups: list[dict[str, Any]] = []
        for number in range(GROUPS):
            group: dict[str, Any] = {
                "name": f"group-{number}",
                "settings": settings(self.code_rate(number, changed=changed)),
            }
            if files is None:
                group["instance_ids"] = self.ids(number)
            else:
                path = files / f"group-{number}.txt"
                if not path.exists():
                    path.write_text("".join(f"{i}\n" for i in self.ids(number)), encoding="utf-8")
                group["instance_ids_file"] = str(path)
            groups.append(group)
        return groups


def settings(code_rate: int) -> dict[str, Any]:
    """Settings in the nested form, all specs alike."""
    spec = {"code_rate": code_rate, "fps": 60}
    return {n: {c: {d: dict(spec) for d in DEFINITIONS} for c in ENCODING_TYPES} for n in NETWORK_TYPES}


def api_settings(code_rate: int) -> list[dict[str, Any]]:
    """The same in the shape of a request."""
    specs = {f"definition_{d}": {"code_rate": code_rate, "fps": 60} for d in DEFINITIONS}
    return [
        {"network_type": n, "encoding_type": c, "video_spec_groups": [specs]}
        for n in NETWORK_TYPES
        for c in ENCODING_TYPES
    ]
