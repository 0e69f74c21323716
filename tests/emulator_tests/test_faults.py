# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.emulator.handle import Emulator, EmulatorError
from tests.emulator_tests.api import BATCH_QUERY, Api, body_of, new_id, result_of

IDS = [f"i{n}" for n in range(60)]
# How many of them may have been changed.
EFFECTS = {"none": {0}, "full": {60}, "partial": set(range(1, 60))}


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what the emulator does by itself a moment later."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def changed(emulator: Emulator) -> int:
    """How many instances have settings."""
    return sum(instance["settings"] is not None for instance in emulator.state().values())


ANSWERING: dict[str, dict[str, Any]] = {
    "error": {},
    "html": {},
    "throttle": {},
    "empty": {},
    "text": {"body": "[]"},
    "huge": {"bytes": 1000},
    "redirect": {"location": "http://127.0.0.1:1/"},
    "drip": {"seconds_per_byte": 0},
}


@pytest.mark.parametrize("kind", ANSWERING)
@pytest.mark.parametrize("effect", ["none", "full", "partial"])
def test_a_fault_strikes_once_before_or_after_the_effect(api: Api, emulator: Emulator, kind: str, effect: str) -> None:
    emulator.add(IDS)
    emulator.fault(kind, effect=effect, **ANSWERING[kind])
    api.put(body_of(*IDS))
    assert changed(emulator) in EFFECTS[effect]
    entry = emulator.requests()[0]
    assert (entry["fault"], entry["effect_on"]) == (kind, changed(emulator))
    assert (entry["effect_at"] is None) == (effect == "none")
    assert result_of(api.put(body_of("a"))) == (200, "0")
    assert emulator.requests()[1]["fault"] is None


@pytest.mark.parametrize("effect", ["none", "full", "partial"])
def test_a_connection_is_dropped_before_or_after_the_effect(api: Api, emulator: Emulator, effect: str) -> None:
    emulator.add(IDS)
    emulator.fault("drop", effect=effect)
    with pytest.raises(requests.ConnectionError):
        api.put(body_of(*IDS))
    assert changed(emulator) in EFFECTS[effect]
    assert emulator.requests()[0]["http_status"] is None
    assert emulator.counts()["/v1/instances/video-setting"] == {"total": 1, "outcomes": {"dropped": 1}}


def test_an_error_is_answered_as_asked_for(api: Api, emulator: Emulator) -> None:
    emulator.fault("error", http_status=503, error_code="APIGW.0202", error_msg="busy", headers={"Retry-After": "7"})
    response = api.put(body_of("a"))
    assert (response.status_code, response.json()) == (503, {"error_code": "APIGW.0202", "error_msg": "busy"})
    assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize("kind", ["error", "html"])
def test_an_error_echoes_the_headers_if_asked_to(api: Api, emulator: Emulator, kind: str) -> None:
    emulator.fault(kind, echo_headers=True)
    assert emulator.token in api.put(body_of("a")).text


def test_an_error_comes_before_the_credentials_are_looked_at(api: Api, emulator: Emulator) -> None:
    emulator.fault("error")
    assert result_of(api.put(body_of("a"), x_auth_token="wrong")) == (500, "KOOPHONE.API.9999")


def test_a_fault_after_the_effect_gives_no_effect_to_a_bad_request(api: Api, emulator: Emulator) -> None:
    emulator.fault("error", effect="full", times=2)
    api.put(body_of("a"), x_auth_token="wrong")
    api.put(body_of("a", "nobody"))
    assert changed(emulator) == 0


def test_an_html_page_is_answered(api: Api, emulator: Emulator) -> None:
    emulator.fault("html", http_status=502)
    response = api.put(body_of("a"))
    assert (response.status_code, response.headers["Content-Type"]) == (502, "text/html")
    assert "<h1>502 Bad Gateway</h1>" in response.text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"retry_after": 3}, "3"),
        ({"retry_after": "Fri, 31 Dec 1999 23:59:59 GMT"}, "Fri, 31 Dec 1999 23:59:59 GMT"),
    ],
    ids=["none", "seconds", "date"],
)
def test_throttling_says_when_to_come_back(
    api: Api, emulator: Emulator, fields: dict[str, Any], expected: str | None
) -> None:
    emulator.fault("throttle", **fields)
    response = api.put(body_of("a"))
    assert result_of(response) == (429, "APIGW.0308")
    assert response.headers.get("Retry-After") == expected


