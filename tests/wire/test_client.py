# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._errors import Fate, Kind
from tests.emulator.handle import Emulator
from tests.support.fleets import settings
from tests.wire.running import PATH, Api, was_abandoned

NOT_PROCESSED, ENDED, IN_DOUBT = Fate.NOT_PROCESSED, Fate.ENDED, Fate.IN_DOUBT


def test_confirmed_request_is_carried_out_and_its_id_returned(emulator: Emulator, api: Api) -> None:
    request_id = api.put("a", "c", value=settings(4000, 30))
    (request,) = emulator.requests()
    assert request["method"] == "PUT"
    assert request["path"] == PATH
    assert request["request_id"] == request_id
    assert request["instance_ids"] == ["a", "c"]
    assert request["auth"] == "token"
    assert emulator.settings_of("a") == emulator.settings_of("c") == settings(4000, 30).nested()
    assert emulator.settings_of("b") is None


def test_every_http_request_has_an_id_of_its_own(emulator: Emulator, api: Api) -> None:
    emulator.fault("error", times=3)
    ids = [api.fail().request_id for _time in range(3)] + [api.put() for _time in range(5)]
    assert [request["request_id"] for request in emulator.requests()] == ids
    assert len(set(ids)) == 8


def test_requests_share_a_kept_connection(emulator: Emulator, api: Api) -> None:
    for _time in range(5):
        api.put()
    assert len({request["peer"] for request in emulator.requests()}) == 1


def test_a_hundred_instances_go_in_one_request(emulator: Emulator, api: Api) -> None:
    ids = [f"{number:032}" for number in range(100)]
    emulator.add(ids, region="cn-north-4")
    api.put(*ids)
    assert emulator.count() == 1


def test_slash_at_the_end_of_the_endpoint_does_no_harm(emulator: Emulator) -> None:
    with Api(emulator.url + "/", emulator.token) as api:
        api.client.set_video_settings(["a"], settings())
    assert [request["path"] for request in emulator.requests()] == [PATH]


# --- refusals --------------------------------------------------------------------------------------------------------

PAGE: list[tuple[int, str, Kind, Fate, str]] = [
    (200, "KOOPHONE.API.0000", Kind.RUN, ENDED, "the tenant does not exist"),
    (200, "KOOPHONE.API.0001", Kind.RUN, ENDED, "x-tenant-id"),
    (200, "KOOPHONE.API.0002", Kind.RUN, ENDED, "x-request-id"),
    (200, "KOOPHONE.API.0005", Kind.RUN, ENDED, "a request header is missing"),
    (200, "KOOPHONE.API.0004", Kind.RUN, ENDED, "the project does not exist"),
    (200, "KOOPHONE.API.1004", Kind.RUN, ENDED, "not subscribed"),
    (200, "KOOPHONE.API.1012", Kind.INSTANCE, ENDED, "not the tenant's"),
    (200, "KOOPHONE.API.2004", Kind.INSTANCE, ENDED, "frozen"),
    (200, "KOOPHONE.API.2005", Kind.INSTANCE_PASSING, ENDED, "restored"),
    (200, "KOOPHONE.API.2006", Kind.INSTANCE_PASSING, ENDED, "backed up"),
    (200, "KPAPI.2209", Kind.INSTANCE, ENDED, "no device"),
    (400, "KPAPI.2209", Kind.INSTANCE, ENDED, "no device"),
    (400, "KOOPHONE.API.1000", Kind.REQUEST, ENDED, "parameter"),
    (400, "KOOPHONE.API.1002", Kind.MIX, ENDED, "region"),
    (401, "KOOPHONE.API.1001", Kind.INSTANCE, ENDED, "no permission"),
    (404, "KOOPHONE.API.4001", Kind.INSTANCE, ENDED, "does not exist"),
    (200, "KOOPHONE.API.4001", Kind.INSTANCE, ENDED, "does not exist"),
    (500, "KOOPHONE.API.9999", Kind.PASSING, IN_DOUBT, "internal error"),
    (200, "KOOPHONE.API.9999", Kind.PASSING, IN_DOUBT, "internal error"),
    (400, "common.00000400", Kind.REQUEST, ENDED, "refused"),
    (401, "common.00000401", Kind.RUN, ENDED, "credentials"),
    (403, "common.00000403", Kind.RUN, ENDED, "credentials"),
    (500, "common.00000500", Kind.PASSING, IN_DOUBT, "trouble"),
    (401, "APIGW.0301", Kind.RUN, NOT_PROCESSED, "rejects the credentials"),
    (401, "APIG.0301", Kind.RUN, NOT_PROCESSED, "rejects the credentials"),
    # A given token cannot be renewed: it is final.
    (401, "APIGW.0307", Kind.RUN, NOT_PROCESSED, "the token has expired"),
    (429, "APIGW.0308", Kind.THROTTLED, NOT_PROCESSED, "throttled"),
    (429, "APIG.0308", Kind.THROTTLED, NOT_PROCESSED, "throttled"),
    (429, "SOMETHING.ELSE", Kind.THROTTLED, ENDED, "too many requests"),
    (504, "APIGW.0201", Kind.PASSING, IN_DOUBT, "trouble"),
    (503, "APIG.0203", Kind.PASSING, IN_DOUBT, "trouble"),
    (200, "KOOPHONE.API.7777", Kind.REQUEST, ENDED, "refused"),
    (404, "APIGW.0101", Kind.REQUEST, ENDED, "refused"),
]


