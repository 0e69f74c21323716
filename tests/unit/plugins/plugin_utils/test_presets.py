# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Presets and overrides: tables, properties, and the shipped presets themselves."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.yaml import yaml_load
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils._settings import (
    CODE_RATE_MAX,
    DEFINITIONS,
    ENCODING_TYPES,
    NETWORK_TYPES,
    SPEC_KEYS,
)
from ansible_collections.koophone.fleet.plugins.plugin_utils._presets import (
    Presets,
    parse_network_presets,
    parse_overrides,
    parse_presets,
)

NAMES = ("data_saver", "balanced", "high_quality")
ROLE = Path(__file__).parents[4] / "roles" / "video_setting"
SHIPPED = yaml_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
SHIPPED_PRESETS = SHIPPED["__video_setting_presets"]
BALANCED = SHIPPED["__video_setting_network_presets"]

overrides = st.dictionaries(
    st.sampled_from(NETWORK_TYPES),
    st.dictionaries(
        st.sampled_from(ENCODING_TYPES),
        st.dictionaries(
            st.sampled_from(DEFINITIONS),
            st.fixed_dictionaries(
                {},
                optional={
                    "code_rate": st.integers(1, 100).map(lambda number: number * 100),
                    "fps": st.sampled_from((30, 60)),
                },
            ),
        ),
    ),
)


def presets(own: Any = None) -> Presets:
    mistakes: list[str] = []
    result = parse_presets(SHIPPED_PRESETS, own, "video_setting_presets", mistakes)
    assert not mistakes
    return result


def spec(name: str, *key: str) -> tuple[int, int]:
    fields = presets().by_network_type[key[0]][name]
    return fields[(key[0], key[1], key[2], "code_rate")], fields[(key[0], key[1], key[2], "fps")]


def test_shipped_presets_are_there_for_each_network_type() -> None:
    for network_type in NETWORK_TYPES:
        assert set(presets().names(network_type)) == set(NAMES)
    assert dict.fromkeys(NETWORK_TYPES, "balanced") == BALANCED


def test_shipped_presets_rise_with_definition_network_and_preset() -> None:
    for key in SPEC_KEYS:
        for lower, higher in pairwise(NAMES):
            assert spec(lower, *key) < spec(higher, *key)
            assert spec(lower, *key)[1] <= spec(higher, *key)[1]
    for name in NAMES:
        for encoding_type in ENCODING_TYPES:
            for network_type in NETWORK_TYPES:
                rates = [spec(name, network_type, encoding_type, definition)[0] for definition in DEFINITIONS]
                assert rates == sorted(set(rates))
                assert rates[-1] <= CODE_RATE_MAX
            for definition in DEFINITIONS:
                rates = [spec(name, network_type, encoding_type, definition)[0] for network_type in NETWORK_TYPES]
                assert rates == sorted(set(rates))


def test_shipped_presets_give_h265_a_third_fewer_bits_for_the_same_frame_rate() -> None:
    for name in NAMES:
        for network_type in NETWORK_TYPES:
            for definition in DEFINITIONS:
                h264, h265 = (spec(name, network_type, encoding_type, definition) for encoding_type in ENCODING_TYPES)
                assert 0.6 <= h265[0] / h264[0] <= 0.7
                assert h264[1] == h265[1]


@given(overrides, overrides)
def test_later_overrides_win_and_nothing_else_changes(first: dict[str, Any], second: dict[str, Any]) -> None:
    mistakes: list[str] = []
    lower = parse_overrides(first, "first", mistakes)
    upper = parse_overrides(second, "second", mistakes)
    assert not mistakes
    base = presets().settings(BALANCED, {})
    for key, value in presets().settings(BALANCED, {**lower, **upper}).items():
        for name, number in value._asdict().items():
            field = (*key, name)
            untouched = dict(base.items())[key]._asdict()[name]
            assert number == upper.get(field, lower.get(field, untouched))


def test_numbers_may_be_text_and_blanks_are_unset() -> None:
    mistakes: list[str] = []
    value = {"WIFI": {"H265": {"720P": {"code_rate": "6000", "fps": ""}, "540P": None}, "H264": ""}, "WIRED": ""}
    assert parse_overrides(value, "here", mistakes) == {("WIFI", "H265", "720P", "code_rate"): 6000}
    assert parse_overrides("{'WIFI': {'H265': {'720P': {'fps': '60'}}}}", "here", mistakes) == {
        ("WIFI", "H265", "720P", "fps"): 60
    }
    assert not mistakes


