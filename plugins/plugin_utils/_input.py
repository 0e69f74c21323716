# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Everything that the role `video_setting` hands to its module, from the variables of a play and of its hosts.

No step stops at the first mistake: the result has all of them, each with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shorten
from ansible_collections.koophone.fleet.plugins.plugin_utils._course import Play, parse_course
from ansible_collections.koophone.fleet.plugins.plugin_utils._host_groups import parse_host_groups
from ansible_collections.koophone.fleet.plugins.plugin_utils._list_groups import parse_list_groups
from ansible_collections.koophone.fleet.plugins.plugin_utils._names import (
    PLAY_VARIABLES,
    misspelt,
    parse_options,
)
from ansible_collections.koophone.fleet.plugins.plugin_utils._presets import (
    parse_network_presets,
    parse_overrides,
    parse_presets,
)
from ansible_collections.koophone.fleet.plugins.plugin_utils._values import (
    UnreadableError,
    counted,
    is_unset,
    plain,
    to_boolean,
    to_list,
)
from ansible_collections.koophone.fleet.plugins.plugin_utils._variables import HostVariables

_GROUPS, _PRESETS, _NETWORK_PRESETS, _OVERRIDES, _ALLOW_EMPTY = (
    "video_setting_instance_groups",
    "video_setting_presets",
    "video_setting_network_presets",
    "video_setting_overrides",
    "video_setting_allow_empty",
)
# Limits that leave no host out.
_NO_LIMIT = ("", "all", "*")


def read_input(
    hostvars: Any,
    play: Play,
    names: Collection[str],
    value_of: Callable[[str], Any],
    shipped_presets: Any,
    shipped_network_presets: Any,
) -> dict[str, Any]:
    """Read, merge and check everything.

    `names` are the play's variables that begin with `video_setting_`, wherever they come from; `value_of` gives one's
    value. Their values are those of the play's first host, hence the check that the hosts agree.
    """
    mistakes: list[str] = []
    hosts = HostVariables(hostvars, play.batch)
    mistakes += misspelt({*names, *hosts.names()})
    values = _play_values(hosts, names, value_of, mistakes)
    presets = parse_presets(plain(shipped_presets), values.get(_PRESETS), _PRESETS, mistakes)
    chosen = {
        **parse_network_presets(plain(shipped_network_presets), presets, "the shipped network presets", mistakes),
        **parse_network_presets(values.get(_NETWORK_PRESETS), presets, _NETWORK_PRESETS, mistakes),
    }
    overrides = parse_overrides(values.get(_OVERRIDES), _OVERRIDES, mistakes)
    list_groups = parse_list_groups(values.get(_GROUPS), presets, chosen, overrides, play.folder, mistakes)
    if list_groups:
        _check_unlimited(play, mistakes)
    host_groups, without_id = parse_host_groups(
        hosts, play.inventory_groups, _names_of(list_groups), presets, chosen, overrides, mistakes
    )
    if not _is_first_batch(play):
        # The list is the play's: it was dealt with in the first batch.
        list_groups = []
    groups = list_groups + host_groups
    allow_empty = to_boolean(values.get(_ALLOW_EMPTY), _ALLOW_EMPTY, mistakes)
    may_be_empty = allow_empty or (not groups and _others_have_instances(hostvars, play, values))
    options = parse_options(values, play.folder, mistakes)
    course = parse_course(play, values, options, lambda: _size_of_fleet(hosts, hostvars, play), mistakes)
    if not mistakes and not may_be_empty and not any(map(_has_members, groups)):
        mistakes.append(no_instance(len(play.batch)))
    return {
        "mistakes": shorten(mistakes),
        "instance_groups": [] if mistakes else groups,
        "options": {} if mistakes else options,
        "hosts": len(play.batch),
        # The one host of `-i localhost,` isn't worth a word beside a list.
        "hosts_without_id": 0 if len(play.batch) == 1 and list_groups else without_id,
        "may_be_empty": may_be_empty,
        **course,
        "waves": [] if mistakes else course["waves"],
    }


def no_instance(hosts: int) -> str:
    """What is wrong when there is nothing to do."""
    return (
        f"no instance: none of the play's {counted(hosts, 'host')} has koophone_instance_id, and "
        "video_setting_instance_groups names none; where that may be, set video_setting_allow_empty"
    )


def _play_values(
    hosts: HostVariables, names: Collection[str], value_of: Callable[[str], Any], mistakes: list[str]
) -> dict[str, Any]:
    """The play's variables by name; what cannot be evaluated or what hosts disagree on is a mistake."""
    values: dict[str, Any] = {}
    on_hosts = hosts.names()
    for name, meant in PLAY_VARIABLES.items():
        if name in names:
            try:
                values[name] = plain(value_of(name))
            except UnreadableError as error:
                mistakes.append(f"{name}: cannot be evaluated: {error}")
                continue
            except Exception as error:  # Templates raise all sorts of things, depending on the version of Ansible.
                mistakes.append(f"{name}: cannot be evaluated: {type(error).__name__}")
                continue
        if name in on_hosts:
            differing = hosts.disagreement(name)
            if differing and _is_from_inventory(hosts, name, values.get(name)):
                mistakes.append(
                    f"{name}: hosts {' and '.join(differing)} disagree, "
                    f"but video_setting_* variables are the play's, one value for all its hosts ({meant})"
                )
    return values


def _is_from_inventory(hosts: HostVariables, name: str, value: Any) -> bool:
    """Whether the play's value is what its first host has; otherwise the play itself or the role's call sets it."""
    try:
        of_first = hosts.value(hosts.hosts[0], name)
    except UnreadableError:
        return True
    return bool(of_first == value or (is_unset(of_first) and is_unset(value)))


def _check_unlimited(play: Play, mistakes: list[str]) -> None:
    instead = "run it for the whole inventory, or make the instances inventory hosts with koophone_instance_id"
    if play.limit not in _NO_LIMIT:
        mistakes.append(
            f"{_GROUPS}: the run is limited to {play.limit!r}, but a list names no hosts to which a limit could apply; "
            f"{instead}"
        )
    if play.sliced:
        mistakes.append(
            f"{_GROUPS}: the job is cut into slices, but a list names no hosts that could be shared out; {instead}"
        )


def _is_first_batch(play: Play) -> bool:
    return next(iter(play.hosts), None) in play.batch


def _others_have_instances(hostvars: Any, play: Play, values: Mapping[str, Any]) -> bool:
    """Whether a batch without an instance is none of a play without one."""
    if len(play.batch) >= len(play.hosts):
        return False
    others = HostVariables(hostvars, play.hosts)
    return (
        bool(to_list(values.get(_GROUPS), "instance groups", _GROUPS, [])) or "koophone_instance_id" in others.names()
    )


def _size_of_fleet(hosts: HostVariables, hostvars: Any, play: Play) -> int:
    """How many instances the hosts of the inventory are, whatever the play is limited to."""
    batch = set(hosts.hosts)
    others = HostVariables(hostvars, (host for host in play.inventory_groups.get("all", ()) if host not in batch))
    # As they are written: to evaluate templates would take long, for a number that need not be exact.
    return len({str(raw) for some in (hosts, others) for raw in some.raw("koophone_instance_id")})


def _has_members(group: Mapping[str, Any]) -> bool:
    return bool(group.get("instance_ids") or group.get("instance_ids_file"))


def _names_of(groups: list[dict[str, Any]]) -> set[str]:
    return {str(group["name"]) for group in groups}