@pytest.mark.parametrize(("status", "code", "kind", "fate", "meaning"), PAGE)
def test_every_documented_failure_becomes_a_typed_error(
    emulator: Emulator, api: Api, status: int, code: str, kind: Kind, fate: Fate, meaning: str
) -> None:
    emulator.fault("error", http_status=status, error_code=code, error_msg="So it is.")
    error = api.fail()
    assert (error.http_status, error.error_code, error.error_msg) == (status, code, "So it is.")
    assert (error.kind, error.fate) == (kind, fate)
    assert meaning in error.meaning
    assert error.request_id == emulator.requests()[-1]["request_id"]
    for part in (f"HTTP {status}", code, "So it is.", error.request_id, "PUT", PATH):
        assert part in str(error)


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("missing", "KOOPHONE.API.4001", Kind.INSTANCE),
        ("foreign", "KOOPHONE.API.1012", Kind.INSTANCE),
        ("forbidden", "KOOPHONE.API.1001", Kind.INSTANCE),
        ("frozen", "KOOPHONE.API.2004", Kind.INSTANCE),
        ("restoring", "KOOPHONE.API.2005", Kind.INSTANCE_PASSING),
        ("backing_up", "KOOPHONE.API.2006", Kind.INSTANCE_PASSING),
        ("no_device", "KPAPI.2209", Kind.INSTANCE),
    ],
)
def test_bad_instance_is_recognised_as_such(emulator: Emulator, api: Api, kind: str, code: str, expected: Kind) -> None:
    emulator.add(["bad"], region="cn-north-4", kind=kind)
    error = api.fail("a", "bad")
    assert (error.error_code, error.kind) == (code, expected)


def test_mix_of_regions_is_recognised_as_such(emulator: Emulator, api: Api) -> None:
    emulator.add(["south"], region="cn-south-1")
    assert api.fail("a", "south").kind is Kind.MIX


def test_wrong_token_is_final_and_nothing_was_processed(emulator: Emulator) -> None:
    with Api(emulator.url, "wrong-token") as api:
        error = api.fail()
    assert (error.http_status, error.error_code) == (401, "APIGW.0301")
    assert (error.kind, error.fate) == (Kind.RUN, NOT_PROCESSED)


def test_expired_token_that_was_given_is_final(emulator: Emulator, api: Api) -> None:
    emulator.expire_tokens()
    error = api.fail()
    assert (error.http_status, error.error_code) == (401, "APIGW.0307")
    assert (error.kind, error.fate) == (Kind.RUN, NOT_PROCESSED)


def test_redirect_is_not_followed(emulator: Emulator, api: Api) -> None:
    for status in (301, 302, 303, 307, 308):
        emulator.fault("redirect", location=f"{emulator.url}{PATH}", status=status)
        error = api.fail()
        assert error.http_status == status
        assert error.kind is Kind.RUN
        assert f"to {emulator.url}{PATH}" in error.error_msg
    assert emulator.count() == 5