def test_throttling_gives_a_date_from_now(api: Api, emulator: Emulator) -> None:
    emulator.fault("throttle", retry_after_date=3600)
    assert api.put(body_of("a")).headers["Retry-After"].endswith(" GMT")


def test_a_body_is_empty_arbitrary_or_huge(api: Api, emulator: Emulator) -> None:
    emulator.fault("empty", http_status=200)
    emulator.fault("text", body='{"error_code": 0}', http_status=201, content_type="text/plain", skip=1)
    emulator.fault("huge", bytes=300_000, skip=2)
    assert api.put(body_of("a")).content == b""
    text = api.put(body_of("a"))
    assert (text.status_code, text.text, text.headers["Content-Type"]) == (201, '{"error_code": 0}', "text/plain")
    huge = api.put(body_of("a"))
    assert (len(huge.content), huge.json()["error_code"]) == (300_000, "0")


def test_a_redirect_leads_elsewhere(api: Api, emulator: Emulator) -> None:
    emulator.fault("redirect", location="https://example.invalid/x", status=302)
    response = api.put(body_of("a"))
    assert (response.status_code, response.headers["Location"]) == (302, "https://example.invalid/x")


def test_a_client_may_leave_in_the_middle_of_a_huge_answer(api: Api, emulator: Emulator) -> None:
    emulator.fault("huge", bytes=50_000_000)
    response = api.send("PUT", "/v1/instances/video-setting", json=body_of("a"), headers=api.headers(), stream=True)
    assert next(response.iter_content(1000))
    response.close()
    assert result_of(api.put(body_of("a"))) == (200, "0")


@pytest.mark.parametrize("head", [False, True])
def test_a_dripped_answer_is_the_ordinary_one(api: Api, emulator: Emulator, head: bool) -> None:
    emulator.fault("drip", seconds_per_byte=0.0001, head=head)
    assert result_of(api.put(body_of("a"))) == (200, "0")
    assert emulator.applied("a") is not None


def test_a_client_that_leaves_a_dripping_answer_is_journalled_as_dropped(api: Api, emulator: Emulator) -> None:
    emulator.fault("drip", seconds_per_byte=0.05)
    response = api.send("PUT", "/v1/instances/video-setting", json=body_of("a"), headers=api.headers(), stream=True)
    response.close()
    wait_until(lambda: emulator.requests()[0]["finished_at"] is not None)
    assert emulator.requests()[0]["http_status"] is None


def test_latency_comes_before_the_effect_and_survives_the_client(api: Api, emulator: Emulator) -> None:
    emulator.fault("latency", seconds=0.5)
    with pytest.raises(requests.Timeout):
        api.put_briefly(body_of("a"), 0.1)
    assert emulator.applied("a") is None
    wait_until(lambda: emulator.applied("a") is not None)
    wait_until(lambda: emulator.requests()[0]["finished_at"] is not None)
    assert emulator.requests()[0]["http_status"] is None


def test_latency_goes_with_another_fault(api: Api, emulator: Emulator) -> None:
    emulator.fault("latency", seconds=0.01)
    emulator.fault("error")
    assert result_of(api.put(body_of("a"))) == (500, "KOOPHONE.API.9999")
    assert emulator.requests()[0]["fault"] == "latency+error"


@pytest.mark.parametrize("effect", ["full", "none"])
def test_a_late_effect_comes_after_the_connection_was_dropped(api: Api, emulator: Emulator, effect: str) -> None:
    emulator.fault("late", seconds=0.3, then="drop", effect=effect)
    with pytest.raises(requests.ConnectionError):
        api.put(body_of("a"))
    assert emulator.applied("a") is None
    if effect == "full":
        assert emulator.requests()[0]["effect_pending"]
        wait_until(lambda: emulator.applied("a") is not None)
        entry = emulator.requests()[0]
        assert entry["effect_at"] > entry["finished_at"]
    assert not emulator.requests()[0]["effect_pending"]


def test_a_late_effect_comes_while_the_connection_hangs(api: Api, emulator: Emulator) -> None:
    emulator.fault("late", seconds=0.3, then="hang")
    with pytest.raises(requests.Timeout):
        api.put_briefly(body_of("a"), 0.1)
    wait_until(lambda: emulator.applied("a") is not None)
    wait_until(lambda: emulator.requests()[0]["finished_at"] is not None)
    assert emulator.requests()[0]["http_status"] is None


