# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused before the first request leaves no instance unknown that was known; nor does a wrong token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._apply import apply
from ansible_collections.koophone.fleet.plugins.module_utils._guard import RefusedError
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Status
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import look_at, open_store, records_of
from tests.emulator.handle import Emulator
from tests.races.evidence import lies
from tests.races.play import CALM
from tests.races.run import RunSpec, carry_out, job_of, location_of, palette
from tests.support.emulators import served
from tests.support.postgres import PostgreSQL

SERVICE = "https://service.example"
INSTANCES = [f"instance-{number:02}" for number in range(20)]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL() as running:
        yield running


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    yield from served()


@pytest.fixture
def emulator(running: Emulator) -> Emulator:
    running.reset()
    running.add(INSTANCES, region="cn-south-1")
    return running


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/fleet.sqlite3"
    running: PostgreSQL = request.getfixturevalue("server")
    return running.url(running.create_database())


@pytest.fixture
def spec(emulator: Emulator, state_url: str) -> RunSpec:
    """A run that wants all instances to have settings 1."""
    return RunSpec(
        name="approved",
        service=SERVICE,
        endpoint=emulator.url,
        state_url=state_url,
        desired=dict.fromkeys(INSTANCES, 1),
        timing=CALM,
    )


@pytest.fixture
def carry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[RunSpec], dict[str, Any]]:
    """Carry a run out in this process."""
    # What it sets for its own process is not for those that the tests share.
    monkeypatch.setattr("tests.races.run.shorten_times", lambda _timing: None)
    return lambda spec: carry_out(spec, tmp_path / "log")


def _records(spec: RunSpec) -> dict[str, tuple[Status, str | None]]:
    found = records_of(location_of(spec.state_url), SERVICE, None, history=False)
    return {
        record.instance_id: (record.status, record.last.settings.digest if record.last is not None else None)
        for record in found
    }


def _known(**numbers: Sequence[str]) -> dict[str, tuple[Status, str | None]]:
    return {
        instance_id: (Status.APPLIED, palette(int(number[1:])).digest)
        for number, ids in numbers.items()
        for instance_id in ids
    }


def _never(_ids: Sequence[str], _settings: Settings) -> str:
    pytest.fail("a request was sent")


def _plan_digest(spec: RunSpec) -> str:
    job = job_of(spec)
    return look_at(location_of(spec.state_url), SERVICE, job.desired, job.checked_plan).digest


def _apply_now(spec: RunSpec) -> None:
    """The part of a run that comes after its first look at the store."""
    store = open_store(location_of(spec.state_url))
    try:
        apply(job_of(spec), store, _never)
    finally:
        store.close()


def test_a_stale_approval_is_refused_at_the_claim(spec: RunSpec, carry: Callable[[RunSpec], dict[str, Any]]) -> None:
    carry(replace(spec, name="before", desired=dict.fromkeys(INSTANCES, 0)))
    approved = replace(spec, approved_plan=_plan_digest(spec))
    job = job_of(approved)
    # At the look, all is as it was approved; then another run moves one instance.
    assert look_at(location_of(spec.state_url), SERVICE, job.desired, job.checked_plan).digest == approved.approved_plan
    carry(replace(spec, name="other", desired={INSTANCES[7]: 2}))
    before = _records(spec)
    with pytest.raises(RefusedError, match="since the approval"):
        _apply_now(approved)
    assert _records(spec) == before == _known(n0=[*INSTANCES[:7], *INSTANCES[8:]], n2=[INSTANCES[7]])


def test_a_stale_approval_is_refused_when_an_instance_has_become_unknown(
    spec: RunSpec, carry: Callable[[RunSpec], dict[str, Any]], emulator: Emulator
) -> None:
    carry(replace(spec, name="before", desired=dict.fromkeys(INSTANCES, 0)))
    approved = replace(spec, approved_plan=_plan_digest(spec))
    emulator.fault("error", effect="none", times=None)
    carry(replace(spec, name="other", desired={INSTANCES[7]: 2}, retries=0))
    emulator.clear_faults()
    with pytest.raises(RefusedError, match="since the approval"):
        _apply_now(approved)