# --- bodies that are none of this API --------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "kind", "fate"), [(200, Kind.REQUEST, IN_DOUBT), (502, Kind.PASSING, IN_DOUBT)])
def test_html_page_gives_an_error_that_shows_status_and_first_characters(
    emulator: Emulator, api: Api, status: int, kind: Kind, fate: Fate
) -> None:
    emulator.fault("html", http_status=status)
    error = api.fail()
    assert (error.http_status, error.error_code) == (status, None)
    assert (error.kind, error.fate) == (kind, fate)
    assert f"<html><head><title>{status}" in error.error_msg


@pytest.mark.parametrize(("status", "kind", "fate"), [(200, Kind.REQUEST, IN_DOUBT), (500, Kind.PASSING, IN_DOUBT)])
def test_empty_body_is_an_error(emulator: Emulator, api: Api, status: int, kind: Kind, fate: Fate) -> None:
    emulator.fault("empty", http_status=status)
    error = api.fail()
    assert (error.http_status, error.kind, error.fate) == (status, kind, fate)
    assert "the body is empty" in error.error_msg


@pytest.mark.parametrize(
    "body",
    [
        "null",
        "0",
        '"0"',
        "true",
        "[]",
        '["error_code", "0"]',
        "{}",
        '{"error_msg": "ok"}',
        '{"error_code": null}',
        '{"error_code": ""}',
        '{"error_code": []}',
        '{"error_code": {"0": 0}}',
        '{"error_code": true}',
        '{"error_code": false}',
        '{"error_code": 0.0}',
        '{"error_code": "00"}',
        '{"error_code": " 0"}',
        '{"error_code": "0"',
        '{"error_code": "0"} and more',
        '{"ERROR_CODE": "0"}',
        "[" * 100_000,
        '{"error_code": ' + "9" * 5000 + "}",
        "\ufeff{}",
        "\x00\x01\x02",
        "ok",
    ],
    ids=lambda body: repr(body[:25]),
)
def test_only_error_code_0_is_a_success(emulator: Emulator, api: Api, body: str) -> None:
    emulator.fault("text", body=body, effect="full")
    error = api.fail()
    assert error.http_status == 200
    assert error.kind is Kind.REQUEST
    # What became of the instances nobody can say.
    assert error.fate is not NOT_PROCESSED
    assert len(str(error)) < 1000


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        ("<html>", "the answer is not JSON of this API"),
        ("[]", "the answer is not JSON of this API"),
        ("{}", "the answer has no error_code"),
        ('{"error_code": null}', "the answer has no error_code"),
    ],
)
def test_answer_that_is_none_of_this_api_says_so_and_leaves_the_request_in_doubt(
    emulator: Emulator, api: Api, body: str, meaning: str
) -> None:
    emulator.fault("text", body=body)
    error = api.fail()
    assert error.meaning.startswith(meaning)
    assert error.fate is IN_DOUBT
    assert body in error.error_msg
    # Its status alone would not make it more than a refusal.
    emulator.fault("text", body=body, http_status=400)
    error = api.fail()
    assert (error.meaning, error.kind, error.fate) == ("refused", Kind.REQUEST, ENDED)


@pytest.mark.parametrize("status", [201, 202, 204, 206, 299])
def test_success_has_status_200_only(emulator: Emulator, api: Api, status: int) -> None:
    emulator.fault("text", body='{"error_code": "0", "error_msg": "ok"}' if status != 204 else "", http_status=status)
    assert api.fail().http_status == status


@pytest.mark.parametrize("status", [200, 500])
def test_huge_body_is_cut_off(emulator: Emulator, api: Api, status: int) -> None:
    emulator.fault("huge", bytes=30_000_000, http_status=status)
    error = api.fail()
    assert error.http_status == status
    assert len(str(error)) < 1000
    # The connection, half read, is not used again.
    api.put()


def test_long_message_and_code_are_cut_off(emulator: Emulator, api: Api) -> None:
    emulator.fault("error", error_code="C" * 10_000, error_msg="m" * 10_000)
    error = api.fail()
    assert len(str(error)) < 1000


