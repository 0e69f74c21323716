# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a store tells: consistent readings, continued plans, records and history; and what is pruned."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence

from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Reading as AnyReading
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Status
from ansible_collections.koophone.fleet.plugins.module_utils._state._reading import Reading
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import look_at, records_of
from tests.store.acting import DAY, SERVICE, Actor, S, Stores, T, U, seen, settings

AB = ["a", "b"]


def test_looking_creates_no_store(stores: Stores) -> None:
    assert look_at(stores.location, SERVICE, AB, lambda reading: seen(reading, AB)) == {"a": None, "b": None}
    assert look_at(stores.location, SERVICE, AB, lambda reading: reading.changed_by_others("plan", "desired")) is None
    assert records_of(stores.location, None, None, history=True) == []
    path = stores.location.path
    if path is not None:
        assert not path.parent.exists()
    else:
        run = stores.actor("one")
        assert stores.rows("runs") == []
        run.store.close()


def test_looking_changes_nothing(stores: Stores) -> None:
    (run,) = stores.actors("one")
    run.apply(["a"], S)
    run.claim_all(["b"], T)
    run.mark(["b"], T)
    before = stores.everything()
    assert look_at(stores.location, SERVICE, AB, lambda reading: seen(reading, AB)) == {"a": S.digest, "b": None}
    assert len(records_of(stores.location, None, None, history=True)) == 2
    assert stores.everything() == before


def test_what_is_read_is_one_moment(stores: Stores) -> None:
    (run,) = stores.actors("one")
    run.apply(AB, S)
    run.claim_all(AB, T)

    def write() -> None:
        writer = Actor(stores.open_for_thread(), run.run, claimed=run.claim)
        writer.mark(AB, T)
        writer.confirm(AB, T)
        writer.store.close()

    def look(reading: AnyReading) -> tuple[dict[str, str | None], dict[str, str | None]]:
        assert isinstance(reading, Reading)
        first = seen(reading, AB)
        # One store lets the writer through while we look, the other keeps it waiting; we see the same in both.
        thread.start()
        thread.join(1.0)
        return first, seen(Reading(reading.tx, SERVICE, AB), AB)

    thread = threading.Thread(target=write)
    first, second = stores.open().read(SERVICE, AB, look)
    thread.join()
    assert first == second == dict.fromkeys(AB, S.digest)
    stores.assert_known(AB, T)


# --- plans that are continued ----------------------------------------------------------------------------------------


def _continues(stores: Stores, plan: str, desired: str = "desired", ids: Sequence[str] = ("a", "b")) -> bool:
    others = stores.open().read(SERVICE, list(ids), lambda reading: reading.changed_by_others(plan, desired))
    return others is not None and not others


def _part(actor: Actor, ids: list[str], *, plan: str, approved: str = "", desired: str = "desired") -> None:
    """A run that claims all and gets only some done."""
    actor.claim_all(AB, T, plan=plan, approved=approved, desired=desired)
    actor.mark(ids, T)
    actor.confirm(ids, T)
    actor.release()
    actor.finish()


def test_a_plan_that_no_run_had_is_not_continued(repeated: Stores) -> None:
    assert not _continues(repeated, "p1")
    _part(repeated.actor("one"), ["a"], plan="p2")
    assert not _continues(repeated, "p1")


def test_a_run_that_got_half_way_is_continued(repeated: Stores) -> None:
    repeated.actor("zero").apply(AB, S)
    _part(repeated.actor("one"), ["a"], plan="p1")
    assert _continues(repeated, "p1")
    assert not _continues(repeated, "p1", desired="another")


def test_a_run_that_was_continued_once_is_continued_again(repeated: Stores) -> None:
    repeated.actor("zero").apply(AB, S)
    _part(repeated.actor("one"), ["a"], plan="p1")
    _part(repeated.actor("two"), ["b"], plan="p2", approved="p1")
    assert _continues(repeated, "p1")


def test_a_run_is_not_continued_when_somebody_else_changed_an_instance_since(repeated: Stores) -> None:
    repeated.actor("zero").apply(AB, S)
    _part(repeated.actor("one"), ["a"], plan="p1")
    repeated.actor("other").apply(["b"], U, plan="p9", desired="another")
    assert not _continues(repeated, "p1")
    assert _continues(repeated, "p1", ids=["a"])


def test_a_run_is_not_continued_when_somebody_marked_or_forgot_an_instance_since(repeated: Stores) -> None:
    repeated.actor("zero").apply(AB, S)
    _part(repeated.actor("one"), ["a"], plan="p1")
    marking = repeated.actor("marking")
    marking.claim_all(["b"], U, plan="p9", desired="another")
    assert _continues(repeated, "p1")
    marking.mark(["b"], U)
    assert not _continues(repeated, "p1")
    forgetting = repeated.actor("forgetting")
    forgetting.store.forget(forgetting.run, SERVICE, ["a"])
    assert not _continues(repeated, "p1", ids=["a"])


