# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
from typing import Any

import pytest
from ansible.module_utils.common.parameters import AnsibleFallbackNotFound
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils import _arguments
from ansible_collections.koophone.fleet.plugins.module_utils._arguments import (
    connection_spec,
    normalised,
    parse_connection,
    parse_state,
    set_in_environment,
    state_spec,
)

PRODUCTION = "https://koophone.myhuaweicloud.com"


@pytest.fixture(autouse=True)
def _files_outlive_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arguments, "vanishing_because", lambda: None)


def params(**changes: Any) -> dict[str, Any]:
    specs = {**connection_spec(), **state_spec()}
    return {**{name: spec.get("default") for name, spec in specs.items()}, **changes}


def connection_mistakes(**changes: Any) -> list[str]:
    mistakes: list[str] = []
    parse_connection(params(**changes), mistakes)
    return mistakes


def state_mistakes(**changes: Any) -> list[str]:
    mistakes: list[str] = []
    parse_state(params(**{"state_url": "sqlite:////state", **changes}), mistakes, [])
    return mistakes


def service_of(**changes: Any) -> str:
    return parse_state(params(**changes), [], []).service


# --- environment -----------------------------------------------------------------------------------------------------


def test_variable_of_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOOPHONE_ENDPOINT", "https://test.example.com")
    assert set_in_environment("KOOPHONE_ENDPOINT") == "https://test.example.com"


@pytest.mark.parametrize("value", [None, ""])
def test_variable_that_is_empty_counts_as_unset(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("KOOPHONE_ENDPOINT", raising=False)
    if value is not None:
        monkeypatch.setenv("KOOPHONE_ENDPOINT", value)
    with pytest.raises(AnsibleFallbackNotFound):
        set_in_environment("KOOPHONE_ENDPOINT")


def test_options_have_the_documented_variables_and_defaults() -> None:
    specs = {**connection_spec(), **state_spec()}
    variables = {name: spec["fallback"][1] for name, spec in specs.items() if "fallback" in spec}
    with_variable = {
        "endpoint", "auth_token", "insecure_skip_tls_verify", "ca_path", "timeout", "retries", "concurrency",
        "service", "state_url", "settle",
    }  # fmt: skip
    assert with_variable <= set(variables)
    assert all(names == [f"KOOPHONE_{name.upper()}"] for name, names in variables.items())
    expected = {
        "endpoint": PRODUCTION,
        "insecure_skip_tls_verify": False,
        "timeout": 30,
        "settle": 60,
        "retries": 5,
        "concurrency": 8,
    }
    assert {name: specs[name]["default"] for name in expected} == expected


def test_secrets_are_never_logged() -> None:
    specs = {**connection_spec(), **state_spec()}
    secret = {name for name, spec in specs.items() if spec.get("no_log")}
    assert {"auth_token", "state_url"} <= secret


# --- endpoint and service --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "service"),
    [
        (PRODUCTION, PRODUCTION),
        (f"{PRODUCTION}/", PRODUCTION),
        (f" {PRODUCTION} ", PRODUCTION),
        ("HTTPS://KooPhone.MyHuaweiCloud.com", PRODUCTION),
        ("https://koophone.myhuaweicloud.com:443", PRODUCTION),
        ("https://koophone.myhuaweicloud.com.", PRODUCTION),
        ("https://koophone.myhuaweicloud.com:8443", "https://koophone.myhuaweicloud.com:8443"),
        ("http://koophone.myhuaweicloud.com", "http://koophone.myhuaweicloud.com"),
        ("http://koophone.myhuaweicloud.com:80", "http://koophone.myhuaweicloud.com"),
        ("http://koophone.myhuaweicloud.com:443", "http://koophone.myhuaweicloud.com:443"),
        ("https://gateway.example.com/KooPhone/", "https://gateway.example.com/KooPhone"),
        ("http://[::1]:8480/", "http://[::1]:8480"),
        ("http://[::1:8480]", "http://[::1:8480]"),
        ("http://127.0.0.1:8480", "http://127.0.0.1:8480"),
    ],
)
def test_service_is_the_endpoint_without_what_makes_no_difference(endpoint: str, service: str) -> None:
    assert normalised(endpoint) == service
    assert service_of(endpoint=endpoint) == service
    assert connection_mistakes(endpoint=endpoint) == []


@given(st.from_regex(r"https?://[a-zA-Z0-9.-]{1,20}(:[0-9]{1,5})?(/[a-z]{0,5}){0,2}", fullmatch=True))
def test_normalising_twice_changes_nothing_more(endpoint: str) -> None:
    assert normalised(normalised(endpoint)) == normalised(endpoint)


def test_service_that_is_given_wins() -> None:
    assert service_of(service="production") == "production"
    assert service_of(service="") == PRODUCTION
    assert service_of(service=None) == PRODUCTION