def test_body_in_a_broken_encoding_leaves_the_request_in_doubt(emulator: Emulator, api: Api) -> None:
    emulator.fault("error", http_status=200, error_code="0", headers={"Content-Encoding": "gzip"}, effect="full")
    error = api.fail()
    assert error.http_status is None
    assert (error.kind, error.fate) == (Kind.PASSING, IN_DOUBT)


def test_message_that_is_no_text_does_no_harm(emulator: Emulator, api: Api) -> None:
    emulator.fault("text", body=json.dumps({"error_code": 17, "error_msg": {"deep": [1]}}), http_status=400)
    error = api.fail()
    assert error.error_code == "17"
    assert "deep" in error.error_msg


# --- no answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "fields"),
    [
        ("drip", {"seconds_per_byte": 0.04}),
        ("drip", {"seconds_per_byte": 0.04, "head": True}),
        ("late", {"seconds": 0, "then": "hang"}),
        ("latency", {"seconds": 2}),
    ],
)
def test_request_is_given_up_as_a_whole_when_the_time_is_up(
    emulator: Emulator, fault: str, fields: dict[str, Any]
) -> None:
    # A time-out that counts from byte to byte would see nothing wrong with a server that drips.
    emulator.fault(fault, **fields)
    with Api(emulator.url, emulator.token, timeout=0.8) as api:
        error = api.fail()
        assert error.http_status is None
        assert (error.kind, error.fate) == (Kind.PASSING, IN_DOUBT)
        assert "0.8 seconds" in error.error_msg
        # What was given up does not get into the way of the next.
        api.put()
    assert was_abandoned(emulator)


@pytest.mark.parametrize("effect", ["none", "full"])
def test_dropped_connection_leaves_the_request_in_doubt(emulator: Emulator, api: Api, effect: str) -> None:
    emulator.fault("drop", effect=effect)
    error = api.fail()
    assert error.http_status is None
    assert (error.kind, error.fate, error.meaning) == (Kind.PASSING, IN_DOUBT, "no answer")
    assert error.request_id == emulator.requests()[-1]["request_id"]
    assert (emulator.applied("a") is not None) == (effect == "full")
    api.put()


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [(0, 0.0), (7, 7.0), (" 120 ", 120.0), ("soon", None), ("-1", None), ("1.5", None), ("", None), (None, None)],
)
def test_retry_after_in_seconds(emulator: Emulator, api: Api, retry_after: Any, expected: float | None) -> None:
    emulator.fault("throttle", retry_after=retry_after)
    error = api.fail()
    assert error.kind is Kind.THROTTLED
    assert error.retry_after == expected


@pytest.mark.parametrize(("ahead", "least", "most"), [(3600, 3500, 3601), (0, 0, 1)])
def test_retry_after_as_a_date(emulator: Emulator, api: Api, ahead: float, least: float, most: float) -> None:
    emulator.fault("throttle", retry_after_date=ahead)
    seconds = api.fail().retry_after
    assert seconds is not None
    assert least <= seconds <= most


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 -0000", 0.0),
        ("Thu, 99 Foo 1970 00:00:00 GMT", None),
        ("Thu, 01 Jan 99999 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -9959", None),
        ("Thu, 01 Jan 0001 00:00:00 +2359", None),
    ],
)
def test_odd_dates_of_retry_after_do_no_harm(emulator: Emulator, api: Api, date: str, expected: float | None) -> None:
    emulator.fault("throttle", retry_after=date)
    error = api.fail()
    assert error.kind is Kind.THROTTLED
    assert expected is None or error.retry_after == expected


# --- secrets ---------------------------------------------------------------------------------------------------------

# As long as real ones are, and with what HTML escapes.
LONG_TOKEN = "MIIPAgYJKoZIhvcNAQcC+oIIo8wPzCCAtgCAQEx/DTALBglghkgBZQ&<MEAgEw=" * 30


def shows_a_part(text: str, secret: str, length: int = 12) -> bool:
    return any(secret[start : start + length] in text for start in range(len(secret) - length + 1))


@pytest.fixture
def secretive(emulator: Emulator) -> Any:
    emulator.config(static_tokens=[LONG_TOKEN])
    with Api(emulator.url, LONG_TOKEN) as api:
        yield api


