# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import difflib
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils._diff import diff_of
from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from ansible_collections.koophone.fleet.plugins.module_utils._memory import Memory
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Options, desired_of, make_plan
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.tests.unit.plugins.module_utils.samples import (
    KEYS,
    few_settings,
    group,
    memory,
    settings,
)

A, B, C = settings(6000), settings(4000), settings(6000, 30)


def diff(
    groups: list[InstanceGroup], remembered: Memory | None = None, options: Options | None = None
) -> list[dict[str, str]]:
    return diff_of(make_plan("service", desired_of(groups), remembered or Memory(), options or Options()), groups)


def printed(entries: list[dict[str, str]]) -> str:
    """As Ansible's default callback prints a diff."""
    text = []
    for entry in entries:
        if "prepared" in entry:
            text.append(entry["prepared"])
            continue
        lines = difflib.unified_diff(
            entry["before"].splitlines(keepends=True),
            entry["after"].splitlines(keepends=True),
            fromfile=f"before: {entry['before_header']}",
            tofile=f"after: {entry['after_header']}",
            lineterm="\n",
        )
        text.append("".join(lines) + "\n")
    return "".join(text)


def changed_lines(entries: list[dict[str, str]]) -> list[str]:
    return [
        line for line in printed(entries).splitlines() if line.startswith(("+", "-")) and line[:3] not in ("+++", "---")
    ]


def test_nothing_to_change_is_no_diff() -> None:
    assert diff([group("g", "ab", value=A)], memory({"a": A, "b": A})) == []
    assert diff([]) == []
    assert diff([group("g", [])]) == []


def test_one_changed_spec_is_a_diff_of_exactly_that_line() -> None:
    wanted = settings(changes={("WIFI", "H265", "720P"): (4000, 60)})
    entries = diff([group("kiosks", "abc", value=wanted)], memory({"a": A, "b": A, "c": wanted}))
    assert entries == [
        {
            "before_header": "kiosks (2 instances)",
            "after_header": "kiosks (2 instances)",
            "before": "WIFI H265 720P: 6000 kbit/s, 60 fps\n",
            "after": "WIFI H265 720P: 4000 kbit/s, 60 fps\n",
        }
    ]
    assert changed_lines(entries) == [
        "-WIFI H265 720P: 6000 kbit/s, 60 fps",
        "+WIFI H265 720P: 4000 kbit/s, 60 fps",
    ]


def test_unknown_reads_as_unknown_against_all_that_is_desired() -> None:
    (entry,) = diff([group("kiosks", "a", value=A)])
    assert entry["before"] == "unknown\n"
    assert entry["after"].splitlines() == A.lines()
    assert entry["before_header"] == "kiosks (1 instance)"


def test_there_is_one_entry_per_group_and_distinct_last_applied() -> None:
    groups = [group("b", ["1", "2", "3", "4"], value=A), group("a", ["5", "6"], value=B)]
    entries = diff(groups, memory({"1": B, "2": C, "3": B, "5": A, "6": B}))
    assert [(entry["before_header"], entry["before"].splitlines()[0]) for entry in entries][0::3] == [
        ("a (1 instance)", "MOBILE_NETWORK H264 1080P: 6000 kbit/s, 60 fps"),
        # Of the others the order is that of their digests, but unknown is always the first.
        (entries[3]["before_header"], entries[3]["before"].splitlines()[0]),
    ]
    assert entries[1]["before_header"] == "b (1 instance)"
    assert entries[1]["before"] == "unknown\n"
    assert sorted(entry["before_header"] for entry in entries[2:]) == ["b (1 instance)", "b (2 instances)"]


@given(
    st.lists(st.tuples(st.integers(0, 9), few_settings), min_size=1, max_size=4),
    st.dictionaries(st.integers(0, 9), st.none() | few_settings),
)
def test_what_is_printed_are_the_specs_that_differ(
    wanted: list[tuple[int, Settings]], known: dict[int, Settings | None]
) -> None:
    groups = [
        group(f"g{n}", [f"{n}-{i}" for i in range(count)], None, value) for n, (count, value) in enumerate(wanted)
    ]
    remembered = memory({f"{n}-{i}": value for n in range(len(groups)) for i, value in known.items()})
    expected: Counter[str] = Counter()
    for one in groups:
        for last in {remembered.of(i).digest for i in one.instance_ids}:
            if last is None:
                expected.update(["-unknown", *(f"+{line}" for line in one.settings.lines())])
            else:
                before, after = remembered.settings[last].lines(), one.settings.lines()
                expected.update(f"-{line}" for line in before if line not in after)
                expected.update(f"+{line}" for line in after if line not in before)
    entries = diff(groups, remembered)
    assert Counter(changed_lines(entries)) == expected
    for entry in entries:
        for text in (entry["before"], entry["after"]):
            assert text.splitlines() == sorted(text.splitlines())


def test_diff_does_not_depend_on_the_order_of_groups() -> None:
    groups = [group(f"g{n}", [f"i{n}"], None, A) for n in range(5)]
    assert diff(groups) == diff(groups[::-1])


def test_force_shows_what_is_sent_although_it_is_right() -> None:
    (entry,) = diff([group("kiosks", "ab", value=A)], memory({"a": A, "b": A}), Options(force=True))
    assert entry["before"] == ""
    assert "force" in entry["after"]
    assert entry["after_header"] == "kiosks (2 instances)"


def test_what_is_too_old_reads_as_unknown() -> None:
    options = Options(max_age=10.0, max_age_text="10s")
    (entry,) = diff([group("kiosks", "a", value=A)], memory({"a": A}, applied_at=0, now=100), options)
    assert entry["before"] == "unknown\n"


def fleet(groups: int, name: str, *, known: bool) -> tuple[list[InstanceGroup], Memory]:
    size = 20_000 // groups
    fleet = [
        group(
            f"{name} {n:03}",
            [f"{n:03}-{i:028}" for i in range(size)],
            None,
            settings(changes={KEYS[n % 18]: (100, 30)}),
        )
        for n in range(groups)
    ]
    if not known:
        return fleet, Memory()
    # Each in another way different from what is desired.
    lasts = [settings(changes={KEYS[n % 18]: (200 + 100 * (n // 18), 30)}) for n in range(40)]
    ids = (instance_id for one in fleet for instance_id in one.instance_ids)
    return fleet, memory({instance_id: lasts[n % 40] for n, instance_id in enumerate(ids)})


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "name", ["group", "Ladengeschäfte in der südlichen Vorstadt", "北京市朝阳区建国门外大街一号展厅设备分组"]
)
@pytest.mark.parametrize("groups", [1, 500])
def test_diff_stays_small_however_many_instances_and_groups_there_are(groups: int, name: str, known: bool) -> None:
    entries = diff(*fleet(groups, name, known=known))
    assert 0 < len(json.dumps(entries)) < 100_000
    text = printed(entries)
    assert len(text.encode()) < 100_000
    assert text.count("\n") < 2_000


@pytest.mark.parametrize("known", [False, True])
def test_what_is_left_out_of_a_long_diff_is_counted(known: bool) -> None:
    groups, remembered = fleet(500, "group", known=known)
    *shown, last = diff(groups, remembered)
    counted = sum(int(entry["before_header"].split("(")[1].split()[0]) for entry in shown)
    words = last["prepared"].split()
    assert words[:2] == ["...", "and"]
    assert int(words[2]) > 0
    assert last["prepared"] == f"... and {words[2]} more differences, of {20_000 - counted} instances\n"


def test_ids_are_never_shown() -> None:
    assert "secret-id" not in json.dumps(diff([group("g", ["secret-id"])]))
