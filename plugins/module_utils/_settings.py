# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The settings of an instance: 18 specs, as one typed, comparable value.

Pure: no I/O, no Ansible. The rules are those of the API reference of `SetVideoConfig`
(https://support.huaweicloud.com/api-koophone/): every network type with every encoding type, with all
three definitions; a bit rate in kbit/s and a frame rate in fps for each.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown

NETWORK_TYPES = ("MOBILE_NETWORK", "WIFI", "WIRED")
ENCODING_TYPES = ("H264", "H265")
DEFINITIONS = ("540P", "720P", "1080P")

CODE_RATE_MIN = 100
CODE_RATE_MAX = 10000
CODE_RATE_STEP = 100
FRAME_RATES = (30, 60)


class SpecKey(NamedTuple):
    """Which of the 18 specs: one network type × encoding type × definition."""

    network_type: str
    encoding_type: str
    definition: str

    def __str__(self) -> str:
        return " ".join(self)


class Spec(NamedTuple):
    """Bit rate (`code_rate`, kbit/s) and frame rate (`fps`, frames a second)."""

    code_rate: int
    fps: int

    def __str__(self) -> str:
        return f"{self.code_rate} kbit/s, {self.fps} fps"


SPEC_KEYS: tuple[SpecKey, ...] = tuple(
    SpecKey(network_type, encoding_type, definition)
    for network_type in NETWORK_TYPES
    for encoding_type in ENCODING_TYPES
    for definition in DEFINITIONS
)


@dataclass(frozen=True)
class Settings:
    """All 18 specs of an instance, in the order of `SPEC_KEYS`. Build it with one of the parsers below."""

    specs: tuple[Spec, ...]

    def items(self) -> Iterator[tuple[SpecKey, Spec]]:
        return zip(SPEC_KEYS, self.specs, strict=True)

    @cached_property
    def canonical(self) -> str:
        """The one text that equal settings share: compact JSON of the 18 pairs in the order of `SPEC_KEYS`."""
        return json.dumps(self.specs, separators=(",", ":"))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form, in hexadecimal."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @classmethod
    def from_canonical(cls, text: str) -> Settings:
        """Read back what `canonical` wrote. Raises `ValueError` when the text is anything else."""
        try:
            specs = tuple(Spec(int(code_rate), int(fps)) for code_rate, fps in json.loads(text))
        except (TypeError, ValueError) as error:
            raise ValueError(f"not the canonical form of settings: {text[:80]!r}") from error
        if len(specs) != len(SPEC_KEYS):
            raise ValueError(f"not the canonical form of settings: {len(specs)} specs instead of {len(SPEC_KEYS)}")
        return cls(specs)

    def nested(self) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
        """Network type → encoding type → definition → `code_rate` (kbit/s) and `fps`, as users write it."""
        result: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
        for key, spec in self.items():
            definitions = result.setdefault(key.network_type, {}).setdefault(key.encoding_type, {})
            definitions[key.definition] = {"code_rate": spec.code_rate, "fps": spec.fps}
        return result

    def api(self) -> list[dict[str, Any]]:
        """The value of `instance_settings` in a request body, in the shape of the API's reference."""
        return [
            {
                "network_type": network_type,
                "encoding_type": encoding_type,
                # The reference's example has one element that holds all three definitions.
                "video_spec_groups": [{f"definition_{name}": spec for name, spec in definitions.items()}],
            }
            for network_type, encoding_types in self.nested().items()
            for encoding_type, definitions in encoding_types.items()
        ]

    def lines(self) -> list[str]:
        """One sorted line a spec, such as `WIFI H265 720P: 4000 kbit/s, 60 fps`."""
        return sorted(f"{key}: {spec}" for key, spec in self.items())

    def differences(self, other: Settings) -> list[tuple[SpecKey, Spec, Spec]]:
        """The specs that differ: where, this one's, the other's."""
        return [
            (key, mine, theirs) for (key, mine), theirs in zip(self.items(), other.specs, strict=True) if mine != theirs
        ]


def parse_settings(value: Any, place: str, mistakes: list[str]) -> Settings | None:
    """Read settings in the nested form: network type → encoding type → definition → `code_rate`, `fps`.

    Every mistake is added to `mistakes` as `place: what is wrong`; then the result is None.
    """
    found: dict[SpecKey, Spec] = {}
    before = len(mistakes)
    for network_type, encoding_types in _members(value, NETWORK_TYPES, "network type", place, mistakes):
        at_network = f"{place}.{network_type}"
        for encoding_type, definitions in _members(
            encoding_types, ENCODING_TYPES, "encoding type", at_network, mistakes
        ):
            at_encoding = f"{at_network}.{encoding_type}"
            for definition, spec in _members(definitions, DEFINITIONS, "definition", at_encoding, mistakes):
                parsed = parse_spec(spec, f"{at_encoding}.{definition}", mistakes)
                if parsed is not None:
                    found[SpecKey(network_type, encoding_type, definition)] = parsed
    if len(mistakes) > before:
        return None
    return Settings(tuple(found[key] for key in SPEC_KEYS))


def parse_api_settings(value: Any, place: str, mistakes: list[str]) -> Settings | None:
    """Read settings in the API's own shape: the list `instance_settings` of its reference.

    Every mistake is added to `mistakes` as `place: what is wrong`; then the result is None.
    """
    if not _is_list(value):
        mistakes.append(f"{place}: {shown(value)} is not a list")
        return None
    before = len(mistakes)
    unreadable = False
    seen: dict[tuple[str, str], str] = {}
    found: dict[SpecKey, Spec] = {}
    for index, element in enumerate(value):
        at_element = f"{place}[{index}]"
        pair = _api_pair(element, at_element, mistakes)
        if pair is None:
            unreadable = True
            continue
        if pair in seen:
            mistakes.append(f"{at_element}: {' '.join(pair)} is already at {seen[pair]}")
            continue
        seen[pair] = at_element
        for definition, spec in _api_specs(element.get("video_spec_groups"), at_element, mistakes):
            found[SpecKey(*pair, definition)] = spec
    # An element that could not be read has its own mistake already, and may well be the one that seems missing.
    if not unreadable:
        pairs = ((network_type, encoding_type) for network_type in NETWORK_TYPES for encoding_type in ENCODING_TYPES)
        mistakes.extend(f"{place}: {' '.join(pair)} is missing" for pair in pairs if pair not in seen)
    if len(mistakes) > before:
        return None
    return Settings(tuple(found[key] for key in SPEC_KEYS))


def parse_spec(value: Any, place: str, mistakes: list[str]) -> Spec | None:
    """Read one spec: `code_rate` (kbit/s) and `fps`, each an integer or the text of one."""
    fields = dict(_members(value, ("code_rate", "fps"), "field", place, mistakes))
    code_rate = parse_code_rate(fields["code_rate"], f"{place}.code_rate", mistakes) if "code_rate" in fields else None
    fps = parse_fps(fields["fps"], f"{place}.fps", mistakes) if "fps" in fields else None
    return None if code_rate is None or fps is None else Spec(code_rate, fps)


def parse_code_rate(value: Any, place: str, mistakes: list[str]) -> int | None:
    """Read a bit rate: 100 to 10000 kbit/s, a multiple of 100."""
    number = _integer(value)
    if number is None:
        mistakes.append(f"{place}: {shown(value)} is not a whole number of kbit/s")
    elif not CODE_RATE_MIN <= number <= CODE_RATE_MAX:
        mistakes.append(f"{place}: {shown(number)} is not between {CODE_RATE_MIN} and {CODE_RATE_MAX} kbit/s")
    elif number % CODE_RATE_STEP:
        mistakes.append(f"{place}: {number} is not a multiple of {CODE_RATE_STEP}")
    else:
        return number
    return None


def parse_fps(value: Any, place: str, mistakes: list[str]) -> int | None:
    """Read a frame rate: 30 or 60 fps."""
    number = _integer(value)
    if number in FRAME_RATES:
        return number
    mistakes.append(f"{place}: {shown(value)} is neither {' nor '.join(map(str, FRAME_RATES))} fps")
    return None


def _members(value: Any, names: Sequence[str], kind: str, place: str, mistakes: list[str]) -> Iterable[tuple[str, Any]]:
    """The known members of a dictionary that must have exactly `names`; what is unknown or missing is a mistake."""
    if not isinstance(value, Mapping):
        mistakes.append(f"{place}: {shown(value)} is not a dictionary of {', '.join(names)}")
        return []
    mistakes.extend(
        f"{place}: unknown {kind} {shown(name)} (known: {', '.join(names)})" for name in value if name not in names
    )
    mistakes.extend(f"{place}: {name} is missing" for name in names if name not in value)
    return [(name, value[name]) for name in names if name in value]


def _api_pair(element: Any, place: str, mistakes: list[str]) -> tuple[str, str] | None:
    """Network type and encoding type of one element of `instance_settings`."""
    before = len(mistakes)
    fields = dict(_members(element, ("network_type", "encoding_type", "video_spec_groups"), "field", place, mistakes))
    for name, known in (("network_type", NETWORK_TYPES), ("encoding_type", ENCODING_TYPES)):
        if name in fields and fields[name] not in known:
            mistakes.append(f"{place}.{name}: {shown(fields[name])} is unknown (known: {', '.join(known)})")
    return None if len(mistakes) > before else (fields["network_type"], fields["encoding_type"])


def _api_specs(groups: Any, place: str, mistakes: list[str]) -> Iterator[tuple[str, Spec]]:
    """The definitions in `video_spec_groups`: one element that holds all three, as in the reference's example."""
    at_groups = f"{place}.video_spec_groups"
    if not _is_list(groups) or len(groups) != 1:
        mistakes.append(f"{at_groups}: {shown(groups)} is not a list of one element with all three definitions")
        return
    at_group = f"{at_groups}[0]"
    names = tuple(f"definition_{definition}" for definition in DEFINITIONS)
    for name, value in _members(groups[0], names, "definition", at_group, mistakes):
        spec = parse_spec(value, f"{at_group}.{name}", mistakes)
        if spec is not None:
            yield name.removeprefix("definition_"), spec


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _integer(value: Any) -> int | None:
    """An integer, also as the text that surveys and INI inventories give; anything else is None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value.strip()):
        return int(value)
    return None
