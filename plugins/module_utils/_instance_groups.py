# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The option `instance_groups`: who shares which settings. Pure: files are read by a function handed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown
from ansible_collections.koophone.fleet.plugins.module_utils._settings import (
    Settings,
    parse_api_settings,
    parse_settings,
)

# The API's limit. What cannot be printed is refused as well: it came along when an id was copied from somewhere.
_INSTANCE_ID = re.compile(r"\S{1,32}")
_COMMENT = re.compile(r"(^|\s)#.*$")
_FIELDS = ("name", "instance_ids", "instance_ids_file", "region", "settings", "instance_settings")


class InstanceGroup(NamedTuple):
    """A named set of instances that share settings. `region` is None where it was not given."""

    name: str
    instance_ids: tuple[str, ...]
    region: str | None
    settings: Settings


def parse_instance_groups(value: Any, read_file: Callable[[str], str], mistakes: list[str]) -> list[InstanceGroup]:
    """Read the option; every mistake is added to `mistakes` with its place, and the result is then incomplete.

    `read_file` returns the text of an absolute path; its `OSError` or `UnicodeDecodeError` becomes a mistake.
    """
    groups: list[InstanceGroup] = []
    places: dict[str, str] = {}
    if not isinstance(value, list):
        mistakes.append(f"instance_groups: {shown(value)} is not a list")
        return groups
    for index, element in enumerate(value):
        place = f"instance_groups[{index}]"
        if not isinstance(element, Mapping):
            mistakes.append(f"{place}: {shown(element)} is not a dictionary")
            continue
        mistakes.extend(
            f"{place}: unknown option {shown(name)} (known: {', '.join(_FIELDS)})"
            for name in element
            if name not in _FIELDS
        )
        # A null is how Jinja and surveys say "not given".
        given = {name: field for name, field in element.items() if field is not None}
        name = _parse_text(given.get("name"), f"{place}.name", mistakes)
        if name is not None and name in places:
            mistakes.append(f"{place}.name: {shown(name)} is already the name of {places[name]}")
        elif name is not None:
            places[name] = place
        region = None
        if given.get("region", "") != "":
            region = _parse_text(given["region"], f"{place}.region", mistakes)
        instance_ids = _parse_members(given, place, read_file, mistakes)
        settings = _parse_group_settings(given, place, mistakes)
        if name is not None and settings is not None:
            groups.append(InstanceGroup(name, instance_ids, region, settings))
    _check_overlaps(groups, places, mistakes)
    return groups


def parse_instance_ids(value: Any, place: str, mistakes: list[str]) -> tuple[str, ...]:
    """Read a list of instance ids; duplicates are folded, the order is kept."""
    if not isinstance(value, list):
        mistakes.append(f"{place}: {shown(value)} is not a list")
        return ()
    return _checked_ids(((f"{place}[{index}]", instance_id) for index, instance_id in enumerate(value)), mistakes)


def _parse_members(
    given: Mapping[str, Any], place: str, read_file: Callable[[str], str], mistakes: list[str]
) -> tuple[str, ...]:
    if "instance_ids" not in given and "instance_ids_file" not in given:
        mistakes.append(f"{place}: neither instance_ids nor instance_ids_file is given")
    members = parse_instance_ids(given.get("instance_ids", []), f"{place}.instance_ids", mistakes)
    if "instance_ids_file" in given:
        from_file = _read_ids_file(given["instance_ids_file"], f"{place}.instance_ids_file", read_file, mistakes)
        members = tuple(dict.fromkeys((*members, *from_file)))
    return members


def _read_ids_file(path: Any, place: str, read_file: Callable[[str], str], mistakes: list[str]) -> tuple[str, ...]:
    """One id a line, `#` comments."""
    if not isinstance(path, str) or not PurePath(path).is_absolute():
        mistakes.append(f"{place}: {shown(path)} is not an absolute path")
        return ()
    try:
        text = read_file(path)
    except OSError as error:
        mistakes.append(f"{place}: cannot read {shown(path)}: {error.strerror or error}")
        return ()
    except UnicodeDecodeError as error:
        mistakes.append(f"{place}: {shown(path)} is not a UTF-8 text file: {error}")
        return ()
    except ValueError as error:
        mistakes.append(f"{place}: cannot read {shown(path)}: {error}")
        return ()
    lines = ((number, _COMMENT.sub("", line).strip()) for number, line in enumerate(text.splitlines(), start=1))
    return _checked_ids(((f"{place}, line {number}", line) for number, line in lines if line), mistakes)


def _checked_ids(placed: Iterator[tuple[str, Any]], mistakes: list[str]) -> tuple[str, ...]:
    ids: dict[str, None] = {}
    for place, instance_id in placed:
        if not isinstance(instance_id, str):
            mistakes.append(f"{place}: {shown(instance_id)} is not a string; quote it")
        elif not _INSTANCE_ID.fullmatch(instance_id) or not instance_id.isprintable():
            mistakes.append(f"{place}: {shown(instance_id)} is not an instance id (1 to 32 characters, no blanks)")
        else:
            ids[str(instance_id)] = None
    return tuple(ids)


def _parse_group_settings(given: Mapping[str, Any], place: str, mistakes: list[str]) -> Settings | None:
    if "settings" in given and "instance_settings" in given:
        mistakes.append(f"{place}: settings and instance_settings exclude each other; give one of them")
        return None
    if "settings" in given:
        return parse_settings(given["settings"], f"{place}.settings", mistakes)
    if "instance_settings" in given:
        return parse_api_settings(given["instance_settings"], f"{place}.instance_settings", mistakes)
    mistakes.append(f"{place}: neither settings nor instance_settings is given")
    return None


def _check_overlaps(groups: Collection[InstanceGroup], places: Mapping[str, str], mistakes: list[str]) -> None:
    """An instance in two groups is a mistake when the groups differ in settings or region."""
    first: dict[str, InstanceGroup] = {}
    clashes: dict[tuple[str, str, str], list[str]] = {}
    for group in groups:
        for instance_id in group.instance_ids:
            other = first.setdefault(instance_id, group)
            if other is group:
                continue
            if other.settings != group.settings:
                clashes.setdefault((group.name, other.name, "other settings"), []).append(instance_id)
            if other.region != group.region:
                clashes.setdefault((group.name, other.name, "another region"), []).append(instance_id)
    for (name, other_name, what), ids in clashes.items():
        examples = ", ".join(shown(instance_id) for instance_id in ids[:3]) + (", ..." if len(ids) > 3 else "")
        mistakes.append(
            f"{places[name]}: {len(ids)} of the instances in {shown(name)} ({examples})"
            f" are also in {shown(other_name)} ({places[other_name]}) with {what}"
        )


def _parse_text(value: Any, place: str, mistakes: list[str]) -> str | None:
    if value is None:
        mistakes.append(f"{place}: is missing")
    elif not isinstance(value, str):
        mistakes.append(f"{place}: {shown(value)} is not a string; quote it")
    elif not value.strip() or not value.isprintable():
        mistakes.append(f"{place}: {shown(value)} is blank or has characters that cannot be printed")
    else:
        return str(value)
    return None
