# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every state store promises: claims, marks, doubts, confirmations. One suite for all stores.

Most of it runs on four: also on those where every transaction happens twice, as after an ambiguous COMMIT.
"""

from __future__ import annotations

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Held, Mark, Outcome, Resolution
from tests.store.acting import GRACE, LEASE, S, Stores, T, U, settings

AB = ["a", "b"]


# --- what is known ---------------------------------------------------------------------------------------------------


def test_nothing_is_known_of_what_was_never_confirmed(repeated: Stores) -> None:
    repeated.assert_known(AB, None)
    (run,) = repeated.actors("one")
    run.claim_all(AB, S)
    repeated.assert_known(AB, None)


def test_what_was_confirmed_is_last_applied(repeated: Stores) -> None:
    (run,) = repeated.actors("one")
    run.apply(AB, S, "request-of-ab")
    repeated.assert_known(AB, S)
    for record in repeated.records(AB):
        assert record.last is not None
        assert record.last.request_id == "request-of-ab"
        assert record.last.run == run.run


def test_a_mark_makes_unknown_what_was_known(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    first.apply(AB, S)
    second.claim_all(AB, T)
    repeated.assert_known(AB, S)
    second.mark(["a"], T)
    repeated.assert_known(["a"], None)
    repeated.assert_known(["b"], S)


def test_the_same_settings_sent_again_are_unknown_until_they_are_confirmed_again(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    first.apply(AB, S)
    second.claim_all(AB, S)
    second.mark(AB, S)
    repeated.assert_known(AB, None)
    second.confirm(AB, S)
    repeated.assert_known(AB, S)


def test_a_mark_taken_back_restores_what_was_known(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    first.apply(["a"], S)
    second.claim_all(AB, T)
    second.mark(AB, T)
    assert second.take_back(AB, T) == set()
    second.release()
    repeated.assert_known(["a"], S)
    repeated.assert_known(["b"], None)


def test_what_was_not_confirmed_stays_unknown(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    first.apply(AB, S)
    second.claim_all(AB, T)
    second.mark(AB, T)
    assert second.fail(AB, T) == set()
    second.release()
    repeated.assert_known(AB, None)
    repeated.let_pass(LEASE + GRACE)
    repeated.assert_known(AB, None)


def test_a_mark_whose_run_died_keeps_its_instances_unknown_for_ever(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    first.apply(AB, S)
    second.claim_all(AB, T)
    second.mark(AB, T)
    repeated.let_pass(1_000_000)
    repeated.assert_known(AB, None)


def test_a_claim_given_back_with_marks_leaves_them_unknown_and_in_doubt(repeated: Stores) -> None:
    first, second, third = repeated.actors("one", "two", "three")
    first.apply(AB, S)
    second.claim_all(AB, T)
    second.mark(["a"], T)
    second.release()
    repeated.assert_known(["a"], None)
    repeated.assert_known(["b"], S)
    result = third.try_claim({"a": S, "b": S})
    assert set(result.held) == {"a"}
    assert result.held["a"].in_doubt
    repeated.let_pass(LEASE + GRACE)
    third.claim_all(AB, S)
    repeated.assert_known(["a"], None)


def test_instances_of_two_services_have_nothing_to_do_with_each_other(repeated: Stores) -> None:
    here = repeated.actor("here", service="https://one.example")
    there = repeated.actor("there", service="https://two.example")
    here.claim_all(AB, S)
    here.mark(AB, S)
    there.apply(AB, T)
    here.confirm(AB, S)
    repeated.assert_known(AB, S, service="https://one.example")
    repeated.assert_known(AB, T, service="https://two.example")
    repeated.assert_known(AB, None, service="https://three.example")
    assert [record.service for record in repeated.records(["a"], service=None)] == [
        "https://one.example",
        "https://two.example",
    ]


def test_any_text_can_be_an_instance_id(repeated: Stores) -> None:
    odd = ["o'b\"c", "%s %(ids)s", ":ids", "{ids}", "ünï\u00a0côde", "a,b", "\\", "x" * 32, "🙂", "null", "A", "a"]
    (run,) = repeated.actors("one")
    run.apply(odd, S)
    repeated.assert_known(odd, S)
    assert {record.instance_id for record in repeated.records(None)} == set(odd)


def test_many_instances_are_one_transaction(stores: Stores) -> None:
    many = [f"instance-{number:05}" for number in range(5000)]
    (run,) = stores.actors("one")
    run.apply(many, S)
    stores.assert_known(many, S)


def test_settings_are_stored_once_for_each_distinct_value(repeated: Stores) -> None:
    for number in range(12):
        run = repeated.actor(str(number))
        run.apply([f"i{number}", "shared"], settings(number % 3))
    assert len(repeated.rows("settings")) == 3


# --- claims ----------------------------------------------------------------------------------------------------------


def test_an_instance_is_claimed_by_one_run_at_a_time(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    first.claim_all(AB, S)
    result = second.try_claim({"b": T, "c": T})
    assert result.claim is not None
    assert result.claim.instance_ids == {"c"}
    assert set(result.held) == {"b"}
    first.release()
    second.claim_all(["b"], T)


def test_who_waits_is_told_for_whom_and_how_long(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    first.claim_all(AB, S)
    held = second.held(["a"], T)["a"]
    assert held.run == first.run
    assert not held.in_doubt
    assert 0 < held.seconds <= LEASE
    for part in ("run-one", "user-one", "host-one", "job-one"):
        assert part in str(held)
    first.mark(["a"], S)
    first.fail(["a"], S, doubt_for=70.0)
    first.release()
    held = second.held(["a"], T)["a"]
    assert held.run == first.run
    assert held.in_doubt
    assert 0 < held.seconds <= 70
    assert "may still be carried out" in str(held)


def test_a_claim_ends_by_itself(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    first.claim_all(AB, S)
    second.held(AB, T)
    repeated.let_pass(LEASE)
    second.claim_all(AB, T)


def test_a_claim_ends_here_no_later_than_in_the_store(repeated: Stores) -> None:
    before = _clock.now()
    (run,) = repeated.actors("one")
    claim = run.claim_all(AB, S)
    store_now = run.store._writing(lambda tx: tx.lease_now())
    here_now = _clock.now()
    lease_until = dict(repeated.rows("claims", "id, lease_until"))[claim.key]
    assert before + LEASE <= claim.ends_at <= here_now + (lease_until - store_now)
    assert run.renew(lease=3 * LEASE)
    assert before + 3 * LEASE <= claim.ends_at <= _clock.now() + 3 * LEASE


def test_a_heartbeat_prolongs_a_claim(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    first.claim_all(AB, S)
    for _unused in range(3):
        repeated.let_pass(LEASE * 0.9)
        assert first.renew()
    second.held(AB, T)
    assert first.mark(AB, S) == set()
    assert first.confirm(AB, S) == set()


def test_a_claim_that_is_over_is_not_prolonged_even_if_nobody_took_anything(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    claim = first.claim_all(AB, S)
    ends_at = claim.ends_at
    repeated.let_pass(LEASE)
    assert not first.renew()
    assert claim.ends_at == ends_at
    second.claim_all(AB, T)
    assert not first.renew()


def test_a_claim_given_back_is_not_prolonged(repeated: Stores) -> None:
    (first,) = repeated.actors("one")
    first.claim_all(AB, S)
    first.release()
    assert not first.renew()


def test_a_claim_given_back_twice_takes_nothing_from_the_next(repeated: Stores) -> None:
    first, second, third = repeated.actors("one", "two", "three")
    first.claim_all(AB, S)
    first.release()
    second.claim_all(AB, T)
    first.release()
    third.held(AB, S)
    assert second.renew()
    assert second.mark(AB, T) == set()


def test_a_run_that_claims_again_keeps_what_it_has(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    first.claim_all(AB, S)
    first.mark(["a"], S)
    first.claim_all(AB, S)
    second.held(AB, T)
    first.mark(AB, S)
    assert first.confirm(AB, S) == set()
    repeated.assert_known(AB, S)


def test_generations_only_grow(repeated: Stores) -> None:
    seen = 0
    for name in ("one", "two", "three"):
        run = repeated.actor(name)
        run.apply(["a"], S)
        ((generation,),) = repeated.rows("instances", "generation")
        assert generation > seen
        seen = generation


def test_what_a_choice_raises_leaves_no_trace(stores: Stores) -> None:
    first, second = stores.actors("one", "two")
    first.apply(["a"], S)
    before = stores.everything()

    class RefusedError(Exception):
        pass

    def refuse(_reading: object) -> None:
        raise RefusedError

    for service in (second.service, "https://never-seen.example"):
        with pytest.raises(RefusedError):
            second.store.claim(second.run, service, AB, refuse, lease=LEASE, grace=GRACE)  # type: ignore[arg-type]
    assert stores.everything() == before
    second.apply(AB, T)
    stores.assert_known(AB, T)


def test_a_choice_is_made_on_what_is_then_claimed(repeated: Stores) -> None:
    first, second = repeated.actors("one", "two")
    first.apply(["a"], S)
    looked_at = []

    def look(reading: object) -> object:
        looked_at.append(reading.memory.of("a").digest)  # type: ignore[attr-defined]
        raise KeyError("enough")

    first.apply(["a"], T)
    with pytest.raises(KeyError):
        second.store.claim(second.run, second.service, ["a"], look, lease=LEASE, grace=GRACE)  # type: ignore[arg-type]
    assert set(looked_at) == {T.digest}


# --- the same wish ---------------------------------------------------------------------------------------------------


def test_a_younger_run_takes_over_at_once_what_it_wants_too(repeated: Stores) -> None:
    older, younger = repeated.actors("older", "younger")
    older.claim_all(AB, S)
    older.mark(["a"], S)
    younger.claim_all(AB, S)
    assert not older.renew()
    younger.mark(AB, S)
    assert younger.confirm(AB, S) == set()
    repeated.assert_known(AB, S)


def test_an_older_run_waits_for_a_younger_one_with_the_same_wish(repeated: Stores) -> None:
    older, younger = repeated.actors("older", "younger")
    older.claim_all(["z"], S)
    younger.claim_all(AB, S)
    held = older.held(AB, S)
    assert {holder.run.run_id for holder in held.values()} == {"run-younger"}
    assert younger.renew()


def test_an_older_run_may_take_what_a_dead_younger_one_wanted_too(repeated: Stores) -> None:
    older, younger = repeated.actors("older", "younger")
    older.claim_all(["z"], S)
    younger.claim_all(AB, S)
    younger.mark(AB, S)
    repeated.let_pass(LEASE)
    older.claim_all(AB, S)
    older.mark(AB, S)
    assert older.confirm(AB, S) == set()
    repeated.assert_known(AB, S)


def test_a_takeover_breaks_the_whole_claim_but_not_what_is_confirmed_of_the_rest(repeated: Stores) -> None:
    older, younger = repeated.actors("older", "younger")
    older.claim_all(["a", "b", "c"], S)
    older.mark(["a", "b"], S)
    younger.claim_all(["a"], S)
    assert not older.renew()
    assert older.mark(["a"], S) == {"a"}
    assert older.confirm(["a", "b"], S) == {"a"}
    repeated.assert_known(["a"], None)
    repeated.assert_known(["b"], S)


def test_what_a_broken_claim_has_not_marked_is_free_for_any_wish(repeated: Stores) -> None:
    older, younger, third = repeated.actors("older", "younger", "third")
    older.claim_all(["a", "b", "c"], S)
    older.mark(["a", "b"], S)
    younger.claim_all(["a"], S)
    result = third.try_claim({"a": T, "b": T, "c": T})
    assert result.claim is not None
    assert result.claim.instance_ids == {"c"}
    assert set(result.held) == {"a", "b"}
    assert result.held["b"].in_doubt
    assert older.mark(["c"], S) == {"c"}


def test_a_takeover_never_shortens_the_time_of_what_may_still_be_carried_out(repeated: Stores) -> None:
    older, younger, third = repeated.actors("older", "younger", "third")
    older.claim_all(AB, S)
    older.mark(AB, S)
    younger.claim_all(AB, S, lease=1.0, grace=1.0)
    younger.mark(AB, S)
    assert younger.confirm(AB, S) == set()
    younger.release()
    repeated.assert_known(AB, S)
    held = third.held(AB, T)
    assert all(holder.in_doubt and holder.seconds > LEASE + GRACE - 30 for holder in held.values())
    repeated.let_pass(LEASE + GRACE)
    third.claim_all(AB, T)


def test_the_same_run_again_after_a_kill_need_not_wait(repeated: Stores) -> None:
    killed, again = repeated.actors("killed", "again")
    killed.claim_all(["a", "b", "c"], S)
    killed.mark(["a", "b"], S)
    killed.confirm(["a"], S)
    again.claim_all(["b", "c"], S)
    again.mark(["b", "c"], S)
    assert again.confirm(["b", "c"], S) == set()
    repeated.assert_known(["a", "b", "c"], S)


def test_another_wish_after_a_kill_waits_for_the_claim_and_then_for_the_doubt(repeated: Stores) -> None:
    killed, other = repeated.actors("killed", "other")
    killed.claim_all(AB, S)
    killed.mark(["a"], S)
    assert {holder.in_doubt for holder in other.held(AB, T).values()} == {False}
    repeated.let_pass(LEASE)
    result = other.try_claim({"a": T, "b": T})
    assert result.claim is not None
    assert result.claim.instance_ids == {"b"}
    assert result.held["a"].in_doubt
    assert 0 < result.held["a"].seconds <= GRACE
    repeated.let_pass(GRACE)
    other.claim_all(["a"], T)


# --- doubts ----------------------------------------------------------------------------------------------------------


def test_a_doubt_keeps_other_wishes_away_until_its_time(repeated: Stores) -> None:
    first, same, other = repeated.actors("first", "same", "other")
    first.claim_all(AB, S)
    first.mark(AB, S)
    first.fail(AB, S, doubt_for=70.0)
    first.release()
    other.held(AB, T)
    same.claim_all(AB, S)
    same.release()
    repeated.let_pass(69)
    other.held(AB, T)
    repeated.let_pass(1)
    other.claim_all(AB, T)


def test_a_doubt_outlives_a_confirmation(repeated: Stores) -> None:
    first, other = repeated.actors("first", "other")
    first.claim_all(AB, S)
    first.mark(AB, S)
    first.confirm(AB, S, doubt_for=70.0)
    first.release()
    repeated.assert_known(AB, S)
    assert all(holder.in_doubt for holder in other.held(AB, T).values())
    repeated.let_pass(70)
    other.claim_all(AB, T)


def test_a_doubt_outlives_takeover_and_confirmation_by_others(repeated: Stores) -> None:
    first, second, third, other = repeated.actors("first", "second", "third", "other")
    first.claim_all(AB, S)
    first.mark(AB, S)
    first.fail(AB, S, doubt_for=500.0)
    first.release()
    second.apply(AB, S)
    third.apply(AB, S)
    repeated.let_pass(LEASE + GRACE)
    assert all(holder.in_doubt for holder in other.held(AB, T).values())
    repeated.let_pass(500)
    other.claim_all(AB, T)


def test_a_shorter_doubt_does_not_shorten_a_longer_one(repeated: Stores) -> None:
    first, second, other = repeated.actors("first", "second", "other")
    first.claim_all(AB, S)
    first.mark(AB, S)
    first.fail(AB, S, doubt_for=500.0)
    first.release()
    second.claim_all(AB, S)
    second.mark(AB, S)
    second.fail(AB, S, doubt_for=5.0)
    second.release()
    repeated.let_pass(400)
    other.held(AB, T)


def test_where_two_different_requests_are_in_doubt_everybody_waits(repeated: Stores) -> None:
    first, second, other = repeated.actors("first", "second", "other")
    first.claim_all(["a"], S)
    first.mark(["a"], S)
    repeated.let_pass(LEASE + GRACE)
    second.claim_all(["a"], T)
    second.mark(["a"], T)
    # The first run was paused all the time, and its request goes out only now.
    assert first.fail(["a"], S, doubt_for=70.0) == {"a"}
    assert second.fail(["a"], T, doubt_for=70.0) == {"a"}
    second.release()
    repeated.assert_known(["a"], None)
    for wish in (S, T, U):
        assert other.held(["a"], wish)["a"].in_doubt
    repeated.let_pass(70 + LEASE + GRACE)
    other.claim_all(["a"], U)


def test_a_doubt_that_is_over_has_no_say_in_the_next(repeated: Stores) -> None:
    first, second, third = repeated.actors("first", "second", "third")
    first.claim_all(["a"], S)
    first.mark(["a"], S)
    first.fail(["a"], S, doubt_for=70.0)
    first.release()
    repeated.let_pass(70)
    second.claim_all(["a"], T)
    second.mark(["a"], T)
    second.fail(["a"], T, doubt_for=70.0)
    second.release()
    third.claim_all(["a"], T)


# --- claims that were lost -------------------------------------------------------------------------------------------


def test_a_confirmation_needs_the_claim(repeated: Stores) -> None:
    first, second = repeated.actors("first", "second")
    first.claim_all(AB, S)
    first.mark(["a"], S)
    repeated.let_pass(LEASE + GRACE)
    second.claim_all(AB, T)
    assert first.confirm(["a"], S) == {"a"}
    repeated.assert_known(["a"], None)


def test_a_mark_needs_the_claim(repeated: Stores) -> None:
    first, second = repeated.actors("first", "second")
    first.claim_all(AB, S)
    repeated.let_pass(LEASE)
    second.claim_all(["a"], T)
    assert first.mark(AB, S) == {"a"}
    second.mark(["a"], T)
    assert second.confirm(["a"], T) == set()
    repeated.assert_known(["a"], T)


@pytest.mark.parametrize("outcome", [Outcome.CONFIRMED, Outcome.UNCONFIRMED])
def test_a_request_sent_without_the_claim_makes_unknown_and_the_others_confirmation_fail(
    repeated: Stores, outcome: Outcome
) -> None:
    first, second = repeated.actors("first", "second")
    first.claim_all(AB, S)
    first.mark(AB, S)
    repeated.let_pass(LEASE + GRACE)
    second.claim_all(AB, T)
    second.mark(AB, T)
    first.store.record(first.claim, [Resolution(("a",), S, outcome, "late")], [])
    assert second.confirm(AB, T) == {"a"}
    repeated.assert_known(["a"], None)
    repeated.assert_known(["b"], T)


def test_a_request_sent_without_the_claim_makes_unknown_what_another_run_had_confirmed_already(
    repeated: Stores,
) -> None:
    first, second, third = repeated.actors("first", "second", "third")
    first.claim_all(AB, S)
    first.mark(AB, S)
    repeated.let_pass(LEASE + GRACE)
    second.apply(AB, T)
    repeated.assert_known(AB, T)
    assert first.confirm(["a"], S, doubt_for=70.0) == {"a"}
    repeated.assert_known(["a"], None)
    repeated.assert_known(["b"], T)
    assert third.held(["a"], T)["a"].in_doubt


def test_a_lost_claim_under_which_nothing_was_sent_harms_nobody(repeated: Stores) -> None:
    first, second = repeated.actors("first", "second")
    first.claim_all(AB, S)
    first.mark(AB, S)
    repeated.let_pass(LEASE + GRACE)
    second.claim_all(AB, T)
    second.mark(AB, T)
    assert first.take_back(AB, S) == set(AB)
    repeated.assert_known(AB, None)
    assert second.confirm(AB, T) == set()
    assert first.take_back(AB, S) == set(AB)
    repeated.assert_known(AB, T)


def test_a_lost_claim_is_harmless_where_the_other_brings_the_very_same_settings(repeated: Stores) -> None:
    older, younger = repeated.actors("older", "younger")
    older.claim_all(AB, S)
    older.mark(AB, S)
    younger.claim_all(AB, S)
    younger.mark(AB, S)
    assert older.confirm(["a"], S) == {"a"}
    assert younger.confirm(AB, S) == set()
    repeated.assert_known(AB, S)
    assert older.fail(["b"], S, doubt_for=70.0) == {"b"}
    repeated.assert_known(AB, S)


def test_what_comes_too_late_doesnt_count_against_a_claim_that_was_given_back_unused(repeated: Stores) -> None:
    first, second, third = repeated.actors("first", "second", "third")
    first.claim_all(AB, S)
    first.mark(AB, S)
    repeated.let_pass(LEASE + GRACE)
    second.apply(AB, S)
    third.claim_all(AB, T)
    assert first.confirm(["a"], S) == {"a"}
    third.release()
    assert first.confirm(["b"], S) == {"b"}
    repeated.assert_known(["a"], None)
    repeated.assert_known(["b"], S)


def test_nothing_is_marked_nor_confirmed_under_a_claim_that_was_given_back(repeated: Stores) -> None:
    first, second = repeated.actors("first", "second")
    first.apply(AB, S)
    second.claim_all(AB, T)
    claim = second.claim
    second.release()
    assert second.store.record(claim, [], [Mark(("a",), T)]) == {"a"}
    assert second.store.record(claim, [Resolution(("b",), T, Outcome.CONFIRMED, "late")], []) == {"b"}
    repeated.assert_known(["a"], S)
    repeated.assert_known(["b"], None)


def test_what_was_marked_when_a_claim_is_given_back_can_be_claimed_at_once_for_the_same_settings(
    repeated: Stores,
) -> None:
    first, second = repeated.actors("first", "second")
    first.apply(["a", "b", "c"], S)
    first.claim_all(["a", "b", "c"], T)
    first.mark(["a", "b"], T)
    assert first.confirm(["b"], T) == set()
    first.release()
    repeated.assert_known(["a"], None)
    repeated.assert_known(["b"], T)
    repeated.assert_known(["c"], S)
    assert second.held(["a"], S)["a"].in_doubt
    second.claim_all(["a"], T)
    second.claim_all(["b", "c"], S)


def test_what_comes_too_late_of_one_run_counts_against_a_third(repeated: Stores) -> None:
    first, second, third = repeated.actors("first", "second", "third")
    first.claim_all(["a"], S)
    first.mark(["a"], S)
    repeated.let_pass(LEASE + GRACE)
    second.claim_all(["a"], S)
    second.mark(["a"], S)
    repeated.let_pass(LEASE + GRACE)
    third.claim_all(["a"], T)
    third.mark(["a"], T)
    assert first.fail(["a"], S, doubt_for=70.0) == {"a"}
    assert third.confirm(["a"], T) == {"a"}
    repeated.assert_known(["a"], None)


def test_one_record_writes_how_some_ended_and_which_are_next(repeated: Stores) -> None:
    first, second = repeated.actors("first", "second")
    first.apply(["a", "b", "c", "d"], S)
    second.claim_all(["a", "b", "c", "d"], T)
    second.mark(["a", "b", "c"], T)
    lost = second.store.record(
        second.claim,
        [
            Resolution(("a",), T, Outcome.CONFIRMED, "request-a"),
            Resolution(("b",), T, Outcome.UNCONFIRMED),
            Resolution(("c",), T, Outcome.NOT_PROCESSED),
        ],
        [Mark(("d",), T)],
    )
    assert lost == set()
    repeated.assert_known(["a"], T)
    repeated.assert_known(["b", "d"], None)
    repeated.assert_known(["c"], S)


def test_what_one_record_confirms_twice_is_in_the_history_twice(repeated: Stores) -> None:
    (run,) = repeated.actors("one")
    run.claim_all(AB, S)
    run.mark(AB, S)
    confirmed = [
        Resolution(("a", "b"), S, Outcome.CONFIRMED, "first"),
        Resolution(("a",), S, Outcome.CONFIRMED, "second"),
    ]
    assert run.store.record(run.claim, confirmed, []) == set()
    history = {record.instance_id: record.history for record in repeated.records(AB, history=True)}
    assert {one.request_id for one in history["a"]} == {"first", "second"}
    assert [one.request_id for one in history["b"]] == ["first"]


# --- regions ---------------------------------------------------------------------------------------------------------


def test_regions_are_remembered_of_what_is_claimed(repeated: Stores) -> None:
    first, second = repeated.actors("first", "second")
    first.claim_all(["a", "b", "c"], S)
    repeated.let_pass(LEASE)
    second.claim_all(["c"], T)
    first.store.learn_regions(first.claim, {"north": ["a", "c"], "south": ["b"]})
    assert {record.instance_id: record.region for record in repeated.records(None)} == {
        "a": "north",
        "b": "south",
        "c": None,
    }
    repeated.assert_known(["a", "b", "c"], None)


# --- forgetting ------------------------------------------------------------------------------------------------------


def test_what_is_forgotten_is_unknown(repeated: Stores) -> None:
    first, second = repeated.actors("first", "second")
    first.apply(["a", "b"], S)
    second.store.forget(second.run, second.service, ["a", "never-seen"])
    repeated.assert_known(["a", "never-seen"], None)
    repeated.assert_known(["b"], S)


def test_what_is_being_confirmed_when_it_is_forgotten_is_not(repeated: Stores) -> None:
    first, second = repeated.actors("first", "second")
    first.claim_all(AB, S)
    first.mark(AB, S)
    second.store.forget(second.run, second.service, ["a"])
    assert first.confirm(AB, S) == {"a"}
    repeated.assert_known(["a"], None)
    repeated.assert_known(["b"], S)
    first.claim_all(["a"], S)
    first.mark(["a"], S)
    assert first.confirm(["a"], S) == set()
    repeated.assert_known(AB, S)


def test_a_mark_is_not_taken_back_to_what_was_forgotten(repeated: Stores) -> None:
    first, second, third = repeated.actors("first", "second", "third")
    first.apply(["a"], S)
    second.claim_all(["a"], T)
    second.mark(["a"], T)
    third.store.forget(third.run, third.service, ["a"])
    second.take_back(["a"], T)
    repeated.assert_known(["a"], None)
    second.release()
    repeated.assert_known(["a"], None)


def test_forgetting_shortens_no_doubt(repeated: Stores) -> None:
    first, second, other = repeated.actors("first", "second", "other")
    first.claim_all(["a"], S)
    first.mark(["a"], S)
    second.store.forget(second.run, second.service, ["a"])
    other.held(["a"], T)
    repeated.let_pass(LEASE)
    assert other.held(["a"], T)["a"].in_doubt


def test_what_was_forgotten_in_one_service_is_known_in_another(repeated: Stores) -> None:
    here = repeated.actor("here", service="https://one.example")
    there = repeated.actor("there", service="https://two.example")
    here.apply(["a"], S)
    there.apply(["a"], S)
    here.store.forget(here.run, here.service, ["a"])
    repeated.assert_known(["a"], None, service="https://one.example")
    repeated.assert_known(["a"], S, service="https://two.example")


# --- adopting --------------------------------------------------------------------------------------------------------


def test_what_is_adopted_is_known_without_a_request(repeated: Stores) -> None:
    (run,) = repeated.actors("one")
    run.claim_all(AB, S)
    run.store.record(run.claim, [Resolution(tuple(AB), S, Outcome.CONFIRMED)], [])
    run.release()
    repeated.assert_known(AB, S)
    for record in repeated.records(AB, history=True):
        assert record.last is not None
        assert record.last.request_id is None
        assert [entry.request_id for entry in record.history] == [None]


def test_nothing_is_adopted_while_another_wish_may_still_be_carried_out(repeated: Stores) -> None:
    first, adopter = repeated.actors("first", "adopter")
    first.claim_all(["a"], S)
    first.mark(["a"], S)
    adopter.held(["a"], T)
    first.fail(["a"], S, doubt_for=70.0)
    first.release()
    assert adopter.held(["a"], T)["a"].in_doubt


# --- texts -----------------------------------------------------------------------------------------------------------


def test_a_holder_is_named_by_what_is_known_of_it(repeated: Stores) -> None:
    first, second = repeated.actors("first", "second")
    first.run = type(first.run)("bare")
    first.claim_all(["a"], S)
    held: Held = second.held(["a"], T)["a"]
    assert "run bare," in str(held)
    assert "()" not in str(held)
