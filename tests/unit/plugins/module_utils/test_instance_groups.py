# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import (
    InstanceGroup,
    parse_instance_groups,
    parse_instance_ids,
)
from ansible_collections.koophone.fleet.tests.unit.plugins.module_utils.samples import (
    api_form,
    json_values,
    nested,
    places,
    settings,
)


def no_file(path: str) -> str:
    raise AssertionError(f"{path} was read")


def a_group(name: str = "kiosks", ids: Any = ("a", "b"), **fields: Any) -> dict[str, Any]:
    value = {"name": name, "instance_ids": list(ids), "settings": nested(), **fields}
    return {field: member for field, member in value.items() if member is not ...}


def parsed(*groups: Any, read_file: Callable[[str], str] = no_file) -> list[InstanceGroup]:
    mistakes: list[str] = []
    result = parse_instance_groups(list(groups), read_file, mistakes)
    assert mistakes == []
    return result


def mistakes_of(value: Any, read_file: Callable[[str], str] = no_file) -> list[str]:
    mistakes: list[str] = []
    parse_instance_groups(value, read_file, mistakes)
    assert mistakes
    return mistakes


def read_members(text: str) -> tuple[str, ...]:
    (group,) = parsed(a_group(ids=[], instance_ids_file="/ids"), read_file=lambda _path: text)
    return group.instance_ids


# --- what is understood ----------------------------------------------------------------------------------------------


def test_both_forms_of_settings_mean_the_same() -> None:
    (group,) = parsed(a_group(region="cn-north-4"))
    assert group == InstanceGroup("kiosks", ("a", "b"), "cn-north-4", settings())
    assert parsed(a_group(region="cn-north-4", settings=..., instance_settings=api_form())) == [group]


@pytest.mark.parametrize("absent", [None, ...])
def test_null_counts_as_not_given(absent: Any) -> None:
    value = a_group(region=absent, instance_ids_file=absent, instance_settings=absent)
    assert parsed(value) == [InstanceGroup("kiosks", ("a", "b"), None, settings())]


def test_blank_region_counts_as_not_given() -> None:
    assert parsed(a_group(region=""))[0].region is None


def test_no_groups_and_no_members_are_no_mistakes() -> None:
    assert parsed() == []
    assert parsed(a_group(ids=[]))[0].instance_ids == ()


@given(st.lists(st.sampled_from("abcdef")))
def test_duplicate_ids_are_folded_and_the_order_is_kept(ids: list[str]) -> None:
    mistakes: list[str] = []
    assert parse_instance_ids(ids, "ids", mistakes) == tuple(dict.fromkeys(ids))
    assert mistakes == []


def test_ids_of_list_and_file_are_folded_into_one() -> None:
    (group,) = parsed(
        a_group(ids=["a", "b"], instance_ids_file="/ids"), read_file=lambda path: {"/ids": "b\nc\n"}[path]
    )
    assert group.instance_ids == ("a", "b", "c")


def test_an_id_may_have_32_characters() -> None:
    assert parsed(a_group(ids=["x" * 32]))[0].instance_ids == ("x" * 32,)


# --- ids from files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("\n\n", ()),
        ("a", ("a",)),
        ("a\nb\n", ("a", "b")),
        ("a\r\nb\r\n", ("a", "b")),
        ("a\rb", ("a", "b")),
        ("  a  \n\tb\n", ("a", "b")),
        ("# all of them\na # the first\n#b\n  # c\nd\n", ("a", "d")),
        ("a#1\nb\t# second\n", ("a#1", "b")),
        ("b\na\nb\n", ("b", "a")),
    ],
)
def test_file_has_one_id_a_line_with_comments(text: str, expected: tuple[str, ...]) -> None:
    assert read_members(text) == expected


def test_bad_lines_of_a_file_are_named_by_their_numbers() -> None:
    text = f"a\n\n# comment\nb c\n{'x' * 33}\nd,\ne\u200b\n"
    mistakes = mistakes_of([a_group(ids=[], instance_ids_file="/ids")], read_file=lambda _path: text)
    place = "instance_groups[0].instance_ids_file"
    assert [mistake.partition(": ")[0] for mistake in mistakes] == [f"{place}, line {n}" for n in (4, 5, 7)]


