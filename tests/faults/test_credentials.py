# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials: which are used, and what becomes of a run when they are missing, wrong, or expire on the way."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils import _pace
from ansible_collections.koophone.fleet.plugins.module_utils._auth import Credentials, CredentialsError
from ansible_collections.koophone.fleet.plugins.module_utils._key_auth import KeyAuthenticator
from tests.emulator.codes import AUTH_TOKENS
from tests.emulator.handle import Emulator
from tests.faults import identity
from tests.faults.identity import IDENTITIES, TELLTALE, Setting
from tests.faults.running import Module, message_of
from tests.support.fleets import A, B, Fleet, ids_of

pytestmark = pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")

LOGIN = ("username", "password", "domain_name", "project_name")
KEYS = ("access_key", "secret_key", "security_token")


def options_of(credentials: Credentials) -> dict[str, Any]:
    """The module's options for these credentials, and no token of the fixture's."""
    return {"auth_token": None, **asdict(credentials)}


def used(emulator: Emulator) -> set[str]:
    return {request["auth"] for request in emulator.requests()}


# --- which are used --------------------------------------------------------------------------------------------------


def accept_everything(setting: Setting) -> dict[str, Any]:
    """Options with one good set of each kind."""
    for name in ("chain: environment", "iam"):
        IDENTITIES[name](setting)
    setting.emulator.config(static_tokens=[identity.TOKEN])
    iam = IDENTITIES["iam"](setting)
    setting.emulator.config(static_tokens=[identity.TOKEN])
    return {
        "auth_token": identity.TOKEN,
        **{name: getattr(iam, name) for name in (*LOGIN, "iam_endpoint")},
        "access_key": identity.ACCESS_KEY,
        "secret_key": identity.SECRET_KEY,
        "security_token": identity.SECURITY_TOKEN,
    }


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_token_comes_before_iam_before_keys_before_the_chain(
    setting: Setting, module: Module, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    given = accept_everything(setting)
    for without, calls, auth in (
        ((), 0, "token"),
        (("auth_token",), 1, "token"),
        (LOGIN, 1, "signature"),
        (KEYS, 1, "signature"),
    ):
        for name in without:
            del given[name]
        if "auth_token" not in given and "username" in given:
            # Now the token can only be IAM's.
            emulator.config(static_tokens=[])
        for name in ("auth_token", *LOGIN, *KEYS, "iam_endpoint"):
            monkeypatch.delenv(f"KOOPHONE_{name.upper()}", raising=False)
            if how == "environment" and name in given:
                monkeypatch.setenv(f"KOOPHONE_{name.upper()}", given[name])
        before = len(emulator.requests())
        result = module.run(force=True, **({"auth_token": None, **given} if how == "option" else {"auth_token": None}))
        assert result["changed"], result
        assert [request["auth"] for request in emulator.requests()[before:]] == [auth]
        assert emulator.count(AUTH_TOKENS) == calls


def test_options_come_before_the_environment(setting: Setting, module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    IDENTITIES["token"](setting)
    monkeypatch.setenv("KOOPHONE_AUTH_TOKEN", "stale")
    assert module.run(auth_token=identity.TOKEN)["changed"]


def test_empty_environment_variables_count_as_unset(
    setting: Setting, module: Module, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    IDENTITIES["chain: environment"](setting)
    for name in ("auth_token", *LOGIN, *KEYS, "iam_endpoint", "ca_path", "deadline", "rate_limit", "service"):
        monkeypatch.setenv(f"KOOPHONE_{name.upper()}", "")
    assert module.run(auth_token=None)["changed"]
    assert used(emulator) == {"signature"}


def test_empty_options_count_as_unset(setting: Setting, module: Module, emulator: Emulator) -> None:
    IDENTITIES["chain: environment"](setting)
    assert module.run(auth_token="", username="", password="", access_key="")["changed"]
    assert used(emulator) == {"signature"}


@pytest.mark.parametrize("name", ["token", "key", "temporary key"])
def test_line_break_at_the_end_of_what_was_read_from_a_file_does_no_harm(
    setting: Setting, module: Module, name: str
) -> None:
    given = asdict(IDENTITIES[name](setting))
    broken = {key: f"{given[key]}\n" for key in ("auth_token", *KEYS) if given[key]}
    assert module.run(**{"auth_token": None, **broken})["changed"]


# --- missing and incomplete ------------------------------------------------------------------------------------------


def test_no_credentials_at_all_give_one_message_before_anything_is_tried(module: Module) -> None:
    message = module.fail(auth_token=None)
    assert message.startswith("no credentials: give auth_token, or username")
    assert "KOOPHONE_AUTH_TOKEN" in message
    assert "HUAWEICLOUD_SDK_AK" in message
    assert module.requests() == 0
    assert not module.state_file.parent.exists()


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"username": "~user~"}, ("password", "domain_name", "project_name")),
        ({"password": "~password~", "domain_name": "~domain~"}, ("username", "project_name")),
        ({"access_key": "~access~"}, ("secret_key",)),
        ({"security_token": "~security~"}, ("access_key", "secret_key")),
    ],
)
def test_incomplete_set_lists_all_that_is_missing_at_once_with_other_mistakes(
    module: Module, given: dict[str, str], missing: tuple[str, ...]
) -> None:
    result = module.run(auth_token=None, retries=-1, rate_limit=0, **given)
    assert result["failed"]
    mistakes = result["mistakes"]
    places = {mistake.partition(":")[0] for mistake in mistakes}
    assert places == {*missing, "retries", "rate_limit"}
    for name in missing:
        assert any(f"KOOPHONE_{name.upper()}" in mistake for mistake in mistakes)
    assert not module.state_file.parent.exists()


