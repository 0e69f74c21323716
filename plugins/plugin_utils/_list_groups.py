# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Instance groups from the list `video_setting_instance_groups`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import parse_instance_ids
from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown
from ansible_collections.koophone.fleet.plugins.plugin_utils._names import absolute_path
from ansible_collections.koophone.fleet.plugins.plugin_utils._presets import (
    Fields,
    NetworkPresets,
    Presets,
    parse_network_presets,
    parse_overrides,
)
from ansible_collections.koophone.fleet.plugins.plugin_utils._values import is_unset, to_list, to_text

_PLACE = "video_setting_instance_groups"
_FIELDS = ("name", "instance_ids", "instance_ids_file", "region", "network_presets", "overrides")


def parse_list_groups(
    value: Any, presets: Presets, chosen: NetworkPresets, overrides: Fields, folder: Path, mistakes: list[str]
) -> list[dict[str, Any]]:
    """The groups of the list in the module's form, in their order; `chosen` and `overrides` are the play's."""
    groups = []
    places: dict[str, str] = {}
    for index, element in enumerate(to_list(value, "instance groups", _PLACE, mistakes)):
        place = f"{_PLACE}[{index}]"
        if not isinstance(element, Mapping):
            mistakes.append(f"{place}: {shown(element)} is not a dictionary")
            continue
        mistakes.extend(
            f"{place}: unknown field {shown(name)} (known: {', '.join(_FIELDS)})"
            for name in element
            if name not in _FIELDS
        )
        group: dict[str, Any] = {"name": _parse_name(element.get("name"), f"{place}.name", places, mistakes)}
        group.update(_parse_members(element, place, folder, mistakes))
        region = to_text(element.get("region"), f"{place}.region", mistakes)
        if region is not None:
            group["region"] = region
        before = len(mistakes)
        own_chosen = parse_network_presets(
            element.get("network_presets"), presets, f"{place}.network_presets", mistakes
        )
        own_overrides = parse_overrides(element.get("overrides"), f"{place}.overrides", mistakes)
        if len(mistakes) == before:
            settings = presets.settings({**chosen, **own_chosen}, {**overrides, **own_overrides})
            group["settings"] = settings.nested()
        groups.append(group)
    return groups


def _parse_name(value: Any, place: str, places: dict[str, str], mistakes: list[str]) -> str | None:
    if is_unset(value):
        mistakes.append(f"{place}: is missing")
        return None
    name = to_text(value, place, mistakes)
    if name is not None and places.setdefault(name, place) != place:
        mistakes.append(f"{place}: {shown(name)} is already {places[name]}")
    return name


def _parse_members(element: Mapping[Any, Any], place: str, folder: Path, mistakes: list[str]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if not is_unset(element.get("instance_ids")):
        ids = to_list(element["instance_ids"], "instance ids", f"{place}.instance_ids", mistakes)
        members["instance_ids"] = list(parse_instance_ids(list(ids), f"{place}.instance_ids", mistakes))
    if not is_unset(element.get("instance_ids_file")):
        # The file itself is read by the module, so that a large fleet need not travel through Ansible's variables.
        path = to_text(element["instance_ids_file"], f"{place}.instance_ids_file", mistakes)
        if path is not None:
            members["instance_ids_file"] = absolute_path(path, folder)
    elif "instance_ids" not in members:
        mistakes.append(f"{place}: neither instance_ids nor instance_ids_file is given")
    return members
