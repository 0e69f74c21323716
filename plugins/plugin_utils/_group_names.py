# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Names for groups of hosts, by what they have in common in the inventory. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ansible_collections.koophone.fleet.plugins.plugin_utils._values import counted

# Ansible's own; they say nothing about a host.
_ALL = "all"
_SAY_NOTHING = (_ALL, "ungrouped")
_FEW = 3
# A search for more would take long, and the name would say little.
_MOST_IN_COVER = 30


def name_groups(
    members: Sequence[Collection[str]], inventory_groups: Mapping[str, Collection[str]], taken: Collection[str] = ()
) -> list[str]:
    """A name for each of some groups of hosts that don't overlap; all names differ, and none is `taken`.

    Best is the inventory group that has just these hosts, or the groups that make them up: `kiosks`,
    `kiosks, offices`, `kiosks, offices, shops and 2 more`. A few hosts that are part of more are called by their own
    names. Any others have the most specific inventory groups that all of them are in: `shops`, `berlin + shops`, or
    `all`.
    """
    of_play = set().union(*members) if members else set()
    groups = {
        name: present
        for name, hosts in inventory_groups.items()
        if name not in _SAY_NOTHING and (present := of_play.intersection(hosts))
    }
    names: list[str] = [""] * len(members)
    used = set(taken)
    # The largest one has the plain name where two could have it; hosts decide where they are of one size.
    for index in sorted(range(len(members)), key=lambda index: (-len(members[index]), sorted(members[index])[:1])):
        hosts = members[index]
        names[index] = _unused(_candidates(set(hosts), sorted(hosts), groups, of_play), used)
        used.add(names[index])
    return names


def _candidates(
    hosts: set[str], ordered: Sequence[str], groups: Mapping[str, set[str]], of_play: Collection[str]
) -> Iterable[str]:
    """Names from the best to one that can be counted on."""
    inside = {name: present for name, present in groups.items() if present <= hosts}
    cover = _cover(hosts, inside)
    if len(cover) > _FEW and len(hosts) == len(of_play):
        yield _ALL
    if cover:
        more = len(cover) - _FEW
        yield ", ".join(cover[:_FEW]) + (f" and {more} more" if more > 0 else "")
    if len(ordered) <= _FEW:
        yield ", ".join(ordered)
    common = " + ".join(_most_specific({name: present for name, present in groups.items() if hosts <= present})) or _ALL
    yield common
    own = f"{common} ({ordered[0]} and {counted(len(ordered) - 1, 'other')})"
    yield own
    number = 2
    while True:
        yield f"{own} {number}"
        number += 1


def _unused(candidates: Iterable[str], used: Collection[str]) -> str:
    return next(name for name in candidates if name not in used)


def _cover(hosts: set[str], inside: Mapping[str, set[str]]) -> list[str]:
    """Inventory groups that have just these hosts; the fewest that a greedy search finds."""
    left = set(hosts)
    chosen: list[str] = []
    while left and len(chosen) < _MOST_IN_COVER:
        best = max(inside, key=lambda name: (len(inside[name] & left), _specific(name)), default=None)
        if best is None or not inside[best] & left:
            break
        chosen.append(best)
        left -= inside[best]
    return [] if left else sorted(chosen)


def _most_specific(common: Mapping[str, set[str]]) -> list[str]:
    """Those groups that contain no other of them; of groups with the same hosts, one."""
    distinct: dict[frozenset[str], str] = {}
    for name in sorted(common, key=_specific):
        distinct[frozenset(common[name])] = name
    return sorted(name for hosts, name in distinct.items() if not any(other < hosts for other in distinct))


def _specific(name: str) -> tuple[int, str]:
    """Where groups have the same hosts, a longer name such as `shops_berlin` mostly says more than `shops`."""
    return (len(name), name)
