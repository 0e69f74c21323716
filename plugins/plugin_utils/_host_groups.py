# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Instance groups from inventory hosts: hosts with equal region and settings form one group."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import parse_instance_ids
from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.plugin_utils._group_names import name_groups
from ansible_collections.koophone.fleet.plugins.plugin_utils._presets import (
    Fields,
    NetworkPresets,
    Presets,
    parse_network_presets,
    parse_overrides,
)
from ansible_collections.koophone.fleet.plugins.plugin_utils._values import (
    UnreadableError,
    counted,
    is_unset,
    to_text,
)
from ansible_collections.koophone.fleet.plugins.plugin_utils._variables import HostVariables


class Desired(NamedTuple):
    """What hosts of one group share."""

    region: str | None
    settings: Settings


class _Found(NamedTuple):
    """What was read of a host that is an instance."""

    host: str
    instance_id: str
    region: str | None
    network_presets: Any
    overrides: Any


def parse_host_groups(
    variables: HostVariables,
    inventory_groups: Mapping[str, Collection[str]],
    taken_names: Collection[str],
    presets: Presets,
    chosen: NetworkPresets,
    overrides: Fields,
    mistakes: list[str],
) -> tuple[list[dict[str, Any]], int]:
    """The groups in the module's form, by name; and how many hosts are no instances.

    `chosen` and `overrides` are the play's; `taken_names` are the names of the groups of the list.
    """
    said = _Mistakes()
    found = [read for host in variables.hosts if (read := _read(variables, host, said)) is not None]
    without_id = len(variables.hosts) - len(found) - len(said.flawed)
    members: dict[Desired, dict[str, str]] = {}
    settings_of: dict[str, Settings | None] = {}
    for host in found:
        # Most hosts have these from their inventory group, so there are few different ones.
        key = json.dumps([host.network_presets, host.overrides], sort_keys=True, default=str)
        own: list[str] = []
        if key not in settings_of or settings_of[key] is None:
            own_chosen = parse_network_presets(host.network_presets, presets, "koophone_network_presets", own)
            own_overrides = parse_overrides(host.overrides, "koophone_overrides", own)
            settings_of[key] = (
                None if own else presets.settings({**chosen, **own_chosen}, {**overrides, **own_overrides})
            )
        said.add_all(host.host, own)
        settings = settings_of[key]
        if settings is not None:
            members.setdefault(Desired(host.region, settings), {})[host.host] = host.instance_id
    said.report(mistakes)
    _check_shared_ids(members, mistakes)
    names = name_groups(list(members.values()), inventory_groups, taken_names)
    groups = [
        {
            "name": name,
            "instance_ids": list(dict.fromkeys(ids.values())),
            **({} if desired.region is None else {"region": desired.region}),
            "settings": desired.settings.nested(),
        }
        for name, (desired, ids) in zip(names, members.items(), strict=True)
    ]
    return sorted(groups, key=lambda group: str(group["name"])), without_id


def _read(variables: HostVariables, host: str, said: _Mistakes) -> _Found | None:
    """A host's own variables; None for a host without an id, and for one whose variables are flawed."""

    def value(name: str) -> Any:
        try:
            return variables.value(host, name)
        except UnreadableError as error:
            own.append(f"{name}: cannot be evaluated: {error}")
            return None

    own: list[str] = []
    instance_id = value("koophone_instance_id")
    if is_unset(instance_id) and not own:
        return None
    if not own:
        # Of an id, the place is the variable, not an element of a list.
        ids = parse_instance_ids([instance_id], "koophone_instance_id", own)
        own[:] = [mistake.replace("koophone_instance_id[0]", "koophone_instance_id") for mistake in own]
        instance_id = ids[0] if ids else None
    region = to_text(value("koophone_region"), "koophone_region", own)
    result = _Found(host, instance_id, region, value("koophone_network_presets"), value("koophone_overrides"))
    said.add_all(host, own)
    if own:
        said.flawed.add(host)
        return None
    return result


def _check_shared_ids(members: Mapping[Desired, Mapping[str, str]], mistakes: list[str]) -> None:
    """Hosts may share an instance only when they want the same for it."""
    first: dict[str, tuple[str, Desired]] = {}
    for desired, ids in members.items():
        for host, instance_id in ids.items():
            other_host, other = first.setdefault(instance_id, (host, desired))
            if other != desired:
                what = "in different regions" if other.settings == desired.settings else "with different settings"
                mistakes.append(
                    f"hosts {other_host} and {host}: koophone_instance_id: both are {shown(instance_id)}, {what}"
                )


class _Mistakes:
    """The mistakes of hosts; one that many hosts share, such as from their group_vars, is told once."""

    def __init__(self) -> None:
        self.flawed: set[str] = set()
        self._hosts: dict[str, list[str]] = {}

    def add_all(self, host: str, mistakes: Sequence[str]) -> None:
        for mistake in mistakes:
            self._hosts.setdefault(mistake, []).append(host)

    def report(self, mistakes: list[str]) -> None:
        for mistake, hosts in self._hosts.items():
            who = f"host {hosts[0]}" if len(hosts) == 1 else f"host {hosts[0]} and {counted(len(hosts) - 1, 'other')}"
            mistakes.append(f"{who}: {mistake}")