def test_secrets_of_an_endpoint_do_not_become_part_of_the_service() -> None:
    assert "secret" not in service_of(endpoint="https://user:secret@koophone.example.com")


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        " ",
        "koophone.myhuaweicloud.com",
        "//koophone.myhuaweicloud.com",
        "ftp://koophone.myhuaweicloud.com",
        "https://",
        "https:///v1",
        "https://:443",
        "https://[::1",
        "https://[nonsense]",
        "https://koophone.example.com:many",
        "https://koophone.example.com:0",
        "https://koophone.example.com:99999",
        "https://koophone example.com",
        "https://koophone.example.com\n.evil.example.com",
        "https://ex\u2100mple.com",
    ],
)
def test_bad_endpoint_is_a_mistake(endpoint: str) -> None:
    assert connection_mistakes(endpoint=endpoint) == ["endpoint: it is not of the form https://host"]
    service_of(endpoint=endpoint)


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("https://user:secret@koophone.example.com", "user name or password"),
        ("https://secret@koophone.example.com", "user name or password"),
        ("https://koophone.example.com?token=secret", "query"),
        ("https://koophone.example.com#secret", "fragment"),
    ],
)
def test_endpoint_with_a_secret_is_refused_without_showing_it(endpoint: str, reason: str) -> None:
    (mistake,) = connection_mistakes(endpoint=endpoint)
    assert mistake.startswith("endpoint: ")
    assert reason in mistake
    assert "secret" not in mistake


@given(st.text(max_size=40) | st.text(max_size=20).map(lambda rest: f"https://{rest}"))
def test_whatever_is_given_as_endpoint_never_goes_wrong(endpoint: str) -> None:
    assert len(connection_mistakes(endpoint=endpoint)) <= 1
    assert isinstance(service_of(endpoint=endpoint), str)


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("timeout", 0.0),
        ("timeout", -1.0),
        ("timeout", math.nan),
        ("timeout", math.inf),
        ("timeout", 86401.0),
        ("retries", -1),
        ("concurrency", 0),
        ("concurrency", -8),
        ("concurrency", 101),
    ],
)
def test_bad_number_of_the_connection_is_a_mistake(option: str, value: float) -> None:
    (mistake,) = connection_mistakes(**{option: value})
    assert mistake.startswith(f"{option}: {value}")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("settle", -1.0),
        ("settle", math.nan),
        ("settle", math.inf),
        ("claim_timeout", -0.5),
        ("claim_timeout", math.nan),
        ("claim_timeout", math.inf),
    ],
)
def test_bad_number_of_the_state_is_a_mistake(option: str, value: float) -> None:
    (mistake,) = state_mistakes(**{option: value})
    assert mistake.startswith(f"{option}: {value}")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("timeout", 0.1),
        ("timeout", 86400.0),
        ("retries", 0),
        ("retries", 10**6),
        ("concurrency", 1),
        ("concurrency", 100),
    ],
)
def test_smallest_and_largest_numbers_of_the_connection_are_fine(option: str, value: float) -> None:
    assert connection_mistakes(**{option: value}) == []


@pytest.mark.parametrize("option", ["settle", "claim_timeout"])
def test_no_time_at_all_is_fine_for_the_state(option: str) -> None:
    assert state_mistakes(**{option: 0.0}) == []


def test_claim_timeout_outwaits_a_run_that_was_killed() -> None:
    state = parse_state(params(timeout=20.0, settle=45.0), [], [])
    assert state.claim_timeout == 75
    assert parse_state(params(claim_timeout=0.0), [], []).claim_timeout == 0


def test_all_mistakes_come_at_once() -> None:
    mistakes = connection_mistakes(endpoint="nowhere", timeout=0.0, retries=-1, concurrency=0, ca_path="/no/such/file")
    assert [mistake.partition(":")[0] for mistake in mistakes] == [
        "endpoint", "timeout", "retries", "concurrency", "ca_path",
    ]  # fmt: skip


# --- TLS -------------------------------------------------------------------------------------------------------------


def test_certificates_are_verified_unless_told_otherwise(tmp_path: Any) -> None:
    def verify(**changes: Any) -> bool | str:
        return parse_connection(params(**changes), []).verify

    assert verify() is True
    assert verify(ca_path="") is True
    assert verify(ca_path=str(tmp_path)) == str(tmp_path)
    assert verify(insecure_skip_tls_verify=True) is False
    assert verify(insecure_skip_tls_verify=True, ca_path=str(tmp_path)) is False


# --- state -----------------------------------------------------------------------------------------------------------


def test_state_store_without_a_url_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    mistakes: list[str] = []
    warnings: list[str] = []
    state = parse_state(params(), mistakes, warnings)
    assert str(state.location.path) == "/state/koophone/fleet.sqlite3"
    assert mistakes == warnings == []


@pytest.mark.parametrize("state_url", [None, ""])
def test_default_is_refused_where_files_do_not_outlive_the_run(
    monkeypatch: pytest.MonkeyPatch, state_url: str | None
) -> None:
    monkeypatch.setattr(_arguments, "vanishing_because", lambda: "CI is set")
    (mistake,) = state_mistakes(state_url=state_url)
    assert mistake.startswith("state_url: ")
    assert "CI is set" in mistake
    assert "postgresql://" in mistake


def test_sqlite_on_purpose_is_warned_of_where_files_do_not_outlive_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arguments, "vanishing_because", lambda: "CI is set")
    mistakes: list[str] = []
    warnings: list[str] = []
    parse_state(params(state_url="sqlite:////kept/fleet.sqlite3"), mistakes, warnings)
    assert mistakes == []
    (warning,) = warnings
    assert "/kept/fleet.sqlite3" in warning
    assert "CI is set" in warning


def test_postgresql_is_neither_refused_nor_warned_of_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arguments, "vanishing_because", lambda: "CI is set")
    mistakes: list[str] = []
    warnings: list[str] = []
    state = parse_state(params(state_url="postgresql://fleet:secret@db/koophone"), mistakes, warnings)
    assert state.location.dsn == "postgresql://fleet:secret@db/koophone"
    assert mistakes == warnings == []
