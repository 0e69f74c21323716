# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils._settings import (
    Settings,
    parse_api_settings,
    parse_settings,
)
from ansible_collections.koophone.fleet.tests.unit.plugins.module_utils.samples import (
    CODECS,
    DEFINITIONS,
    KEYS,
    NETWORKS,
    Key,
    any_settings,
    api_form,
    json_values,
    nested,
    places,
    settings,
)


def parsed(value: Any) -> Settings:
    mistakes: list[str] = []
    result = parse_settings(value, "s", mistakes)
    assert mistakes == []
    assert result is not None
    return result


def parsed_api(value: Any) -> Settings:
    mistakes: list[str] = []
    result = parse_api_settings(value, "s", mistakes)
    assert mistakes == []
    assert result is not None
    return result


def mistakes_of(value: Any) -> list[str]:
    mistakes: list[str] = []
    assert parse_settings(value, "s", mistakes) is None
    return mistakes


def api_mistakes_of(value: Any) -> list[str]:
    mistakes: list[str] = []
    assert parse_api_settings(value, "s", mistakes) is None
    return mistakes


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same dictionaries, their members in another order."""
    if not isinstance(value, dict):
        return value
    members = list(value.items())
    rng.shuffle(members)
    return {name: shuffled(member, rng) for name, member in members}


# --- values ----------------------------------------------------------------------------------------------------------


def test_every_spec_is_read_into_its_own_place() -> None:
    value = nested()
    expected = {}
    for number, (network, codec, definition) in enumerate(KEYS, start=1):
        fps = 30 if number % 2 else 60
        value[network][codec][definition] = {"code_rate": number * 100, "fps": fps}
        expected[f"{network} {codec} {definition}"] = (number * 100, fps)
    assert {str(key): tuple(spec) for key, spec in parsed(value).items()} == expected


def test_canonical_form_and_digest_never_change_between_releases() -> None:
    # State stores and approved plans of earlier releases hold them.
    value = settings(changes={("WIFI", "H265", "720P"): (4000, 30)})
    pairs = ["[6000,60]"] * 10 + ["[4000,30]"] + ["[6000,60]"] * 7
    assert value.canonical == f"[{','.join(pairs)}]"
    assert value.digest == "e586ec4904677523c5748fd7b099c83e972f1db4d391e1eed1a9a3007e04a239"


@given(any_settings)
def test_nested_form_round_trips(value: Settings) -> None:
    assert parsed(value.nested()) == value


@given(any_settings)
def test_api_form_round_trips(value: Settings) -> None:
    assert parsed_api(value.api()) == value


@given(any_settings)
def test_canonical_form_round_trips(value: Settings) -> None:
    assert Settings.from_canonical(value.canonical) == value


@given(any_settings)
def test_api_form_is_what_the_reference_asks_for(value: Settings) -> None:
    elements = json.loads(json.dumps(value.api()))
    assert [(e["network_type"], e["encoding_type"]) for e in elements] == [(n, c) for n in NETWORKS for c in CODECS]
    for element in elements:
        assert set(element) == {"network_type", "encoding_type", "video_spec_groups"}
        (specs,) = element["video_spec_groups"]
        assert list(specs) == [f"definition_{definition}" for definition in DEFINITIONS]
        for spec in specs.values():
            assert set(spec) == {"code_rate", "fps"}
            assert all(isinstance(number, int) for number in spec.values())


@given(any_settings, any_settings)
def test_digests_are_equal_for_equal_settings_only(one: Settings, other: Settings) -> None:
    assert (one.digest == other.digest) == (one == other) == (one.canonical == other.canonical)
    assert one.digest == Settings(one.specs).digest


@given(any_settings, st.sampled_from(KEYS), st.sampled_from(["code_rate", "fps"]))
def test_any_other_number_gives_another_digest(value: Settings, key: Key, field: str) -> None:
    changed = value.nested()
    spec = changed[key[0]][key[1]][key[2]]
    spec[field] = {"fps": 90 - spec["fps"], "code_rate": spec["code_rate"] % 10000 + 100}[field]
    assert parsed(changed).digest != value.digest


@given(any_settings, st.randoms(use_true_random=False))
def test_order_of_members_makes_no_difference(value: Settings, rng: random.Random) -> None:
    assert parsed(shuffled(value.nested(), rng)).canonical == value.canonical
    elements = [shuffled(element, rng) for element in value.api()]
    rng.shuffle(elements)
    assert parsed_api(elements).canonical == value.canonical


@given(any_settings)
def test_numbers_may_be_text_as_surveys_and_ini_files_give(value: Settings) -> None:
    def as_text(member: Any) -> Any:
        return {n: as_text(m) for n, m in member.items()} if isinstance(member, dict) else str(member)

    assert parsed(as_text(value.nested())) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        "[]",
        "7",
        "not json",
        json.dumps([[6000, 60]] * 17),
        json.dumps([[6000, 60]] * 19),
        json.dumps([[6000]] * 18),
        json.dumps([[6000, 60, 1]] * 18),
        json.dumps([["x", 60]] * 18),
        json.dumps([[None, 60]] * 18),
        json.dumps([6000] * 18),
    ],
)
def test_what_is_not_the_canonical_form_is_not_taken_for_settings(text: str) -> None:
    with pytest.raises(ValueError, match="not the canonical form"):
        Settings.from_canonical(text)


# --- comparison ------------------------------------------------------------------------------------------------------


@given(any_settings, any_settings)
def test_differences_are_exactly_the_specs_that_differ(one: Settings, other: Settings) -> None:
    mine, theirs = dict(one.items()), dict(other.items())
    different = one.differences(other)
    assert [key for key, _mine, _theirs in different] == [key for key in mine if mine[key] != theirs[key]]
    assert all(mine[key] == spec and theirs[key] == wanted for key, spec, wanted in different)
    assert (different == []) == (one == other)


def test_lines_are_sorted_and_read_well() -> None:
    lines = settings(changes={("WIFI", "H265", "720P"): (4000, 30)}).lines()
    assert len(lines) == 18
    assert lines == sorted(lines)
    assert "WIFI H265 720P: 4000 kbit/s, 30 fps" in lines
    assert "WIRED H264 1080P: 6000 kbit/s, 60 fps" in lines


# --- mistakes --------------------------------------------------------------------------------------------------------

GOOD_CODE_RATES = [100, 200, 5000, 9900, 10000, "100", "10000", " 6000 ", "06000"]
BAD_CODE_RATES = [
    0,
    99,
    101,
    150,
    6050,
    10001,
    10100,
    -100,
    10**30,
    "0",
    "6050",
    "-100",
    "",
    " ",
    "6000 kbit/s",
    "6e3",
    "0x64",
    "６０００",  # full-width digits
    "6_000",
    "9" * 5000,
    6000.0,
    100.5,
    float("nan"),
    float("inf"),
    True,
    False,
    None,
    [6000],
    {"value": 6000},
]
GOOD_FRAME_RATES = [30, 60, "30", "60", " 60 "]
BAD_FRAME_RATES = [0, 1, 29, 31, 59, 61, 90, -30, "", "45", "60.0", "9" * 5000, 60.0, True, None, [30], {}]


@pytest.mark.parametrize("value", GOOD_CODE_RATES, ids=repr)
def test_good_code_rate(value: Any) -> None:
    assert parsed(nested(code_rate=value)) == settings(code_rate=int(value))


@pytest.mark.parametrize("value", BAD_CODE_RATES, ids=lambda value: repr(value)[:20])
def test_bad_code_rate_is_a_mistake_at_its_place(value: Any) -> None:
    mistakes = mistakes_of(nested(changes={("WIFI", "H265", "720P"): {"code_rate": value}}))
    assert places(mistakes) == ["s.WIFI.H265.720P.code_rate"]
    assert len(mistakes[0]) < 200


@pytest.mark.parametrize("value", GOOD_FRAME_RATES, ids=repr)
def test_good_frame_rate(value: Any) -> None:
    assert parsed(nested(fps=value)) == settings(fps=int(value))


@pytest.mark.parametrize("value", BAD_FRAME_RATES, ids=lambda value: repr(value)[:20])
def test_bad_frame_rate_is_a_mistake_at_its_place(value: Any) -> None:
    mistakes = mistakes_of(nested(changes={("WIRED", "H264", "1080P"): {"fps": value}}))
    assert places(mistakes) == ["s.WIRED.H264.1080P.fps"]
    assert len(mistakes[0]) < 200


def test_bit_rate_that_is_no_multiple_reads_as_documented() -> None:
    mistakes = mistakes_of(nested(changes={("WIFI", "H265", "720P"): {"code_rate": 6050}}))
    assert mistakes == ["s.WIFI.H265.720P.code_rate: 6050 is not a multiple of 100"]


BREAKS = ["bad code_rate", "bad fps", "no code_rate", "no fps", "unknown field", "no spec", "spec is text"]


def break_spec(value: dict[str, Any], key: Key, how: str) -> str:
    """Break one spec; returns the place of the mistake."""
    network, codec, definition = key
    place = f"s.{network}.{codec}.{definition}"
    definitions = value[network][codec]
    spec = definitions[definition]
    if how == "bad code_rate":
        spec["code_rate"] = 150
        return f"{place}.code_rate"
    if how == "bad fps":
        spec["fps"] = 45
        return f"{place}.fps"
    if how == "no spec":
        del definitions[definition]
        return f"s.{network}.{codec}"
    if how == "spec is text":
        definitions[definition] = "6000"
    elif how == "unknown field":
        spec["bitrate"] = 6000
    else:
        del spec[how.removeprefix("no ")]
    return place


@given(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(BREAKS), min_size=1))
def test_any_mistakes_are_reported_all_at_once_and_each_at_its_place(broken: dict[Key, str]) -> None:
    value = nested()
    expected = sorted(break_spec(value, key, how) for key, how in broken.items())
    assert places(mistakes_of(value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ["s: null is not a dictionary of MOBILE_NETWORK, WIFI, WIRED"]),
        ([], ["s: [] is not a dictionary of MOBILE_NETWORK, WIFI, WIRED"]),
        ("", ['s: "" is not a dictionary of MOBILE_NETWORK, WIFI, WIRED']),
        ({}, ["s: MOBILE_NETWORK is missing", "s: WIFI is missing", "s: WIRED is missing"]),
        (
            {**nested(), "wifi": {}},
            ['s: unknown network type "wifi" (known: MOBILE_NETWORK, WIFI, WIRED)'],
        ),
        (
            {**nested(), "WIFI": {"H264": nested()["WIFI"]["H264"], "H.265": {}}},
            ['s.WIFI: unknown encoding type "H.265" (known: H264, H265)', "s.WIFI: H265 is missing"],
        ),
        (
            {**nested(), "WIRED": {"H264": nested()["WIRED"]["H264"], "H265": {"720p": {}}}},
            [
                's.WIRED.H265: unknown definition "720p" (known: 540P, 720P, 1080P)',
                "s.WIRED.H265: 540P is missing",
                "s.WIRED.H265: 720P is missing",
                "s.WIRED.H265: 1080P is missing",
            ],
        ),
        (
            {**nested(), "WIRED": None},
            ["s.WIRED: null is not a dictionary of H264, H265"],
        ),
    ],
    ids=["null", "list", "text", "empty", "network type", "encoding type", "definition", "null member"],
)
def test_what_is_unknown_or_missing_is_named(value: Any, expected: list[str]) -> None:
    assert mistakes_of(value) == expected


def api_case(change: Any) -> list[dict[str, Any]]:
    value = api_form()
    change(value)
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ["s"]),
        ("text", ["s"]),
        ({"network_type": "WIFI"}, ["s"]),
        ([], ["s"] * 6),
        (api_case(lambda v: v.pop(3)), ["s"]),
        (api_case(lambda v: v.append(copy.deepcopy(v[0]))), ["s[6]"]),
        (api_case(lambda v: v[2].update(network_type="wifi")), ["s[2].network_type"]),
        (api_case(lambda v: v[2].update(encoding_type=265)), ["s[2].encoding_type"]),
        (
            api_case(lambda v: v[2].update(network_type=[], encoding_type={})),
            ["s[2].encoding_type", "s[2].network_type"],
        ),
        (api_case(lambda v: v[2].update(extra=1)), ["s[2]"]),
        (api_case(lambda v: v[2].pop("video_spec_groups")), ["s[2]"]),
        (api_case(lambda v: v.__setitem__(2, "WIFI")), ["s[2]"]),
        (api_case(lambda v: v[2].update(video_spec_groups=[])), ["s[2].video_spec_groups"]),
        (api_case(lambda v: v[2].update(video_spec_groups={})), ["s[2].video_spec_groups"]),
        (api_case(lambda v: v[2]["video_spec_groups"].append({})), ["s[2].video_spec_groups"]),
        (api_case(lambda v: v[2].update(video_spec_groups=[None])), ["s[2].video_spec_groups[0]"]),
        (api_case(lambda v: v[2]["video_spec_groups"][0].pop("definition_720P")), ["s[2].video_spec_groups[0]"]),
        (api_case(lambda v: v[2]["video_spec_groups"][0].update({"720P": {}})), ["s[2].video_spec_groups[0]"]),
        (
            api_case(lambda v: v[5]["video_spec_groups"][0]["definition_540P"].update(code_rate=1, fps=1)),
            [
                "s[5].video_spec_groups[0].definition_540P.code_rate",
                "s[5].video_spec_groups[0].definition_540P.fps",
            ],
        ),
    ],
)
def test_mistakes_in_the_api_form_are_reported_at_their_places(value: Any, expected: list[str]) -> None:
    assert places(api_mistakes_of(value)) == expected


@given(json_values)
def test_whatever_is_given_is_either_settings_or_a_mistake(value: Any) -> None:
    for parse in (parse_settings, parse_api_settings):
        mistakes: list[str] = []
        assert (parse(value, "s", mistakes) is None) == bool(mistakes)


@given(json_values, st.sampled_from(KEYS))
def test_whatever_stands_for_one_spec_is_a_mistake_below_it(value: Any, key: Key) -> None:
    document = nested()
    document[key[0]][key[1]][key[2]] = value
    assert all(place.startswith(f"s.{'.'.join(key)}") for place in places(mistakes_of(document)))


def test_earlier_mistakes_of_others_do_not_spoil_good_settings() -> None:
    mistakes = ["elsewhere: wrong"]
    assert parse_settings(nested(), "s", mistakes) == settings()
    assert parse_api_settings(api_form(), "s", mistakes) == settings()
    assert mistakes == ["elsewhere: wrong"]