@pytest.mark.parametrize("max_changed", ["10", "50%"])
def test_a_stale_max_changed_is_refused_at_the_claim(
    spec: RunSpec, carry: Callable[[RunSpec], dict[str, Any]], max_changed: str
) -> None:
    carry(replace(spec, name="before"))
    carry(replace(spec, name="half", desired=dict.fromkeys(INSTANCES[:10], 0)))
    limited = replace(spec, max_changed=max_changed)
    job = job_of(limited)
    assert len(look_at(location_of(spec.state_url), SERVICE, job.desired, job.checked_plan).changes) == 10
    carry(replace(spec, name="other", desired={INSTANCES[15]: 2}))
    before = _records(spec)
    with pytest.raises(RefusedError, match="11 are to be changed"):
        _apply_now(limited)
    assert _records(spec) == before
    assert {status for status, _digest in before.values()} == {Status.APPLIED}


def test_a_refused_plan_leaves_no_run_and_no_claim_behind(
    spec: RunSpec, carry: Callable[[RunSpec], dict[str, Any]]
) -> None:
    carry(replace(spec, name="before", desired=dict.fromkeys(INSTANCES, 0)))
    with pytest.raises(RefusedError):
        _apply_now(replace(spec, max_changed="1"))
    # Nobody has to wait for it.
    outcome = carry(replace(spec, name="after", desired=dict.fromkeys(INSTANCES, 2), claim_timeout=0.0))
    assert sorted(outcome["changed"]) == INSTANCES
    assert outcome["notes"] == []


def test_an_approved_plan_goes_on_after_a_failure_but_not_over_what_another_run_changed(
    spec: RunSpec, carry: Callable[[RunSpec], dict[str, Any]], emulator: Emulator
) -> None:
    carry(replace(spec, name="before", desired=dict.fromkeys(INSTANCES, 0)))
    approved = replace(spec, approved_plan=_plan_digest(spec), batch_size=5, concurrency=1, retries=0)
    emulator.fault("error", http_status=400, error_code="KOOPHONE.API.1000", ids=INSTANCES[10:], times=None)
    outcome = carry(approved)
    assert sorted(outcome["failed"]) == INSTANCES[10:]
    emulator.clear_faults()
    outcome = carry(replace(approved, name="again"))
    assert sorted(outcome["changed"]) == INSTANCES[10:]
    carry(replace(spec, name="other", desired={INSTANCES[3]: 2}))
    refused = carry(replace(approved, name="once more"))
    assert refused["kind"] == "RefusedError"


def test_with_a_wrong_token_nothing_becomes_unknown(
    spec: RunSpec, carry: Callable[[RunSpec], dict[str, Any]], emulator: Emulator
) -> None:
    carry(replace(spec, name="before", desired=dict.fromkeys(INSTANCES[:15], 0)))
    before = _records(spec)
    requests = len(emulator.requests())
    outcome = carry(replace(spec, name="wrong", token="wrong", batch_size=1, concurrency=3))
    assert "APIGW.0301" in str(outcome["ended_by"])
    assert outcome["changed"] == []
    # Those in flight when the first was refused, and no more.
    assert 1 <= len(emulator.requests()) - requests <= 3
    after = _records(spec)
    assert {instance_id: after[instance_id] for instance_id in before} == before
    # And nobody has to wait for anything.
    outcome = carry(replace(spec, name="after", desired=dict.fromkeys(INSTANCES, 2), claim_timeout=0.0))
    assert sorted(outcome["changed"]) == INSTANCES
    assert outcome["notes"] == []


def test_with_a_token_that_expires_on_the_way_only_what_was_sent_is_changed(
    spec: RunSpec, carry: Callable[[RunSpec], dict[str, Any]], emulator: Emulator
) -> None:
    emulator.config(static_token_requests=5)
    carry(replace(spec, name="before", desired=dict.fromkeys(INSTANCES, 0), batch_size=100))
    outcome = carry(replace(spec, batch_size=1, concurrency=1))
    assert "APIGW.0307" in str(outcome["ended_by"])
    changed = outcome["changed"]
    assert 0 < len(changed) < 5
    assert _records(spec) == _known(n1=changed, n0=[i for i in INSTANCES if i not in changed])
    found = records_of(location_of(spec.state_url), SERVICE, None, history=False)
    assert lies(found, emulator.state(INSTANCES)) == []


def test_with_nobody_at_the_endpoint_nothing_becomes_unknown(
    spec: RunSpec, carry: Callable[[RunSpec], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    carry(replace(spec, name="before", desired=dict.fromkeys(INSTANCES, 0)))
    before = _records(spec)
    outcome = carry(replace(spec, name="unreachable", endpoint="http://127.0.0.1:9", retries=0))
    assert outcome["ended_by"]
    assert outcome["requests"] == 0
    assert _records(spec) == before
