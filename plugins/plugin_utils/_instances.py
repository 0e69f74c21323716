# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Instances as the API lists them, turned into host variables; and which of them are wanted. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown

# The words for `running_status`, by its number in the API reference.
RUNNING_STATUSES = ("unknown", "stopped", "running", "going_offline", "starting", "shut_down")

# Handed on as they are, with the prefix. Only what the reference lists: an answer may hold other things some day.
_PLAIN = (
    "instance_id",
    "instance_name",
    "region",
    "login_status",
    "assign_status",
    "assign_user",
    "billing_mode",
    "project_id",
    "project_name",
    "phone_id",
    "member_name",
    "account_name",
    "region_name",
    "region_name_en",
    "backup_status",
    "backup_time",
    "restore_status",
    "restore_time",
)
FIELDS = (*_PLAIN, "instance_sku", "frozen_status", "running_status")

# The reference has one example of a SKU: "Professional edition | 8 vCPUs | 16 GB | …".
_CORES = re.compile(r"(\d+)\s*(?:vCPUs?|CPUs?|cores?|核)", re.IGNORECASE)
_GIGABYTES = re.compile(r"(\d+(?:\.\d+)?)\s*(?:GB|GiB)\b", re.IGNORECASE)
_RESOLUTION = re.compile(r"\b(\d{3,4})\s*P\b", re.IGNORECASE)
_EDITION = re.compile(r"\s*(?:edition|版)\s*$", re.IGNORECASE)


def trimmed(instance: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an instance, in a cache too."""
    return {name: instance[name] for name in FIELDS if name in instance}


def host_variables(instance: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of an instance's host: always the same names, null where the API tells nothing."""
    sku = instance.get("instance_sku")
    return {
        **{f"koophone_{name}": instance.get(name) for name in _PLAIN},
        "koophone_frozen": _is_frozen(instance.get("frozen_status")),
        "koophone_running_status": _running_status(instance.get("running_status")),
        "koophone_sku": sku,
        **_parse_sku(sku if isinstance(sku, str) else ""),
    }


def _is_frozen(status: Any) -> bool:
    # What is neither of the two documented values is taken for frozen: then nothing is sent to it.
    return str(status) != "0" if status is not None else False


def _running_status(status: Any) -> str:
    number = int(status) if str(status).isdecimal() else 0
    return RUNNING_STATUSES[number] if number < len(RUNNING_STATUSES) else RUNNING_STATUSES[0]


def _parse_sku(sku: str) -> dict[str, Any]:
    """What the text of a SKU tells. Its first amount of gigabytes is the memory, a second one is the storage."""
    first = sku.partition("|")[0].strip()
    cores, memory = _CORES.search(sku), _GIGABYTES.search(sku)
    gigabytes = float(memory[1]) if memory else None
    resolutions = [int(found) for found in _RESOLUTION.findall(sku)]
    return {
        # A text that begins with an amount doesn't begin with the edition.
        "koophone_edition": (_EDITION.sub("", first) or None) if not re.match(r"\d", first) else None,
        "koophone_cores": int(cores[1]) if cores else None,
        "koophone_memory_gb": int(gigabytes) if gigabytes is not None and gigabytes.is_integer() else gigabytes,
        "koophone_resolution": f"{max(resolutions)}P" if resolutions else None,
    }


@dataclass(frozen=True)
class Selection:
    """Which instances become hosts; an empty list of regions, names or statuses takes any."""

    regions: Sequence[str]
    names: Sequence[Callable[[str], bool]]
    statuses: Sequence[str]
    include_frozen: bool

    def wants(self, variables: Mapping[str, Any]) -> bool:
        name = str(variables["koophone_instance_name"] or "")
        return (
            (self.include_frozen or not variables["koophone_frozen"])
            and (not self.regions or variables["koophone_region"] in self.regions)
            and (not self.statuses or variables["koophone_running_status"] in self.statuses)
            and (not self.names or any(matches(name) for matches in self.names))
        )


def parse_names(patterns: Sequence[str], mistakes: list[str]) -> list[Callable[[str], bool]]:
    """Patterns as Ansible's for hosts: with `*`, `?` and `[…]`, or after a `~` a regular expression."""
    return [_matcher(pattern, f"names[{place}]", mistakes) for place, pattern in enumerate(patterns)]


def _matcher(pattern: str, place: str, mistakes: list[str]) -> Callable[[str], bool]:
    if pattern.startswith("~"):
        try:
            expression = re.compile(pattern[1:])
        except re.error as error:
            mistakes.append(f"{place}: {shown(pattern)} is not a regular expression ({error})")
            return lambda _name: False
        return lambda name: expression.match(name) is not None
    return lambda name: fnmatchcase(name, pattern)
