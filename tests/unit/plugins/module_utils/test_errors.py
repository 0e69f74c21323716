# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils._errors import (
    ERROR_CODES,
    Fate,
    Kind,
    KooPhoneError,
    explain,
)

# The API's page, row by row: code, HTTP status, whom it concerns, what is certain about the effect.
PAGE = [
    ("KOOPHONE.API.0000", 200, Kind.RUN, Fate.ENDED),
    ("KOOPHONE.API.0001", 200, Kind.RUN, Fate.ENDED),
    ("KOOPHONE.API.0002", 200, Kind.RUN, Fate.ENDED),
    ("KOOPHONE.API.0005", 200, Kind.RUN, Fate.ENDED),
    ("KOOPHONE.API.0004", 200, Kind.RUN, Fate.ENDED),
    ("KOOPHONE.API.1004", 200, Kind.RUN, Fate.ENDED),
    ("KOOPHONE.API.1012", 200, Kind.INSTANCE, Fate.ENDED),
    ("KOOPHONE.API.2004", 200, Kind.INSTANCE, Fate.ENDED),
    ("KOOPHONE.API.2005", 200, Kind.INSTANCE_PASSING, Fate.ENDED),
    ("KOOPHONE.API.2006", 200, Kind.INSTANCE_PASSING, Fate.ENDED),
    ("KPAPI.2209", 200, Kind.INSTANCE, Fate.ENDED),
    ("KPAPI.2209", 400, Kind.INSTANCE, Fate.ENDED),
    ("KOOPHONE.API.1000", 400, Kind.REQUEST, Fate.ENDED),
    ("KOOPHONE.API.1002", 400, Kind.MIX, Fate.ENDED),
    ("KOOPHONE.API.1001", 401, Kind.INSTANCE, Fate.ENDED),
    ("KOOPHONE.API.4001", 404, Kind.INSTANCE, Fate.ENDED),
    ("KOOPHONE.API.4001", 200, Kind.INSTANCE, Fate.ENDED),
    ("KOOPHONE.API.9999", 500, Kind.PASSING, Fate.IN_DOUBT),
    ("common.00000401", 401, Kind.RUN, Fate.ENDED),
    ("common.00000400", 400, Kind.REQUEST, Fate.ENDED),
    ("common.00000500", 500, Kind.PASSING, Fate.IN_DOUBT),
    ("APIGW.0301", 401, Kind.RUN, Fate.NOT_PROCESSED),
    ("APIG.0301", 401, Kind.RUN, Fate.NOT_PROCESSED),
    ("APIGW.0307", 401, Kind.TOKEN_EXPIRED, Fate.NOT_PROCESSED),
    ("APIG.0307", 401, Kind.TOKEN_EXPIRED, Fate.NOT_PROCESSED),
    ("APIGW.0308", 429, Kind.THROTTLED, Fate.NOT_PROCESSED),
    ("APIG.0308", 429, Kind.THROTTLED, Fate.NOT_PROCESSED),
    ("APIGW.0201", 504, Kind.PASSING, Fate.IN_DOUBT),
    ("APIG.0203", 502, Kind.PASSING, Fate.IN_DOUBT),
    ("APIGW.0101", 404, Kind.REQUEST, Fate.ENDED),
]
BY_STATUS = [
    (200, Kind.REQUEST, Fate.ENDED),
    (302, Kind.RUN, Fate.ENDED),
    (307, Kind.RUN, Fate.ENDED),
    (400, Kind.REQUEST, Fate.ENDED),
    (401, Kind.RUN, Fate.ENDED),
    (403, Kind.RUN, Fate.ENDED),
    (404, Kind.REQUEST, Fate.ENDED),
    (407, Kind.RUN, Fate.ENDED),
    (408, Kind.PASSING, Fate.IN_DOUBT),
    (413, Kind.REQUEST, Fate.ENDED),
    (429, Kind.THROTTLED, Fate.ENDED),
    (500, Kind.PASSING, Fate.IN_DOUBT),
    (502, Kind.PASSING, Fate.IN_DOUBT),
    (503, Kind.PASSING, Fate.IN_DOUBT),
    (504, Kind.PASSING, Fate.IN_DOUBT),
    (599, Kind.PASSING, Fate.IN_DOUBT),
]


def an_error(**fields: object) -> KooPhoneError:
    values = {
        "method": "PUT",
        "url": "https://koophone.example.com/v1/instances/video-setting",
        "request_id": "5f2c",
        "meaning": "the instance does not exist",
        "kind": Kind.INSTANCE,
        "fate": Fate.ENDED,
        **fields,
    }
    return KooPhoneError(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(("code", "status", "kind", "fate"), PAGE)
def test_documented_code_is_judged_as_the_page_says(code: str, status: int, kind: Kind, fate: Fate) -> None:
    explained = explain(status, code)
    assert (explained.kind, explained.fate) == (kind, fate)
    assert explained.meaning


@pytest.mark.parametrize(("status", "kind", "fate"), BY_STATUS)
@pytest.mark.parametrize("code", [None, "", "KOOPHONE.API.8888", "common.00000999", "0"])
def test_unlisted_code_is_judged_by_its_status(code: str | None, status: int, kind: Kind, fate: Fate) -> None:
    explained = explain(status, code)
    assert (explained.kind, explained.fate) == (kind, fate)


def test_no_code_is_listed_that_the_page_does_not_have() -> None:
    assert set(ERROR_CODES) <= {code for code, *_rest in PAGE}


@given(st.integers(100, 599), st.none() | st.text(max_size=30))
def test_only_the_gateways_own_codes_promise_that_nothing_was_processed(status: int, code: str | None) -> None:
    if explain(status, code).fate is Fate.NOT_PROCESSED:
        assert code is not None
        assert code.startswith(("APIG.", "APIGW."))


@given(st.integers(500, 599), st.none() | st.text(max_size=30))
def test_a_server_error_leaves_the_request_in_doubt(status: int, code: str | None) -> None:
    assert explain(status, code).fate is Fate.IN_DOUBT


def test_which_kinds_are_worth_another_try() -> None:
    passing = {Kind.INSTANCE_PASSING, Kind.THROTTLED, Kind.PASSING, Kind.UNREACHABLE}
    assert {kind for kind in Kind if kind.passes} == passing


def test_which_kinds_concern_some_instance_only() -> None:
    concerning = {Kind.INSTANCE, Kind.INSTANCE_PASSING}
    assert {kind for kind in Kind if kind.concerns_some_instance} == concerning


def test_error_in_words_has_all_that_support_needs() -> None:
    error = an_error(http_status=404, error_code="KOOPHONE.API.4001", error_msg="No such instance.")
    assert str(error) == (
        "PUT https://koophone.example.com/v1/instances/video-setting: HTTP 404, KOOPHONE.API.4001,"
        " the instance does not exist (No such instance.); request id 5f2c"
    )


def test_error_without_an_answer_in_words() -> None:
    error = an_error(meaning="no connection", error_msg="Connection refused")
    assert str(error) == (
        "PUT https://koophone.example.com/v1/instances/video-setting: no connection (Connection refused);"
        " request id 5f2c"
    )
