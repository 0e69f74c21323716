# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from ansible_collections.koophone.fleet.plugins.module_utils._memory import LastApplied, Memory
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Options, Plan, desired_of, make_plan
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.tests.unit.plugins.module_utils.samples import (
    few_settings,
    group,
    memory,
    settings,
)

SERVICE = "https://koophone.example.com"
A, B = settings(6000), settings(4000)
NO_OPTIONS = Options()

# Instance → group: so that no instance is in two groups that want different things.
fleets = st.lists(
    st.tuples(st.sets(st.integers(0, 30)), st.sampled_from([None, "cn-north-4", "cn-south-1"]), few_settings),
    min_size=1,
    max_size=5,
).map(
    lambda parts: [
        group(f"group {number}", [f"i{number}-{member}" for member in sorted(members)], region, value)
        for number, (members, region, value) in enumerate(parts)
    ]
)


def plan_of(
    groups: list[InstanceGroup],
    remembered: Memory | None = None,
    options: Options = NO_OPTIONS,
    service: str = SERVICE,
) -> Plan:
    return make_plan(service, desired_of(groups), remembered or Memory(), options)


def ids(count: int, prefix: str = "i") -> list[str]:
    return [f"{prefix}{number:05}" for number in range(count)]


@st.composite
def fleets_with_memory(draw: st.DrawFn) -> tuple[list[InstanceGroup], Memory]:
    groups = draw(fleets)
    named = [instance_id for one in groups for instance_id in one.instance_ids]
    known = draw(st.dictionaries(st.sampled_from([*named, "other"]), st.none() | few_settings))
    return groups, memory(known)


# --- which instances are to be changed -------------------------------------------------------------------------------


def test_what_is_right_already_is_not_changed() -> None:
    plan = plan_of([group("g", "abc", value=A)], memory({"a": A, "b": A, "c": A}))
    assert plan.changes == ()
    assert plan.batches(100) == []
    assert plan.unknown == 0


def test_what_differs_is_changed() -> None:
    plan = plan_of([group("g", "abc", value=A)], memory({"a": A, "b": B, "c": A}))
    assert plan.changes == ("b",)
    assert plan.last_applied == {"b": B.digest}
    assert plan.unknown == 0


def test_unknown_is_never_treated_as_unchanged() -> None:
    plan = plan_of([group("g", "abc", value=A)], memory({"a": A, "b": None}))
    assert plan.last_applied == {"b": None, "c": None}
    assert plan.unknown == 2


@given(fleets_with_memory())
def test_exactly_what_is_not_known_to_be_right_is_changed(case: tuple[list[InstanceGroup], Memory]) -> None:
    groups, remembered = case
    wanted = {instance_id: one.settings.digest for one in groups for instance_id in one.instance_ids}
    plan = plan_of(groups, remembered)
    assert set(plan.changes) == {i for i, digest in wanted.items() if remembered.of(i).digest != digest}
    assert list(plan.changes) == sorted(plan.changes)


def test_force_changes_everything_and_still_knows_what_was_there() -> None:
    plan = plan_of([group("g", "ab", value=A)], memory({"a": A}), Options(force=True))
    assert plan.last_applied == {"a": A.digest, "b": None}
    assert plan.unknown == 1


@pytest.mark.parametrize(
    ("applied_at", "counts_as_unknown"), [(None, True), (899.0, True), (900.0, False), (1000.0, False), (1001.0, False)]
)
def test_what_was_applied_longer_ago_than_max_age_is_unknown(applied_at: float | None, counts_as_unknown: bool) -> None:
    remembered = Memory({"a": LastApplied(A.digest, applied_at)}, {A.digest: A}, now=1000.0)
    plan = plan_of([group("g", "a", value=A)], remembered, Options(max_age=100.0, max_age_text="100s"))
    assert plan.last_applied == ({"a": None} if counts_as_unknown else {})


# --- batches ---------------------------------------------------------------------------------------------------------


def test_groups_with_equal_settings_share_requests() -> None:
    groups = [
        group("one", ids(200, "a"), value=A),
        group("two", ids(170, "b"), value=A),
        group("three", ids(30, "c"), value=B),
    ]
    assert len(plan_of(groups).batches(100)) == 5


