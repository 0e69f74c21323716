# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names for groups of hosts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.plugin_utils._group_names import name_groups

KIOSKS = [f"kiosk-{number:02}" for number in range(1, 11)]
OFFICES = [f"office-{number:02}" for number in range(1, 6)]
SHOPS = [f"shop-{number:02}" for number in range(1, 6)]
INVENTORY = {
    "all": KIOSKS + OFFICES + SHOPS,
    "ungrouped": [],
    "kiosks": KIOSKS,
    "offices": OFFICES,
    "shops": SHOPS,
    "indoors": OFFICES + SHOPS,
    "berlin": KIOSKS[:7] + OFFICES + SHOPS[:3],
    "servers": ["db-01"],
}


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ([], []),
        ([KIOSKS], ["kiosks"]),
        ([KIOSKS, OFFICES, SHOPS], ["kiosks", "offices", "shops"]),
        ([KIOSKS, OFFICES + SHOPS], ["kiosks", "indoors"]),
        # Two groups that nobody gave a common name.
        ([KIOSKS + OFFICES, SHOPS], ["kiosks, offices", "shops"]),
        # A few hosts that differ from the rest of their group.
        ([KIOSKS[:6] + KIOSKS[7:], KIOSKS[6:7]], ["kiosks", "kiosk-07"]),
        ([KIOSKS[:7], KIOSKS[7:]], ["berlin", "kiosk-08, kiosk-09, kiosk-10"]),
        # The larger part has the plain name.
        ([OFFICES, KIOSKS[:4], KIOSKS[4:]], ["offices", "berlin + kiosks", "kiosks"]),
        # One of the play's hosts only, such as with a limit: then it is all that there is of its group.
        ([KIOSKS[:1]], ["kiosks"]),
        ([["alone"]], ["alone"]),
        ([["a", "b", "c", "d"]], ["all"]),
        ([["a", "b", "c", "d"], ["e", "f", "g", "h"]], ["all", "all (e and 3 others)"]),
    ],
)
def test_names(members: list[list[str]], names: list[str]) -> None:
    assert name_groups(members, INVENTORY) == names


def test_many_groups_are_counted() -> None:
    inventory = {f"shop{number}": [f"h{number}a", f"h{number}b"] for number in range(1, 7)}
    odd = [host for number in (1, 3, 5) for host in inventory[f"shop{number}"]]
    assert name_groups([odd, inventory["shop2"] + inventory["shop4"] + inventory["shop6"]], inventory) == [
        "shop1, shop3, shop5",
        "shop2, shop4, shop6",
    ]
    most = [host for number in range(1, 6) for host in inventory[f"shop{number}"]]
    assert name_groups([most, inventory["shop6"]], inventory) == ["shop1, shop2, shop3 and 2 more", "shop6"]
    assert name_groups([most + inventory["shop6"]], inventory) == ["all"]


def test_names_of_the_list_are_taken() -> None:
    assert name_groups([KIOSKS], INVENTORY, {"kiosks"}) != ["kiosks"]


hosts = st.sampled_from([f"h{number}" for number in range(12)])


@given(
    st.dictionaries(hosts, st.integers(0, 4)),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "all"]), st.sets(hosts)),
    st.sets(st.sampled_from(["a", "b", "all", "h1", "a + b"])),
)
def test_names_are_unique_and_depend_on_no_order(
    parts: dict[str, int], inventory: dict[str, set[str]], taken: set[str]
) -> None:
    by_part: dict[int, list[str]] = {}
    for host, part in parts.items():
        by_part.setdefault(part, []).append(host)
    members = list(by_part.values())
    names = name_groups(members, inventory, taken)
    assert len(set(names)) == len(members)
    assert not taken.intersection(names)
    named = {frozenset(group): name for group, name in zip(members, names, strict=True)}
    for group in members:
        group.reverse()
    members.reverse()
    again = name_groups(members, dict(reversed(inventory.items())), taken)
    assert {frozenset(group): name for group, name in zip(members, again, strict=True)} == named