@pytest.mark.parametrize("path", ["ids.txt", "./ids", "~/ids", "", 7, ["/ids"], True])
def test_file_has_to_be_an_absolute_path(path: Any) -> None:
    mistakes = mistakes_of([a_group(instance_ids_file=path)])
    assert places(mistakes) == ["instance_groups[0].instance_ids_file"]
    assert "is not an absolute path" in mistakes[0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory"), "No such file or directory"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (IsADirectoryError(21, "Is a directory"), "Is a directory"),
        (OSError("odd"), "odd"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "is not a UTF-8 text file"),
        (ValueError("embedded null byte"), "embedded null byte"),
    ],
)
def test_file_that_cannot_be_read_is_a_mistake(error: Exception, reason: str) -> None:
    def fail(_path: str) -> str:
        raise error

    mistakes = mistakes_of([a_group(instance_ids_file="/ids")], read_file=fail)
    assert places(mistakes) == ["instance_groups[0].instance_ids_file"]
    assert '"/ids"' in mistakes[0]
    assert reason in mistakes[0]


# --- mistakes --------------------------------------------------------------------------------------------------------

BAD_IDS = [
    "",
    " ",
    "a b",
    " a",
    "a\n",
    "a\tb",
    "a\x00",
    "a\x1b[31m",
    "a\u00a0",
    "a\u200b",
    "\ufeffa",
    "\ud800",
    "x" * 33,
    12345,
    1234500000.0,
    True,
    None,
    ["a"],
    {"id": "a"},
]


@pytest.mark.parametrize("instance_id", BAD_IDS, ids=repr)
def test_bad_id_is_a_mistake_at_its_place(instance_id: Any) -> None:
    mistakes = mistakes_of([a_group(ids=["good", instance_id, "fine"])])
    assert places(mistakes) == ["instance_groups[0].instance_ids[1]"]
    assert "\n" not in mistakes[0]


def test_an_id_that_is_a_number_asks_for_quotes() -> None:
    # 12345e10 without quotes in an inventory.
    mistakes = mistakes_of([a_group(ids=[123450000000000.0])])
    assert mistakes == ["instance_groups[0].instance_ids[0]: 123450000000000.0 is not a string; quote it"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ["instance_groups"]),
        ({}, ["instance_groups"]),
        ("kiosks", ["instance_groups"]),
        (["kiosks"], ["instance_groups[0]"]),
        ([a_group(), None], ["instance_groups[1]"]),
        ([{}], ["instance_groups[0]", "instance_groups[0]", "instance_groups[0].name"]),
        ([a_group(name=...)], ["instance_groups[0].name"]),
        ([a_group(name=None)], ["instance_groups[0].name"]),
        ([a_group(name="")], ["instance_groups[0].name"]),
        ([a_group(name=" ")], ["instance_groups[0].name"]),
        ([a_group(name="a\nb")], ["instance_groups[0].name"]),
        ([a_group(name=7)], ["instance_groups[0].name"]),
        ([a_group(), a_group(ids=["c"])], ["instance_groups[1].name"]),
        ([a_group(region=7)], ["instance_groups[0].region"]),
        ([a_group(region="cn\nnorth")], ["instance_groups[0].region"]),
        ([{**a_group(), "instance_ids": "a"}], ["instance_groups[0].instance_ids"]),
        ([{**a_group(), "instance_ids": {"a": 1}}], ["instance_groups[0].instance_ids"]),
        ([{**a_group(), "instance_ids": None}], ["instance_groups[0]"]),
        ([a_group(setings=nested())], ["instance_groups[0]"]),
        ([a_group(settings=...)], ["instance_groups[0]"]),
        ([a_group(instance_settings=api_form())], ["instance_groups[0]"]),
        ([a_group(settings="high")], ["instance_groups[0].settings"]),
        ([a_group(settings=..., instance_settings="high")], ["instance_groups[0].instance_settings"]),
    ],
)
def test_mistake_is_reported_at_its_place(value: Any, expected: list[str]) -> None:
    assert places(mistakes_of(value)) == sorted(expected)