@given(fleets_with_memory(), st.integers(1, 100))
def test_number_of_requests_is_the_least_possible(case: tuple[list[InstanceGroup], Memory], size: int) -> None:
    groups, remembered = case
    plan = plan_of(groups, remembered)
    together: dict[tuple[str | None, str], int] = {}
    for one in groups:
        for instance_id in one.instance_ids:
            if instance_id in plan.changes:
                key = one.region, one.settings.digest
                together[key] = together.get(key, 0) + 1
    assert len(plan.batches(size)) == sum(-(-count // size) for count in together.values())


@given(fleets_with_memory(), st.integers(1, 100))
def test_batches_hold_every_change_once_and_never_mix(case: tuple[list[InstanceGroup], Memory], size: int) -> None:
    groups, remembered = case
    plan = plan_of(groups, remembered)
    batches = plan.batches(size)
    assert sorted(itertools.chain.from_iterable(batch.instance_ids for batch in batches)) == list(plan.changes)
    wanted = {i: (one.region, one.settings) for one in groups for i in one.instance_ids}
    for batch in batches:
        assert 1 <= len(batch.instance_ids) <= size
        assert {wanted[instance_id] for instance_id in batch.instance_ids} == {(batch.region, batch.settings)}


def test_an_instance_in_two_groups_is_sent_once() -> None:
    plan = plan_of([group("one", "ab"), group("two", "bc")])
    assert [batch.instance_ids for batch in plan.batches(100)] == [("a", "b", "c")]
    assert plan.desired["b"].groups == ("one", "two")


def test_only_some_of_the_changes_keep_their_plan() -> None:
    plan = plan_of([group("g", "abc")], memory({"c": settings()}))
    part = plan.only({"b", "c", "x"})
    assert part.changes == ("b",)
    assert part.digest == plan.digest


# --- waves -----------------------------------------------------------------------------------------------------------


@given(fleets_with_memory(), st.integers(0, 200), st.integers(0, 200))
def test_first_instances_stay_first_and_the_rest_is_deferred(
    case: tuple[list[InstanceGroup], Memory], number: int, more: int
) -> None:
    plan = plan_of(*case)
    part, larger = plan.up_to(number), plan.up_to(number + more)
    assert set(part.changes) <= set(larger.changes) <= set(plan.changes)
    for one in (part, larger):
        assert set(one.changes) | set(one.deferred) == set(plan.changes)
        assert not set(one.deferred).intersection(one.changes)
        assert one.unknown == plan.unknown
        assert (one.digest, one.desired_digest) == (plan.digest, plan.desired_digest)
    # As many as asked for when all are to be changed.
    whole = plan_of(case[0])
    assert len(whole.up_to(number).changes) == min(number, len(whole.desired))


def test_first_instances_do_not_depend_on_what_was_applied_to_them_nor_on_groups() -> None:
    many = ids(100)
    first = plan_of([group("g", many)]).up_to(10).changes
    assert len(first) == 10
    parted = [group("one", many[:50]), group("two", many[50:], "cn-south-1", settings(4000))]
    assert plan_of(parted).up_to(10).changes == first
    # The next wave: the first ones are right by now, and are among the first all the same.
    after = plan_of([group("g", many)], memory(dict.fromkeys(first, settings())))
    assert after.up_to(10).changes == ()
    assert len(after.up_to(30).changes) == 20


def test_first_instances_are_a_sample_of_all_groups() -> None:
    groups = [group(f"g{number}", ids(250, f"g{number}-"), None, settings(1000 + 100 * number)) for number in range(4)]
    first = plan_of(groups).up_to(100).changes
    for one in groups:
        assert 10 <= len(set(first).intersection(one.instance_ids)) <= 40


# --- digest ----------------------------------------------------------------------------------------------------------


def test_digest_never_changes_between_releases() -> None:
    # An approval may be given with one release and used with the next.
    plan = plan_of([group("g", ["a", "b"], "cn-north-4", A)], memory({"a": B}), Options(True, 60.0, "1m"))
    assert plan.digest == "9bfb47655f2574c7d7cb0cf8f8c6ead908c28250bc22e70dfeb5fdb938a0d781"


@given(fleets_with_memory(), st.randoms(use_true_random=False), st.integers(1, 100))
def test_plan_does_not_depend_on_any_order(
    case: tuple[list[InstanceGroup], Memory], rng: random.Random, size: int
) -> None:
    groups, remembered = case
    others = [group(g.name, rng.sample(g.instance_ids, len(g.instance_ids)), g.region, g.settings) for g in groups]
    rng.shuffle(others)
    records = list(remembered.records.items())
    rng.shuffle(records)
    plan = plan_of(groups, remembered)
    other = plan_of(others, Memory(dict(records), remembered.settings, remembered.now))
    assert other.digest == plan.digest
    assert other.desired_digest == plan.desired_digest
    assert other.changes == plan.changes
    assert other.batches(size) == plan.batches(size)


def test_digest_does_not_depend_on_names_of_groups_nor_on_who_shares_them() -> None:
    one = plan_of([group("g", "abcd", value=A)])
    other = plan_of([group("x", "ab", value=A), group("y", "cdb", value=A)])
    assert one.digest == other.digest
    assert one.desired_digest == other.desired_digest


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_digest_does_not_depend_on_the_clock(now: float, applied_at: float) -> None:
    options = Options(max_age=3600.0, max_age_text="1h")
    groups = [group("g", "ab", value=A)]
    usual = plan_of(groups, memory({"a": A, "b": B}), options)
    plan = plan_of(groups, memory({"a": A, "b": B}, applied_at, now), options)
    assert plan.digest == usual.digest
    assert plan.desired_digest == usual.desired_digest


BASE = [group("g", ["a", "b"], "cn-north-4", A)]
KNOWN = memory({"a": A, "b": B})


@pytest.mark.parametrize(
    ("plan", "desired_moves"),
    [
        (plan_of(BASE, KNOWN, service="https://other.example.com"), True),
        (plan_of(BASE, KNOWN, Options(force=True)), True),
        (plan_of(BASE, KNOWN, Options(max_age=3600.0, max_age_text="1h")), True),
        (plan_of(BASE, KNOWN, Options(max_age=3600.0, max_age_text="60m")), True),
        (plan_of([group("g", ["a", "b"], "cn-south-1", A)], KNOWN), True),
        (plan_of([group("g", ["a", "b"], None, A)], KNOWN), True),
        (plan_of([group("g", ["a", "b"], "", A)], KNOWN), True),
        (plan_of([group("g", ["a", "b"], "cn-north-4", B)], KNOWN), True),
        (plan_of([group("g", ["a"], "cn-north-4", A)], KNOWN), True),
        (plan_of([group("g", ["a", "b", "c"], "cn-north-4", A)], KNOWN), True),
        (plan_of([group("g", ["a", "c"], "cn-north-4", A)], KNOWN), True),
        (plan_of([group("g", ["ab"], "cn-north-4", A)], KNOWN), True),
        (plan_of(BASE, memory({"a": A, "b": None})), False),
        (plan_of(BASE, memory({"a": A, "b": A})), False),
        (plan_of(BASE, memory({"a": B, "b": A})), False),
        (plan_of(BASE, memory({"a": A, "b": settings(100)})), False),
    ],
)
def test_digest_changes_with_everything_that_was_planned(plan: Plan, desired_moves: bool) -> None:
    base = plan_of(BASE, KNOWN)
    assert plan.digest != base.digest
    assert (plan.desired_digest != base.desired_digest) == desired_moves


def test_all_these_digests_differ() -> None:
    options = [Options(force, None, text) for force in (False, True) for text in ("", "1h", "60m", "1h ")]
    digests = [plan_of(BASE, KNOWN, one).digest for one in options]
    assert len(set(digests)) == len(options)


@given(fleets_with_memory(), few_settings, st.data())
def test_digest_moves_exactly_with_what_is_remembered_of_the_instances_named(
    case: tuple[list[InstanceGroup], Memory], value: Settings, data: st.DataObject
) -> None:
    groups, remembered = case
    named = [instance_id for one in groups for instance_id in one.instance_ids]
    moved = data.draw(st.sampled_from([*named, "other"]))
    records = {**remembered.records, moved: LastApplied(value.digest, 1000.0)}
    after = Memory(records, {**remembered.settings, value.digest: value}, remembered.now)
    same = moved not in named or remembered.of(moved).digest == value.digest
    assert (plan_of(groups, remembered).digest == plan_of(groups, after).digest) == same


@given(fleets_with_memory(), fleets_with_memory())
def test_digest_tells_whether_it_was_of_the_same_desired_settings(
    one: tuple[list[InstanceGroup], Memory], other: tuple[list[InstanceGroup], Memory]
) -> None:
    plan = plan_of(*one)
    assert plan.desires(plan_of(one[0], other[1]).digest)
    assert plan.desires(plan_of(*other).digest) == (plan.desired_digest == plan_of(*other).desired_digest)


def test_region_learnt_by_the_store_is_no_part_of_the_digest() -> None:
    learnt = Memory({"a": LastApplied(A.digest, 1.0, "cn-north-4")}, {A.digest: A})
    plain = Memory({"a": LastApplied(A.digest, 1.0)}, {A.digest: A})
    groups = [group("g", "ab", value=A)]
    assert plan_of(groups, learnt).digest == plan_of(groups, plain).digest


def test_digests_are_sha_256_in_hexadecimal() -> None:
    plan = plan_of(BASE, KNOWN)
    for digest in (plan.digest, plan.desired_digest):
        assert len(bytes.fromhex(digest)) == 32
        assert json.loads(json.dumps(digest)) == digest
