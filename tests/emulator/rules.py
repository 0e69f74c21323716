# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules that the API page sets for the bodies of requests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from .codes import RefusalError
from .config import MAX_IDS, is_integer

NETWORK_TYPES = ("MOBILE_NETWORK", "WIFI", "WIRED")
ENCODING_TYPES = ("H264", "H265")
DEFINITIONS = ("540P", "720P", "1080P")
MAX_ID_LENGTH = 32
CODE_RATE_MIN, CODE_RATE_MAX, CODE_RATE_STEP = 100, 10000, 100
FRAME_RATES = (30, 60)

Spec = dict[str, int]
Settings = dict[str, dict[str, dict[str, Spec]]]


@dataclass(frozen=True)
class SettingsRequest:
    """A body of the video-setting call that breaks no rule."""

    instance_ids: list[str]
    settings: Settings


def digest_of(settings: Settings) -> str:
    """The emulator's own digest: SHA-256 over canonical JSON of the nested settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def parse_json(body: bytes) -> Any:
    """The document in a body. A key given twice, NaN and the like are no JSON here."""
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise wrong("the body is not valid JSON") from error


def wrong(place: str) -> RefusalError:
    """The refusal of a parameter."""
    return RefusalError(HTTPStatus.BAD_REQUEST, "KOOPHONE.API.1000", place)


def check_content_type(value: str | None) -> None:
    """Refuse a body that is not declared as JSON."""
    if value is None:
        raise RefusalError(HTTPStatus.OK, "KOOPHONE.API.0005", "Content-Type")
    if value.partition(";")[0].strip().lower() != "application/json":
        raise wrong("Content-Type is not application/json")


def read_settings_request(document: Any) -> SettingsRequest:
    """The body of the video-setting call."""
    body = _object(document, "body", "instance_ids", "instance_settings")
    return SettingsRequest(_instance_ids(body), read_settings(body))


def read_ids_request(document: Any) -> list[str]:
    """The body of the calls that take nothing but instance ids."""
    return _instance_ids(_object(document, "body", "instance_ids"))


def read_settings(body: dict[str, Any]) -> Settings:
    """The member ``instance_settings`` of a body, in the nested form with keys ``540P``, ``720P``, ``1080P``."""
    elements = body.get("instance_settings")
    expected = len(NETWORK_TYPES) * len(ENCODING_TYPES)
    if not isinstance(elements, list) or len(elements) != expected:
        raise wrong(f"instance_settings does not have exactly {expected} elements")
    found: dict[tuple[str, str], dict[str, Spec]] = {}
    for index, element in enumerate(elements):
        place = f"instance_settings[{index}]"
        member = _object(element, place, "network_type", "encoding_type", "video_spec_groups")
        pair = (
            _one_of(member["network_type"], NETWORK_TYPES, f"{place}.network_type"),
            _one_of(member["encoding_type"], ENCODING_TYPES, f"{place}.encoding_type"),
        )
        if pair in found:
            raise wrong(f"{place} repeats {pair[0]} {pair[1]}")
        found[pair] = _spec_group(member["video_spec_groups"], f"{place}.video_spec_groups")
    return {network: {codec: found[network, codec] for codec in ENCODING_TYPES} for network in NETWORK_TYPES}


def _instance_ids(body: dict[str, Any]) -> list[str]:
    ids = body["instance_ids"]
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_IDS:
        raise wrong(f"instance_ids does not have 1 to {MAX_IDS} elements")
    for index, instance_id in enumerate(ids):
        if not isinstance(instance_id, str) or not 1 <= len(instance_id) <= MAX_ID_LENGTH:
            raise wrong(f"instance_ids[{index}] is not a string of 1 to {MAX_ID_LENGTH} characters")
    return ids


def _spec_group(groups: Any, place: str) -> dict[str, Spec]:
    # The documented example has one element; what two would mean is not said, so that nobody should send two.
    if not isinstance(groups, list) or len(groups) != 1:
        raise wrong(f"{place} does not have exactly one element")
    group = _object(groups[0], f"{place}[0]", *(f"definition_{name}" for name in DEFINITIONS))
    return {name: _spec(group[f"definition_{name}"], f"{place}[0].definition_{name}") for name in DEFINITIONS}


def _spec(value: Any, place: str) -> Spec:
    spec = _object(value, place, "code_rate", "fps")
    code_rate, fps = spec["code_rate"], spec["fps"]
    if not is_integer(code_rate) or not CODE_RATE_MIN <= code_rate <= CODE_RATE_MAX or code_rate % CODE_RATE_STEP:
        raise wrong(f"{place}.code_rate")
    if not is_integer(fps) or fps not in FRAME_RATES:
        raise wrong(f"{place}.fps")
    return {"code_rate": code_rate, "fps": fps}


def _object(value: Any, place: str, *keys: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong(f"{place} is not an object")
    if len(value) != len(keys) or any(key not in value for key in keys):
        raise wrong(f"{place} does not have exactly the members {', '.join(keys)}")
    return value


def _one_of(value: Any, allowed: tuple[str, ...], place: str) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise wrong(f"{place} is none of {', '.join(allowed)}")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is given twice")
    return result


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
