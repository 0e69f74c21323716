# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each fault of the emulator with each kind of credentials: result, state and message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._auth import CredentialsError
from tests.emulator.codes import AUTH_TOKENS
from tests.emulator.handle import Emulator
from tests.faults.identity import IDENTITIES, TELLTALE, Setting
from tests.faults.running import message_of
from tests.support.fleets import A, B, Fleet, ids_of

# The vendor's signer asks for the time in a way that newer Pythons frown upon.
pytestmark = pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")

# For faults that only a time-out ends; long enough for any other request on a busy machine.
TIMEOUT = 0.4


@dataclass(frozen=True)
class Case:
    """A fault, what becomes of a run that it strikes at every try, and what the message says then.

    `passes`: struck once, everything is applied all the same. `ends`: the run ends at the first.
    """

    kind: str
    says: tuple[str, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    passes: bool = True
    ends: bool = False

    @property
    def timeout(self) -> float:
        return TIMEOUT if self.kind == "drip" or self.fields.get("then") == "hang" else 30.0


UNANSWERED = ("no answer", f"within {TIMEOUT} seconds")
ECHO = {"echo_headers": True}
CASES = {
    "error 500": Case("error", ("KOOPHONE.API.9999", "internal error"), ECHO),
    "error 500, done": Case("error", ("KOOPHONE.API.9999",), {**ECHO, "effect": "full"}),
    "error 500, half done": Case("error", ("KOOPHONE.API.9999",), {"effect": "partial"}),
    "error 503 of the gateway": Case("error", ("APIGW.0201",), {"http_status": 503, "error_code": "APIGW.0201"}),
    "refused request": Case(
        "error", ("a request parameter is wrong",), {"http_status": 400, "error_code": "KOOPHONE.API.1000"}, False
    ),
    "refused run": Case(
        "error",
        ("has not subscribed", "ended early"),
        {"http_status": 200, "error_code": "KOOPHONE.API.1004"},
        False,
        True,
    ),
    "drop": Case("drop", ("no answer",)),
    "drop, done": Case("drop", ("no answer",), {"effect": "full"}),
    "html 502": Case("html", ("trouble at the gateway", "502 Bad Gateway"), ECHO),
    "html 403": Case(
        "html", ("the credentials are refused", "403 Forbidden"), {**ECHO, "http_status": 403}, False, True
    ),
    "html 200": Case("html", ("not JSON of this API",), {**ECHO, "http_status": 200}, False),
    "throttle": Case("throttle", ("throttled",), {"retry_after": 0}),
    "late, dropped": Case("late", ("no answer",), {"seconds": 0.05, "then": "drop"}),
    "late, hangs": Case("late", UNANSWERED, {"seconds": 0.05, "then": "hang"}),
    "late, error": Case("late", ("APIGW.0201",), {"seconds": 0.05, "then": "error"}),
    "late, never done": Case("late", UNANSWERED, {"seconds": 0.0, "then": "hang", "effect": "none"}),
    "drip": Case("drip", UNANSWERED, {"seconds_per_byte": 0.05}),
    "drip of the head": Case("drip", UNANSWERED, {"seconds_per_byte": 0.02, "head": True}),
    "empty 200": Case("empty", ("not JSON of this API", "the body is empty"), {"effect": "full"}, False),
    "empty 500": Case("empty", ("trouble", "the body is empty"), {"http_status": 500}),
    "wrong types": Case("text", ("no error_code",), {"body": '{"error_code": {}, "error_msg": 7}'}, False),
    "no object": Case("text", ("not JSON of this API",), {"body": '["0"]'}, False),
    "huge": Case("huge", ("not JSON of this API",), {"bytes": 9 << 20}, False),
    "redirect": Case(
        "redirect", ("a redirect", "not followed", "check the endpoint"), {"location": "http://127.0.0.2/"}, False, True
    ),
}


@pytest.fixture
def fleet(request: pytest.FixtureRequest, setting: Setting, tmp_path: Path) -> Fleet:
    """Runs with one kind of credentials."""
    return Fleet(setting.emulator, tmp_path / "fleet.sqlite3", IDENTITIES[request.param](setting))


@pytest.mark.parametrize("fleet", IDENTITIES, indirect=True)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_fault_that_strikes_every_try(fleet: Fleet, emulator: Emulator, case: Case) -> None:
    group = fleet.group("g", 8, A)
    fleet.run(group)
    assert fleet.known(group) == dict.fromkeys(group.instance_ids, A)
    asked = fleet.iam_calls
    emulator.fault(case.kind, **case.fields, times=None)
    wanted = fleet.group("g", 8, B, add=False)
    applied = fleet.run(wanted, batch_size=2, concurrency=2, retries=1, timeout=case.timeout, settle=0.0)
    message, outcomes = message_of(applied), applied.outcomes
    for words in case.says:
        assert words in message
    assert outcomes.changed == set()
    assert outcomes.failed
    assert outcomes.failed.keys() | outcomes.not_attempted == ids_of(wanted)
    tries = 2 if case.passes else 1
    # Two at once; what ends a run ends it at the first, and what fails in passing after three batches.
    assert emulator.count() - 1 == outcomes.requests <= (2 if case.ends else 4 * tries)
    if case.ends:
        assert outcomes.not_attempted
    for failure in outcomes.failed.values():
        assert failure.request_id
    # What no request was sent for is known as before, and nothing is known that may be false.
    assert outcomes.not_attempted <= fleet.known(wanted).keys()
    assert fleet.iam_calls - asked <= 1

    emulator.clear_faults()
    again = fleet.run(wanted, settle=0.0, claim_timeout=5.0)
    assert again.outcomes.failed == {}
    assert fleet.known(wanted) == dict.fromkeys(wanted.instance_ids, B)
    assert emulator.conflicts() == []
    assert emulator.repeated_request_ids() == []


@pytest.mark.parametrize("fleet", ["iam", "temporary key"], indirect=True)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_fault_that_strikes_once(fleet: Fleet, emulator: Emulator, case: Case) -> None:
    emulator.fault(case.kind, **case.fields)
    group = fleet.group("g", 8, A)
    outcomes = fleet.run(group, batch_size=2, concurrency=1, retries=1, timeout=case.timeout, settle=0.0).outcomes
    known = fleet.known(group).keys()
    if case.passes:
        assert outcomes.changed == known == ids_of(group)
        assert (outcomes.failed, outcomes.ended_by, outcomes.requests) == ({}, None, 5)
    else:
        assert len(outcomes.failed) == 2
        assert len(outcomes.not_attempted) == (6 if case.ends else 0)
        assert outcomes.changed == known == ids_of(group) - outcomes.failed.keys() - outcomes.not_attempted
    assert emulator.count() == outcomes.requests


# What IAM answers, and whether asking again helps.
IAM_CASES = {
    "error 500": Case("error", ("HTTP 500", "given up after 2 tries"), ECHO),
    "throttle": Case("throttle", ("HTTP 429", "given up after 2 tries")),
    "drop": Case("drop", ("no answer", "given up after 2 tries")),
    "html 502": Case("html", ("HTTP 502", "given up after 2 tries"), ECHO),
    "hangs": Case("late", ("no answer", "given up after 2 tries"), {"seconds": 0.0, "then": "hang", "effect": "none"}),
    "drip": Case("drip", ("no answer", "given up after 2 tries"), {"seconds_per_byte": 0.05}),
    "html 403": Case("html", ("HTTP 403", "IAM refuses user emulator-user"), {**ECHO, "http_status": 403}, False),
    "error 400": Case("error", ("HTTP 400",), {"http_status": 400, "error_msg": "no"}, False),
    "empty 200": Case("empty", ("HTTP 200", "iam_endpoint"), {}, False),
    "empty 201": Case("empty", ("has no token", "iam_endpoint"), {"http_status": 201}, False),
    "wrong types": Case("text", ("HTTP 401",), {"body": '{"error": [1]}', "http_status": 401}, False),
    "nested": Case("text", ("HTTP 401",), {"body": "[" * 100_000, "http_status": 401}, False),
    "huge": Case("huge", ("HTTP 401",), {"bytes": 9 << 20, "http_status": 401}, False),
    "redirect": Case("redirect", ("HTTP 307", "iam_endpoint"), {"location": "http://127.0.0.2/"}, False),
}


@pytest.mark.parametrize("case", IAM_CASES.values(), ids=IAM_CASES.keys())
def test_fault_of_iam_ends_the_run_before_anything_is_claimed_or_sent(
    setting: Setting, emulator: Emulator, tmp_path: Path, case: Case
) -> None:
    fleet = Fleet(emulator, tmp_path / "state" / "fleet.sqlite3", IDENTITIES["iam"](setting))
    group = fleet.group("g", 8, A)
    emulator.fault(case.kind, **case.fields, times=None, path=AUTH_TOKENS)
    with pytest.raises(CredentialsError) as caught:
        fleet.run(group, retries=1, timeout=case.timeout)
    for words in case.says:
        assert words in str(caught.value)
    assert TELLTALE not in str(caught.value)
    assert fleet.iam_calls == (2 if case.passes else 1)
    assert emulator.count() == 0
    assert not fleet.path.parent.exists()


@pytest.mark.parametrize(
    "case", [c for c in IAM_CASES.values() if c.passes], ids=[n for n, c in IAM_CASES.items() if c.passes]
)
def test_fault_of_iam_that_passes_is_no_failure(
    setting: Setting, emulator: Emulator, tmp_path: Path, case: Case
) -> None:
    fleet = Fleet(emulator, tmp_path / "state" / "fleet.sqlite3", IDENTITIES["iam"](setting))
    group = fleet.group("g", 8, A)
    emulator.fault(case.kind, **case.fields, path=AUTH_TOKENS)
    outcomes = fleet.run(group, retries=1, timeout=case.timeout).outcomes
    assert outcomes.changed == fleet.known(group).keys() == ids_of(group)
    assert fleet.iam_calls == 2