@pytest.mark.parametrize("before", [0, 1, 150, 190, 199, 200, 205, 780, 799, 805])
@pytest.mark.parametrize("status", [200, 502])
def test_token_in_a_page_is_masked_wherever_the_page_is_cut_off(
    emulator: Emulator, secretive: Api, before: int, status: int
) -> None:
    emulator.fault("text", body="x" * before + LONG_TOKEN + " end", http_status=status)
    error = secretive.fail()
    assert not shows_a_part(str(error), LONG_TOKEN)
    assert not shows_a_part(repr(error.__cause__), LONG_TOKEN)


def test_token_that_a_proxys_page_echoes_is_masked(emulator: Emulator, secretive: Api) -> None:
    emulator.fault("html", http_status=502, echo_headers=True)
    error = secretive.fail()
    assert not shows_a_part(str(error), LONG_TOKEN)


def test_token_that_a_page_escapes_is_masked(emulator: Emulator, secretive: Api) -> None:
    escaped = "".join(f"&#{ord(character)};" if character in "+&<=/" else character for character in LONG_TOKEN)
    emulator.fault("text", body=f"<pre>{escaped}</pre>", content_type="text/html", http_status=502)
    error = secretive.fail()
    assert not shows_a_part(str(error), LONG_TOKEN)


@pytest.mark.parametrize("before", [0, 195, 299])
def test_token_in_a_message_or_code_is_masked(emulator: Emulator, secretive: Api, before: int) -> None:
    text = "x" * before + LONG_TOKEN
    emulator.fault("error", error_code=text, error_msg=text)
    error = secretive.fail()
    assert not shows_a_part(str(error), LONG_TOKEN)
    assert not shows_a_part(f"{error.error_code} {error.error_msg}", LONG_TOKEN)


def test_token_in_a_redirect_is_masked(emulator: Emulator, secretive: Api) -> None:
    emulator.fault("redirect", location=f"https://login.example.com/?token={LONG_TOKEN}")
    error = secretive.fail()
    assert "login.example.com" in error.error_msg
    assert not shows_a_part(str(error), LONG_TOKEN)


# --- the session -----------------------------------------------------------------------------------------------------


def echoed(api: Api, emulator: Emulator) -> str:
    """The headers of a request, as they arrived."""
    emulator.fault("html", http_status=502, echo_headers=True)
    answer = api.transport.send("PUT", emulator.url + PATH, headers={"X-Auth-Token": emulator.token}, body=b"{}")
    return answer.body.decode()


def test_cookies_are_not_kept(emulator: Emulator, api: Api) -> None:
    emulator.fault("error", headers={"Set-Cookie": "session=1; Path=/"})
    api.fail()
    assert "cookie" not in echoed(api, emulator).lower()


def test_netrc_is_not_used(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\ndefault login any password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Api(emulator.url, emulator.token) as api:
        assert "authorization" not in echoed(api, emulator).lower()
        api.put()
    assert emulator.requests()[-1]["auth"] == "token"


def test_many_threads_share_one_transport(emulator: Emulator, api: Api) -> None:
    start = threading.Barrier(8)

    def send(number: int) -> list[str]:
        start.wait()
        return [api.put("abc"[(number + turn) % 3], value=settings(100 * (number + 1))) for turn in range(20)]

    with ThreadPoolExecutor(8) as pool:
        ids = [request_id for sent in pool.map(send, range(8)) for request_id in sent]
    requests = emulator.requests()
    assert sorted(ids) == sorted(request["request_id"] for request in requests)
    assert emulator.repeated_request_ids() == []
    assert {request["http_status"] for request in requests} == {200}
    assert len({request["peer"] for request in requests}) <= 8


def test_threads_of_which_some_are_given_up_do_not_disturb_each_other(emulator: Emulator) -> None:
    emulator.fault("late", seconds=0, then="hang", ids=["a"], times=None)
    with Api(emulator.url, emulator.token, timeout=1.0) as api, ThreadPoolExecutor(6) as pool:
        hanging = [pool.submit(api.fail, "a") for _time in range(3)]
        fine = [pool.submit(api.put, "b") for _time in range(60)]
        assert {future.result().fate for future in hanging} == {IN_DOUBT}
        assert len({future.result() for future in fine}) == 60