@pytest.mark.parametrize("name", ["auth_token", "access_key", "secret_key", "security_token"])
def test_half_copied_credentials_are_a_mistake_that_is_not_shown(module: Module, name: str) -> None:
    given = {"access_key": "~access~", "secret_key": "~secret~"} if name != "auth_token" else {}
    result = module.run(**{"auth_token": None, **given, name: f"{TELLTALE}\nsecond line"})
    assert [mistake.partition(":")[0] for mistake in result["mistakes"]] == [name]
    assert TELLTALE not in str(result)


@pytest.mark.parametrize(
    "url",
    [
        "iam.example.com",
        "https://",
        "ftp://iam",
        "https://user:S3CRET@iam",
        "https://user:S3CRET/@iam",
        "user:S3CRET@iam",
        "https://[",
        "http://h:0",
    ],
)
def test_bad_address_of_iam_is_a_mistake_that_hides_its_password(module: Module, url: str) -> None:
    result = module.run(
        auth_token=None, username="u", password="~password~", domain_name="d", project_name="p", iam_endpoint=url
    )
    assert [mistake.partition(":")[0] for mistake in result["mistakes"]] == ["iam_endpoint"]
    assert TELLTALE not in str(result["msg"])


@pytest.mark.parametrize("given", [{"access_key": "~access~", "secret_key": "~secret~"}, {}], ids=["keys", "chain"])
def test_missing_sdk_is_named_with_what_to_install(
    module: Module, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] == "huaweicloudsdkcore":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "huaweicloudsdkcore", None)
    message = module.fail(auth_token=None, **given)
    assert "pip install huaweicloudsdkcore" in message
    assert sys.executable in message
    assert not module.state_file.parent.exists()


