# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances as host variables: SKUs, statuses, filters; and the names of hosts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.plugin_utils._host_names import fit, host_names
from ansible_collections.koophone.fleet.plugins.plugin_utils._instances import (
    Selection,
    host_variables,
    parse_names,
    trimmed,
)
from ansible_collections.koophone.fleet.plugins.plugin_utils._names import misspelt


@pytest.mark.parametrize(
    ("sku", "expected"),
    [
        ("Professional edition | 8 vCPUs | 16 GB | 128 GB | 1080P", ("Professional", 8, 16, "1080P")),
        ("Basic | 4 vCPU | 6.5 GB | 720p/1080p", ("Basic", 4, 6.5, "1080P")),
        ("专业版 | 8核 | 16GB", ("专业", 8, 16, None)),
        ("8 vCPUs | 16 GB", (None, 8, 16, None)),
        ("Edition", (None, None, None, None)),
        ("kp.pro.1", ("kp.pro.1", None, None, None)),
        ("", (None, None, None, None)),
        (None, (None, None, None, None)),
        (17, (None, None, None, None)),
    ],
)
def test_the_text_of_a_sku(sku: Any, expected: tuple[Any, ...]) -> None:
    variables = host_variables({"instance_id": "a", "instance_sku": sku})
    names = ("koophone_edition", "koophone_cores", "koophone_memory_gb", "koophone_resolution")
    assert tuple(variables[name] for name in names) == expected
    assert variables["koophone_sku"] == sku


@pytest.mark.parametrize(
    ("status", "word"),
    [
        *enumerate(["unknown", "stopped", "running", "going_offline", "starting", "shut_down"]),
        ("2", "running"),
        (6, "unknown"),
        (-1, "unknown"),
        (None, "unknown"),
        ("?", "unknown"),
    ],
)
def test_running_status(status: Any, word: str) -> None:
    assert host_variables({"running_status": status})["koophone_running_status"] == word


@pytest.mark.parametrize(
    ("status", "frozen"), [(0, False), (1, True), ("0", False), ("1", True), (2, True), (None, False)]
)
def test_frozen(status: Any, frozen: bool) -> None:
    assert host_variables({"frozen_status": status})["koophone_frozen"] is frozen


def test_names_of_variables() -> None:
    variables = host_variables({})
    assert all(name.startswith("koophone_") for name in variables)
    # The role refuses names that are nearly its own.
    assert misspelt(variables) == []


def test_only_what_is_documented_is_kept() -> None:
    assert trimmed({"instance_id": "a", "session_secret": "x"}) == {"instance_id": "a"}


EVERYTHING = Selection((), (), (), False)
KIOSK = host_variables(
    {"instance_id": "a", "instance_name": "kiosk-1", "region": "r", "running_status": 2, "frozen_status": 0}
)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, True),
        ({"regions": ["r", "s"]}, True),
        ({"regions": ["s"]}, False),
        ({"statuses": ["running"]}, True),
        ({"statuses": ["stopped"]}, False),
        ({"names": ["kiosk"]}, False),
        ({"names": ["KIOSK-*"]}, False),
        ({"names": ["office-*", "kiosk-*"]}, True),
        ({"names": ["~kiosk"]}, True),
        ({"names": ["~iosk"]}, False),
        ({"names": ["kiosk-[2-9]"]}, False),
        ({"names": ["kiosk-*"], "regions": ["s"]}, False),
    ],
)
def test_selection(changes: dict[str, Any], wanted: bool) -> None:
    mistakes: list[str] = []
    changes = {**changes, "names": parse_names(changes.get("names", []), mistakes)}
    assert dataclasses.replace(EVERYTHING, **changes).wants(KIOSK) is wanted
    assert mistakes == []


def test_frozen_ones_are_left_out() -> None:
    frozen = {**KIOSK, "koophone_frozen": True}
    assert not EVERYTHING.wants(frozen)
    assert dataclasses.replace(EVERYTHING, include_frozen=True).wants(frozen)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kiosk-1", "kiosk-1"),
        (" Empfang 2 ", "Empfang_2"),
        ("../../etc/x", ".._.._etc_x"),
        ("{{ 7 * 7 }}", "_7_7_"),
        ("前台-1", "前台-1"),
        ("a,b:c[1:2]", "a_b_c_1_2_"),
        ("a\u202eb\nc", "a_b_c"),
        ("  ", ""),
    ],
)
def test_names_that_ansible_would_misread(name: str, expected: str) -> None:
    assert fit(name) == expected


def nothing(_name: str, _instance_id: str) -> bool:
    return False


def test_host_names() -> None:
    wishes = {"1": "a", "2": "a", "3": "b", "4": "", "5": "all", "6": "a_1"}
    names, refused = host_names(wishes, nothing)
    assert names == {"1": "a_1_1", "2": "a_2", "3": "b", "4": "4", "5": "all_5", "6": "a_1_6"}
    assert refused == ["a", "a_1", "all"]
    assert host_names({"1": "a"}, lambda name, _instance_id: name == "a") == ({"1": "a_1"}, ["a"])


texts = st.text(alphabet="ab1_ /", max_size=3)


@given(wishes=st.dictionaries(st.text(alphabet="ab1_", min_size=1, max_size=3), texts, max_size=12))
def test_host_names_are_unique_whatever_the_order(wishes: dict[str, str]) -> None:
    names, _refused = host_names(wishes, nothing)
    assert names.keys() == wishes.keys()
    assert len(set(names.values())) == len(names)
    assert all(names.values())
    assert host_names(dict(reversed(wishes.items())), nothing)[0] == names