def test_what_others_changed_since_a_plan_was_begun_is_told_instance_by_instance(repeated: Stores) -> None:
    def changed_by_others() -> set[str] | None:
        return repeated.open().read(SERVICE, AB, lambda reading: reading.changed_by_others("p1", "desired"))

    repeated.actor("zero").apply(AB, S)
    assert changed_by_others() is None
    _part(repeated.actor("one"), ["a"], plan="p1")
    assert changed_by_others() == set()
    _part(repeated.actor("two"), ["a"], plan="p2", approved="p1")
    assert changed_by_others() == set()
    repeated.actor("other").apply(["b"], U, plan="p9", desired="another")
    assert changed_by_others() == {"b"}
    # A run that has the very same plan again found everything as it was approved.
    _part(repeated.actor("again"), ["a"], plan="p1")
    assert changed_by_others() == set()


def test_who_changed_instances_last_is_told_in_words(repeated: Stores) -> None:
    def latest(ids: Sequence[str]) -> Sequence[str]:
        return repeated.open().read(SERVICE, list(ids), lambda reading: reading.latest_changes())

    assert latest(AB) == []
    repeated.actor("zero").apply(AB, S)
    repeated.actor("one").apply(["b"], U, plan="p9", desired="another")
    newest, oldest = latest(AB)
    assert re.fullmatch(r"run run-one \(user-one, host-one, job job-one\) changed 1 instance at [0-9T:-]{19}Z", newest)
    assert re.fullmatch(r"run run-zero \(.*\) changed 1 instance at [0-9T:-]{19}Z", oldest)
    assert latest(["a"]) == [oldest]
    assert latest(["c"]) == []


def test_a_plan_of_another_service_is_not_continued(repeated: Stores) -> None:
    _part(repeated.actor("one", service="https://two.example"), ["a"], plan="p1")
    assert not _continues(repeated, "p1")


# --- records and history ---------------------------------------------------------------------------------------------


def test_a_record_names_what_was_confirmed_last_whatever_happened_since(repeated: Stores) -> None:
    first, second = repeated.actors("first", "second")
    before = time.time()
    first.apply(["a"], S, "request-1")
    after = time.time()
    second.claim_all(["a"], T)
    second.mark(["a"], T)
    (record,) = repeated.records(["a"])
    assert record.status is Status.UNKNOWN
    assert record.last is not None
    assert record.last.settings == S
    assert record.last.request_id == "request-1"
    assert record.last.run == first.run
    assert before - 1 <= record.last.applied_at <= after + 1


def test_history_holds_every_confirmation_once_and_the_newest_first(repeated: Stores) -> None:
    first, second = repeated.actors("first", "second")
    first.apply(["a"], S, "request-1")
    second.apply(["a"], T, "request-2")
    (record,) = repeated.records(["a"], history=True)
    assert [(entry.settings, entry.request_id, entry.run) for entry in record.history] == [
        (T, "request-2", second.run),
        (S, "request-1", first.run),
    ]


def test_history_goes_after_its_age_but_never_what_is_still_referred_to(repeated: Stores) -> None:
    for number in range(5):
        repeated.actor(str(number)).apply(["a"], settings(number), f"request-{number}")
    repeated.actor("b").apply(["b"], S, "request-b")
    last = repeated.actor("last")
    last.finish(history_age=-DAY)
    records = {record.instance_id: record for record in repeated.records(None, history=True)}
    assert [entry.request_id for entry in records["a"].history] == ["request-4"]
    assert [entry.request_id for entry in records["b"].history] == ["request-b"]
    repeated.assert_known(["a"], settings(4))
    repeated.assert_known(["b"], S)


def test_history_stays_until_its_age(repeated: Stores) -> None:
    for number in range(3):
        repeated.actor(str(number)).apply(["a"], settings(number), f"request-{number}")
    repeated.actor("last").finish(history_age=DAY)
    (record,) = repeated.records(["a"], history=True)
    assert len(record.history) == 3


def test_pruning_takes_no_claim_mark_or_doubt_away(repeated: Stores) -> None:
    holder, doubter, other = repeated.actors("holder", "doubter", "other")
    doubter.claim_all(["b"], S)
    doubter.mark(["b"], S)
    doubter.fail(["b"], S, doubt_for=70.0)
    doubter.release()
    holder.claim_all(["a"], S)
    holder.mark(["a"], S)
    repeated.actor("last").finish(history_age=-DAY)
    assert other.held(["a"], T)["a"].run == holder.run
    assert other.held(["b"], T)["b"].run == doubter.run
    assert holder.renew()
    assert holder.confirm(["a"], S) == set()
    repeated.assert_known(["a"], S)
    assert [record.instance_id for record in repeated.records(None, history=True)] == AB


def test_a_run_is_kept_with_its_times_its_digests_and_its_counts(repeated: Stores) -> None:
    before = time.time()
    run = repeated.actor("one")
    run.apply(AB, S, plan="p1", desired="d1", approved="p0")
    ((*told, started_at, ended_at),) = repeated.rows(
        "runs",
        "run_id, user_name, host, job, plan_digest, desired_digest, approved_plan,"
        " instances, changed, failed, not_attempted, started_at, ended_at",
    )
    assert told == ["run-one", "user-one", "host-one", "job-one", "p1", "d1", "p0", 4, 3, 2, 1]
    assert before - 1 <= started_at <= ended_at <= time.time() + 1
