# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Presets and overrides: from the names that an operator chooses to all 18 specs of an instance. Pure.

Specs are held here as a flat dictionary from (network type, encoding type, definition, field) to a number, so that
laying one over another is an update of that dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown
from ansible_collections.koophone.fleet.plugins.module_utils._settings import (
    DEFINITIONS,
    ENCODING_TYPES,
    NETWORK_TYPES,
    SPEC_KEYS,
    Settings,
    Spec,
    SpecKey,
    parse_code_rate,
    parse_fps,
)
from ansible_collections.koophone.fleet.plugins.plugin_utils._values import is_unset, to_mapping

Field = tuple[str, str, str, str]
Fields = dict[Field, int]
NetworkPresets = dict[str, str]

_FIELD_PARSERS: dict[str, Callable[[Any, str, list[str]], int | None]] = {
    "code_rate": parse_code_rate,
    "fps": parse_fps,
}


@dataclass(frozen=True)
class Presets:
    """Every preset there is, by network type and name; each has all specs of its network type."""

    by_network_type: Mapping[str, Mapping[str, Fields]]

    def names(self, network_type: str) -> list[str]:
        return sorted(self.by_network_type.get(network_type, {}))

    def settings(self, chosen: Mapping[str, str], overrides: Fields) -> Settings:
        """All 18 specs: the chosen preset of each network type, with the overrides laid over them."""
        fields: Fields = {}
        for network_type in NETWORK_TYPES:
            fields.update(self.by_network_type[network_type][chosen[network_type]])
        fields.update(overrides)
        return Settings(tuple(Spec(*(fields[_field(key, name)] for name in Spec._fields)) for key in SPEC_KEYS))


def parse_presets(shipped: Any, own: Any, place: str, mistakes: list[str]) -> Presets:
    """The presets that the role ships, and the user's own: beside them, or laid over those of the same name."""
    result = _named_presets(shipped, "the shipped presets", mistakes)
    for network_type, presets in _named_presets(own, place, mistakes).items():
        for name, fields in presets.items():
            complete = {**result[network_type].get(name, {}), **fields}
            missing = _missing(network_type, complete)
            if missing:
                listed = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")
                mistakes.append(f"{place}.{network_type}.{name}: incomplete, without {listed}")
                # It stays known by its name, so that those who chose it are not told that it is not there.
                complete = {**_nothing(network_type), **complete}
            result[network_type][name] = complete
    return Presets(result)


def parse_network_presets(value: Any, presets: Presets, place: str, mistakes: list[str]) -> NetworkPresets:
    """Which preset a network type has; the network types that are not mentioned are left out."""
    chosen: NetworkPresets = {}
    for network_type, name in _known(value, NETWORK_TYPES, "network type", place, mistakes):
        known = presets.names(network_type)
        if isinstance(name, str) and name in known:
            chosen[network_type] = name
        else:
            mistakes.append(
                f"{place}.{network_type}: unknown preset {shown(name)} (known for {network_type}: {', '.join(known)})"
            )
    return chosen


def parse_overrides(value: Any, place: str, mistakes: list[str]) -> Fields:
    """Partial settings: network type → encoding type → definition → `code_rate` and/or `fps`."""
    fields: Fields = {}
    for network_type, encoding_types in _known(value, NETWORK_TYPES, "network type", place, mistakes):
        fields.update(_network_fields(network_type, encoding_types, f"{place}.{network_type}", mistakes))
    return fields


def _named_presets(value: Any, place: str, mistakes: list[str]) -> dict[str, dict[str, Fields]]:
    """Network type → name → its specs, as far as they are given."""
    result: dict[str, dict[str, Fields]] = {network_type: {} for network_type in NETWORK_TYPES}
    for network_type, presets in _known(value, NETWORK_TYPES, "network type", place, mistakes):
        at_network = f"{place}.{network_type}"
        for name, specs in to_mapping(presets, "presets by name", at_network, mistakes).items():
            if not isinstance(name, str) or is_unset(name):
                mistakes.append(f"{at_network}: {shown(name)} is no name for a preset; quote it")
                continue
            before = len(mistakes)
            fields = _network_fields(network_type, specs, f"{at_network}.{name}", mistakes)
            # What was said to be wrong is not to be said to be missing, too.
            result[network_type][name] = fields if len(mistakes) == before else {**_nothing(network_type), **fields}
    return result


def _network_fields(network_type: str, value: Any, place: str, mistakes: list[str]) -> Fields:
    """The specs of one network type, as far as they are given."""
    fields: Fields = {}
    for encoding_type, definitions in _known(value, ENCODING_TYPES, "encoding type", place, mistakes):
        at_encoding = f"{place}.{encoding_type}"
        for definition, spec in _known(definitions, DEFINITIONS, "definition", at_encoding, mistakes):
            at_spec = f"{at_encoding}.{definition}"
            for name, number in _known(spec, tuple(_FIELD_PARSERS), "field", at_spec, mistakes):
                parsed = _FIELD_PARSERS[name](number, f"{at_spec}.{name}", mistakes)
                if parsed is not None:
                    fields[network_type, encoding_type, definition, name] = parsed
    return fields


def _known(value: Any, names: tuple[str, ...], kind: str, place: str, mistakes: list[str]) -> list[tuple[str, Any]]:
    """The members of a dictionary that may have some of `names` and nothing else, without those that are unset."""
    members = to_mapping(value, ", ".join(names), place, mistakes)
    mistakes.extend(
        f"{place}: unknown {kind} {shown(name)} (known: {', '.join(names)})" for name in members if name not in names
    )
    return [(name, members[name]) for name in names if not is_unset(members.get(name))]


def _field(key: SpecKey, name: str) -> Field:
    return (key.network_type, key.encoding_type, key.definition, name)


def _nothing(network_type: str) -> Fields:
    """What stands in for a preset that was refused; nothing is ever sent of it."""
    return {
        (network_type, encoding_type, definition, name): 0
        for encoding_type in ENCODING_TYPES
        for definition in DEFINITIONS
        for name in _FIELD_PARSERS
    }


def _missing(network_type: str, fields: Fields) -> list[str]:
    """What a preset lacks, such as `H264` (all of it), `H265 720P` or `H265 720P fps`."""
    missing: list[str] = []
    for encoding_type in ENCODING_TYPES:
        lacking = {
            definition: [
                name for name in _FIELD_PARSERS if (network_type, encoding_type, definition, name) not in fields
            ]
            for definition in DEFINITIONS
        }
        if all(len(names) == len(_FIELD_PARSERS) for names in lacking.values()):
            missing.append(encoding_type)
            continue
        for definition, names in lacking.items():
            if len(names) == len(_FIELD_PARSERS):
                missing.append(f"{encoding_type} {definition}")
            else:
                missing.extend(f"{encoding_type} {definition} {name}" for name in names)
    return missing