@pytest.mark.parametrize("name", ["token", "iam"])
def test_tokens_need_no_sdk(setting: Setting, module: Module, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    given = IDENTITIES[name](setting)
    monkeypatch.setitem(sys.modules, "huaweicloudsdkcore", None)
    assert module.run(**options_of(given))["changed"]


# --- refused ---------------------------------------------------------------------------------------------------------

WRONG = {
    "token": {"auth_token": "wrong"},
    "key": {"access_key": "wrong"},
    "secret key": {"secret_key": "wrong"},
    "security token": {"security_token": "wrong"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_wrong_credentials_stop_the_run_at_once_and_leave_known_what_was_known(
    setting: Setting, emulator: Emulator, tmp_path: Path, wrong: dict[str, str]
) -> None:
    good = IDENTITIES["token" if "auth_token" in wrong else "temporary key"](setting)
    fleet = Fleet(emulator, tmp_path / "fleet.sqlite3", good)
    group = fleet.group("g", 1000, A)
    fleet.run(group)
    wanted = fleet.group("g", 1000, B, add=False)
    sent = emulator.count()
    applied = fleet.run(wanted, credentials=replace(good, **wrong), concurrency=4)
    message, outcomes = message_of(applied), applied.outcomes
    assert "APIGW.0301" in message
    assert "the gateway rejects the credentials" in message
    assert "ended early" in message
    assert 1 <= emulator.count() - sent == outcomes.requests <= 4
    assert outcomes.changed == set()
    assert len(outcomes.not_attempted) >= 600
    assert fleet.known(wanted) == dict.fromkeys(group.instance_ids, A)


def test_iam_refusal_names_whom_it_refuses_and_makes_no_state_store(
    setting: Setting, module: Module, emulator: Emulator
) -> None:
    given = replace(IDENTITIES["iam"](setting), password=f"{TELLTALE}-wrong")
    message = module.fail(**options_of(given))
    assert "user emulator-user of domain emulator-domain for project cn-north-4" in message
    assert "HTTP 401" in message
    assert (emulator.count(AUTH_TOKENS), emulator.count()) == (1, 0)
    assert not module.state_file.parent.exists()


def test_iam_that_echoes_the_password_does_not_get_it_shown(
    setting: Setting, module: Module, emulator: Emulator
) -> None:
    given = IDENTITIES["iam"](setting)
    for body in (
        # As JSON writes it within a text, as HTML does, and as a URL does.
        '{"error": {"message": "bad body: {\\"password\\": \\"S3CRETpassword\\\\\\"\\\\u00fc\\\\\\\\p/w<&>+%41\\"}"}}',
        '{"error": {"message": "bad S3CRETpassword&quot;ü\\\\p/w&lt;&amp;&gt;+%41"}}',
        '{"error": {"message": "bad ?p=S3CRETpassword%22%C3%BC%5Cp%2Fw%3C%26%3E%2B%2541"}}',
    ):
        emulator.fault("text", body=body, http_status=401, path=AUTH_TOKENS)
        assert "********" in module.fail(**options_of(given))


def test_run_that_is_told_to_stop_does_not_wait_for_iam(
    setting: Setting, module: Module, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.koophone.fleet.plugins.module_utils._module import StopSignal

    monkeypatch.setattr(_pace, "_BACKOFF_FIRST", 300.0)
    monkeypatch.setattr(_pace, "_BACKOFF_MOST", 300.0)
    monkeypatch.setattr(StopSignal, "__call__", lambda self: emulator.count(AUTH_TOKENS) > 0)
    emulator.fault("error", path=AUTH_TOKENS, times=None)
    assert "told to stop" in module.fail(**options_of(IDENTITIES["iam"](setting)))
    assert emulator.count(AUTH_TOKENS) == 1


def test_deadline_holds_for_iam_too(
    setting: Setting, module: Module, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pace, "_BACKOFF_FIRST", 300.0)
    monkeypatch.setattr(_pace, "_BACKOFF_MOST", 300.0)
    emulator.fault("error", path=AUTH_TOKENS, times=None)
    assert "deadline" in module.fail(**options_of(IDENTITIES["iam"](setting)), deadline=0.5)


# --- expired ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_token_that_expires_in_mid_run_costs_one_iam_call_and_no_batch(
    setting: Setting, emulator: Emulator, tmp_path: Path, concurrency: int
) -> None:
    fleet = Fleet(emulator, tmp_path / "fleet.sqlite3", IDENTITIES["iam"](setting))
    emulator.config(token_requests=20)
    group = fleet.group("g", 300, A)
    outcomes = fleet.run(group, batch_size=10, concurrency=concurrency).outcomes
    assert outcomes.changed == fleet.known(group).keys() == ids_of(group)
    assert outcomes.failed == {}
    assert fleet.iam_calls == 2
    # Those that were on the way when it expired are sent again, and nothing else.
    expired = sum(request["error_code"] == "APIGW.0307" for request in emulator.requests())
    assert 1 <= expired <= concurrency
    assert emulator.count() == 30 + expired


def test_all_tokens_expiring_while_requests_are_out_cost_one_iam_call(
    setting: Setting, emulator: Emulator, tmp_path: Path
) -> None:
    fleet = Fleet(emulator, tmp_path / "fleet.sqlite3", IDENTITIES["iam"](setting))
    emulator.config(latency=0.02)
    group = fleet.group("g", 300, A)
    moments = iter([False, False, True])

    def expire() -> bool:
        if emulator.count() >= 8 and next(moments, False):
            emulator.expire_tokens()
        return False

    outcomes = fleet.run(group, batch_size=10, concurrency=8, stopped=expire).outcomes
    assert outcomes.changed == ids_of(group)
    assert fleet.iam_calls == 2
    expired = sum(request["error_code"] == "APIGW.0307" for request in emulator.requests())
    assert emulator.count() == 30 + expired


def test_token_that_is_said_to_have_expired_again_ends_the_run(
    setting: Setting, emulator: Emulator, tmp_path: Path
) -> None:
    fleet = Fleet(emulator, tmp_path / "fleet.sqlite3", IDENTITIES["iam"](setting))
    emulator.fault("error", http_status=401, error_code="APIGW.0307", times=None)
    group = fleet.group("g", 300, A)
    applied = fleet.run(group, batch_size=10, concurrency=1)
    assert "APIGW.0307" in message_of(applied)
    assert fleet.iam_calls == 2
    assert emulator.count() == 2
    assert (len(applied.outcomes.failed), len(applied.outcomes.not_attempted)) == (10, 290)


def test_iam_that_refuses_in_mid_run_ends_it_and_keeps_what_was_applied(
    setting: Setting, emulator: Emulator, tmp_path: Path
) -> None:
    fleet = Fleet(emulator, tmp_path / "fleet.sqlite3", IDENTITIES["iam"](setting))
    group = fleet.group("g", 300, A)
    emulator.config(token_requests=5)
    emulator.fault("error", http_status=401, error_code="", error_msg="locked", path=AUTH_TOKENS, skip=1, times=None)
    applied = fleet.run(group, batch_size=10, concurrency=1)
    message, outcomes = message_of(applied), applied.outcomes
    assert "locked" in message
    assert "IAM refuses user emulator-user" in message
    assert fleet.iam_calls == 2
    assert len(outcomes.changed) == 50
    assert fleet.known(group).keys() == outcomes.changed
    # Nobody else has to wait for what was not sent.
    others = fleet.group("g", 300, B, add=False)
    emulator.clear_faults()
    emulator.config(token_requests=None)
    assert fleet.run(others, claim_timeout=0.0).outcomes.changed == ids_of(others)


def test_given_token_that_expires_ends_the_run_with_one_message(
    setting: Setting, emulator: Emulator, tmp_path: Path
) -> None:
    fleet = Fleet(emulator, tmp_path / "fleet.sqlite3", IDENTITIES["token"](setting))
    emulator.config(static_token_requests=2)
    group = fleet.group("g", 500, A)
    applied = fleet.run(group, concurrency=1)
    message, outcomes = message_of(applied), applied.outcomes
    assert "the token has expired; get a new one" in message
    assert (len(outcomes.changed), len(outcomes.failed), len(outcomes.not_attempted)) == (200, 100, 200)
    assert emulator.count() == 3
    assert fleet.known(group).keys() == outcomes.changed


# --- signatures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["", "/koophone/v 1", "/a%20b"])
def test_signature_is_that_of_the_vendors_signer(base: str) -> None:
    from huaweicloudsdkcore.auth.credentials import BasicCredentials
    from huaweicloudsdkcore.sdk_request import SdkRequest
    from huaweicloudsdkcore.signer.signer import Signer

    given = Credentials(access_key="ak", secret_key="sk", security_token="st")
    ours = {"Accept": "application/json", "Content-Type": "application/json", "x-request-id": "r"}
    body = b'{"instance_ids":["a"]}'
    url = f"https://koophone.example.com:8443{base}/v1/instances/video-setting"
    added = KeyAuthenticator.of(given).headers("PUT", url, ours, body)
    assert added["X-Security-Token"] == "st"
    signed = {name: value for name, value in {**ours, **added}.items() if name != "Authorization"}
    request = SdkRequest(
        method="PUT",
        schema="https",
        host="koophone.example.com:8443",
        resource_path=f"{base}/v1/instances/video-setting",
        query_params=[],
        header_params=signed,
        body=body,
    )
    assert Signer(BasicCredentials("ak", "sk")).sign(request).header_params["Authorization"] == added["Authorization"]
    covered = added["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert {"host", "x-sdk-date", "x-security-token", "x-request-id", "content-type"} <= set(covered)


def test_keys_of_the_metadata_service_are_fetched_once_for_a_run(
    setting: Setting, emulator: Emulator, tmp_path: Path
) -> None:
    fleet = Fleet(emulator, tmp_path / "fleet.sqlite3", IDENTITIES["chain: metadata"](setting))
    group = fleet.group("g", 100, A)
    assert fleet.run(group, batch_size=5).outcomes.changed == ids_of(group)
    assert setting.metadata.calls == 1


def test_keys_that_cannot_be_renewed_are_used_as_long_as_they_are_good(
    setting: Setting, emulator: Emulator, tmp_path: Path
) -> None:
    # The SDK wants new ones 40 minutes before the end, and the service may not have any yet.
    setting.metadata.minutes = 30
    fleet = Fleet(emulator, tmp_path / "fleet.sqlite3", IDENTITIES["chain: metadata"](setting))
    authenticator = KeyAuthenticator.of_chain()
    setting.metadata.status = 503
    authenticator.prepare()
    assert authenticator.headers("PUT", emulator.url + "/", {}, b"")["X-Security-Token"] == identity.SECURITY_TOKEN
    setting.metadata.status, setting.metadata.calls = 200, 0
    group = fleet.group("g", 100, A)
    assert fleet.run(group, batch_size=5).outcomes.changed == ids_of(group)
    # Once by the chain and once for the run, not once for each of its 20 requests.
    assert setting.metadata.calls == 2


def test_keys_that_have_ended_and_cannot_be_renewed_are_no_credentials(setting: Setting, emulator: Emulator) -> None:
    setting.metadata.minutes = -1
    IDENTITIES["chain: metadata"](setting)
    authenticator = KeyAuthenticator.of_chain()
    setting.metadata.status = 503
    with pytest.raises(CredentialsError, match="temporary keys cannot be renewed"):
        authenticator.prepare()