OVERRIDES_MISTAKES = [
    ({"WIFFI": {}}, 'here: unknown network type "WIFFI" (known: MOBILE_NETWORK, WIFI, WIRED)'),
    ({"WIFI": {"H266": {}}}, 'here.WIFI: unknown encoding type "H266" (known: H264, H265)'),
    ({"WIFI": {"H265": {"720p": {}}}}, 'here.WIFI.H265: unknown definition "720p" (known: 540P, 720P, 1080P)'),
    ({"WIFI": {"H265": {"720P": {"rate": 1}}}}, 'here.WIFI.H265.720P: unknown field "rate" (known: code_rate, fps)'),
    (
        {"WIFI": {"H265": {"720P": {"code_rate": 6050}}}},
        "here.WIFI.H265.720P.code_rate: 6050 is not a multiple of 100",
    ),
    ({"WIFI": {"H265": {"720P": {"fps": 50}}}}, "here.WIFI.H265.720P.fps: 50 is neither 30 nor 60 fps"),
    ({"WIFI": {"H265": {"720P": 6000}}}, "here.WIFI.H265.720P: 6000 is not a dictionary of code_rate, fps"),
    ([], "here: [] is not a dictionary of MOBILE_NETWORK, WIFI, WIRED"),
]


@pytest.mark.parametrize(("value", "expected"), OVERRIDES_MISTAKES)
def test_mistakes_in_overrides(value: Any, expected: str) -> None:
    mistakes: list[str] = []
    parse_overrides(value, "here", mistakes)
    assert mistakes == [expected]


def test_own_presets_stand_beside_the_shipped_ones_or_change_them() -> None:
    own = {
        "WIFI": {
            "balanced": {"H265": {"720P": {"code_rate": "3000"}}},
            "kiosk": SHIPPED_PRESETS["WIFI"]["data_saver"],
        }
    }
    result = presets(own)
    assert result.names("WIFI") == ["balanced", "data_saver", "high_quality", "kiosk"]
    assert result.names("WIRED") == ["balanced", "data_saver", "high_quality"]
    changed = result.settings({**BALANCED, "WIFI": "balanced"}, {}).differences(presets().settings(BALANCED, {}))
    assert [(str(key), str(mine)) for key, mine, _theirs in changed] == [("WIFI H265 720P", "3000 kbit/s, 60 fps")]
    assert result.by_network_type["WIFI"]["kiosk"] == presets().by_network_type["WIFI"]["data_saver"]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"WIFI": {"kiosk": {}}}, "here.WIFI.kiosk: incomplete, without H264, H265"),
        (
            {
                "WIFI": {
                    "kiosk": {**SHIPPED_PRESETS["WIFI"]["balanced"], "H265": {"540P": {"fps": 30}, "720P": {"fps": 30}}}
                }
            },
            "here.WIFI.kiosk: incomplete, without H265 540P code_rate, H265 720P code_rate, H265 1080P",
        ),
        ({"WIFI": {"kiosk": {"H264": {"540P": {"fps": 31}}}}}, "here.WIFI.kiosk.H264.540P.fps: 31 is neither"),
        ({"WLAN": {}}, 'here: unknown network type "WLAN"'),
        ({"WIFI": {3: {}}}, "here.WIFI: 3 is no name for a preset; quote it"),
        ({"WIFI": ["kiosk"]}, 'here.WIFI: ["kiosk"] is not a dictionary of presets by name'),
    ],
)
def test_mistakes_in_own_presets(own: Any, expected: str) -> None:
    mistakes: list[str] = []
    parse_presets(SHIPPED_PRESETS, own, "here", mistakes)
    assert len(mistakes) == 1
    assert mistakes[0].startswith(expected)


def test_choosing_presets() -> None:
    mistakes: list[str] = []
    value = {"WIFI": "high_quality", "WIRED": "", "MOBILE_NETWORK": None}
    assert parse_network_presets(value, presets(), "here", mistakes) == {"WIFI": "high_quality"}
    assert not mistakes
    parse_network_presets({"WIFI": "hq", "WIRED": 3, "LTE": "balanced"}, presets(), "here", mistakes)
    known = "balanced, data_saver, high_quality"
    assert mistakes == [
        'here: unknown network type "LTE" (known: MOBILE_NETWORK, WIFI, WIRED)',
        f'here.WIFI: unknown preset "hq" (known for WIFI: {known})',
        f"here.WIRED: unknown preset 3 (known for WIRED: {known})",
    ]