MISTAKES: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "unknown option": ("", lambda group: group.update(network_presets={})),
    "name": (".name", lambda group: group.update(name=7)),
    "region": (".region", lambda group: group.update(region=["cn-north-4"])),
    "id": (".instance_ids[2]", lambda group: group["instance_ids"].__setitem__(2, 12345)),
    "other id": (".instance_ids[0]", lambda group: group["instance_ids"].__setitem__(0, "a b")),
    "file": (".instance_ids_file", lambda group: group.update(instance_ids_file="relative")),
    "bit rate": (
        ".settings.WIFI.H265.720P.code_rate",
        lambda g: g["settings"]["WIFI"]["H265"]["720P"].update(code_rate=6050),
    ),
    "frame rate": (".settings.WIRED.H264.540P.fps", lambda g: g["settings"]["WIRED"]["H264"]["540P"].update(fps="24")),
    "missing": (".settings.MOBILE_NETWORK", lambda group: group["settings"]["MOBILE_NETWORK"].pop("H264")),
}


@given(st.lists(st.sets(st.sampled_from(sorted(MISTAKES))), min_size=1, max_size=5).filter(any))
def test_any_mistakes_across_groups_are_reported_all_at_once_and_each_at_its_place(chosen: list[set[str]]) -> None:
    value, expected = [], []
    for index, names in enumerate(chosen):
        group = a_group(name=f"group {index}", ids=[f"{index}-{number}" for number in range(3)])
        for name in names:
            place, make = MISTAKES[name]
            make(group)
            expected.append(f"instance_groups[{index}]{place}")
        value.append(group)
    assert places(mistakes_of(value)) == sorted(expected)


@given(json_values)
def test_whatever_is_given_as_groups_never_goes_wrong(value: Any) -> None:
    mistakes: list[str] = []
    assert parse_instance_groups(value, no_file, mistakes) == [] or mistakes == []


@given(st.sampled_from(["name", "instance_ids", "region", "settings", "instance_settings"]), json_values)
def test_whatever_is_given_as_a_field_is_taken_or_a_mistake_below_its_group(field: str, value: Any) -> None:
    group = a_group()
    group[field] = value
    mistakes: list[str] = []
    parse_instance_groups([group], no_file, mistakes)
    assert all(mistake.startswith("instance_groups[0]") for mistake in mistakes)


def test_what_is_given_stays_as_it_was() -> None:
    value = [a_group(), a_group("others", ["a", "a", "c"])]
    before = copy.deepcopy(value)
    parsed(*value)
    assert value == before


# --- one instance in two groups --------------------------------------------------------------------------------------


def test_an_instance_in_two_groups_that_want_the_same_is_no_mistake() -> None:
    groups = parsed(a_group("one", ["a", "b"], region="r"), a_group("two", ["b", "c"], region="r"))
    assert [group.instance_ids for group in groups] == [("a", "b"), ("b", "c")]


def test_an_instance_in_two_groups_with_other_settings_is_a_mistake_that_names_both() -> None:
    (mistake,) = mistakes_of([a_group("one", "ab"), a_group("two", "bc", settings=nested(4000))])
    assert mistake.startswith('instance_groups[1]: 1 of the instances in "two" ("b")')
    assert 'also in "one" (instance_groups[0]) with other settings' in mistake


@pytest.mark.parametrize("region", [..., "cn-south-1"])
def test_an_instance_in_two_regions_is_a_mistake_that_names_both(region: Any) -> None:
    (mistake,) = mistakes_of([a_group("one", "ab", region="cn-north-4"), a_group("two", "bc", region=region)])
    assert mistake.startswith('instance_groups[1]: 1 of the instances in "two" ("b")')
    assert 'also in "one" (instance_groups[0]) with another region' in mistake


def test_many_instances_in_two_groups_are_one_mistake_with_a_few_examples() -> None:
    ids = [f"instance-{number}" for number in range(1000)]
    (mistake,) = mistakes_of([a_group("one", ids), a_group("two", ids, settings=nested(4000))])
    assert "1000 of the instances" in mistake
    assert len(mistake) < 300


def test_every_pair_of_clashing_groups_is_named() -> None:
    groups = [a_group(f"g{n}", "a", settings=nested(1000 + 100 * n)) for n in range(3)]
    mistakes = mistakes_of(groups)
    assert places(mistakes) == ["instance_groups[1]", "instance_groups[2]"]
    assert all('"g0"' in mistake for mistake in mistakes)


def test_clashes_are_reported_together_with_other_mistakes() -> None:
    value = [a_group("one", "ab"), a_group("two", "bc", settings=nested(4000)), a_group("three", [7])]
    assert places(mistakes_of(value)) == ["instance_groups[1]", "instance_groups[2].instance_ids[0]"]