def test_a_late_effect_comes_after_an_error_was_answered(api: Api, emulator: Emulator) -> None:
    emulator.fault("late", seconds=0.3, then="error")
    assert result_of(api.put(body_of("a"))) == (504, "APIGW.0201")
    assert emulator.applied("a") is None
    wait_until(lambda: emulator.applied("a") is not None)


def test_a_late_answer_follows_the_effect(api: Api, emulator: Emulator) -> None:
    emulator.fault("late", seconds=0.05, then="answer")
    assert result_of(api.put(body_of("a"))) == (200, "0")
    assert emulator.applied("a") is not None


def test_a_reset_calls_off_what_was_still_to_come(api: Api, emulator: Emulator) -> None:
    emulator.fault("late", seconds=0.2, then="error")
    api.put(body_of("a"))
    emulator.reset()
    emulator.add(["a"])
    emulator.fault("latency", seconds=0.4)
    api.put(body_of("b"))
    assert emulator.applied("a") is None


def test_a_fault_strikes_as_often_as_asked(api: Api, emulator: Emulator) -> None:
    emulator.fault("error", skip=1, times=2)
    assert [api.put(body_of("a")).status_code for _number in range(5)] == [200, 500, 500, 200, 200]
    assert emulator.faults() == [
        {"kind": "error", "path": "/v1/instances/video-setting", "times": 0, "skip": 0, "hits": 2}
    ]


def test_a_fault_strikes_for_ever_until_taken_back(api: Api, emulator: Emulator) -> None:
    emulator.fault("error", times=None)
    assert [api.put(body_of("a")).status_code for _number in range(3)] == [500, 500, 500]
    emulator.clear_faults()
    assert api.put(body_of("a")).status_code == 200


def test_a_fault_strikes_by_a_seeded_chance(api: Api, emulator: Emulator) -> None:
    def outcome(seed: int) -> list[int]:
        emulator.clear_faults()
        emulator.fault("error", times=None, probability=0.5, seed=seed)
        return [api.put(body_of("a")).status_code for _number in range(40)]

    first = outcome(1)
    assert set(first) == {200, 500}
    assert outcome(1) == first
    assert outcome(2) != first


def test_a_fault_strikes_only_requests_that_name_an_instance(api: Api, emulator: Emulator) -> None:
    emulator.fault("error", times=None, ids=["b", "x"])
    assert [api.put(body_of(*ids)).status_code for ids in (["a"], ["a", "b"], ["c"])] == [200, 500, 200]


def test_a_fault_strikes_only_its_path(api: Api, emulator: Emulator) -> None:
    emulator.fault("error", path=BATCH_QUERY)
    assert api.put(body_of("a")).status_code == 200
    assert api.list().status_code == 500
    emulator.fault("error", path="*", times=2)
    assert [api.list().status_code, api.token().status_code] == [500, 500]


def test_the_first_of_two_faults_wins_and_the_second_counts_the_request_as_passed(api: Api, emulator: Emulator) -> None:
    emulator.fault("error", http_status=503)
    emulator.fault("error", http_status=500, skip=1)
    assert [api.put(body_of("a")).status_code for _number in range(3)] == [503, 500, 200]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "fire"},
        {"kind": "latency"},
        {"kind": "drop", "http_status": 500},
        {"kind": "error", "http_status": 99},
        {"kind": "error", "effect": "half"},
        {"kind": "error", "times": -1},
        {"kind": "late", "seconds": 1, "then": "sing"},
    ],
)
def test_a_mistake_in_a_fault_is_refused(emulator: Emulator, fault: dict[str, Any]) -> None:
    with pytest.raises(EmulatorError, match="faults:"):
        emulator.fault(**fault)


def test_more_requests_than_the_limit_are_throttled_and_not_carried_out(api: Api, emulator: Emulator) -> None:
    emulator.config(rate_limit=0.01)
    assert result_of(api.put(body_of("a"))) == (200, "0")
    response = api.put(body_of("b"), x_request_id=new_id())
    assert result_of(response) == (429, "APIGW.0308")
    assert 1 <= int(response.headers["Retry-After"]) <= 100
    assert emulator.applied("b") is None
    emulator.config(rate_limit=None)
    assert result_of(api.put(body_of("b"))) == (200, "0")
