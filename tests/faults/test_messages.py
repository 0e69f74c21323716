# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module says when something odd is at the other end: what happened, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulator.handle import Emulator
from tests.faults.identity import SECURITY_TOKEN, TOKEN, Setting, chain_environment, given_token
from tests.faults.running import Module
from tests.wire.certificates import Authority, Server

pytestmark = pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")

# What no option could change in time for another try.
QUICK: dict[str, Any] = {"retries": 0}

ODD: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "a page of a proxy": ("html", {"http_status": 502}, ("trouble at the gateway", "502 Bad Gateway")),
    "a page instead of the API": ("html", {"http_status": 200}, ("is something else answering at the endpoint?",)),
    "a page that is not there": ("html", {"http_status": 404}, ("refused", "404 Not Found")),
    "nothing": ("empty", {}, ("the body is empty", "is something else answering at the endpoint?")),
    "wrong types": ("text", {"body": '{"error_code": [], "error_msg": {}}'}, ("the answer has no error_code",)),
    "half an answer": ("text", {"body": '{"error_code": "0"'}, ("not JSON of this API", "it begins with")),
    "too much": ("huge", {"bytes": 9 << 20}, ("not JSON of this API", "it begins with")),
    "a dropped connection": ("drop", {}, ("no answer",)),
    "an unknown code": (
        "error",
        {"http_status": 400, "error_code": "KOOPHONE.API.7777", "error_msg": "Seven."},
        ("KOOPHONE.API.7777", "refused", "Seven."),
    ),
    "a redirect": ("redirect", {"location": "http://127.0.0.2/x"}, ("redirect", "check the endpoint", "127.0.0.2")),
}


@pytest.mark.parametrize(("kind", "fields", "says"), ODD.values(), ids=ODD.keys())
def test_odd_answer_is_told_in_words(
    module: Module, emulator: Emulator, kind: str, fields: dict[str, Any], says: tuple[str, ...]
) -> None:
    emulator.fault(kind, **fields, times=None)
    message = module.fail(**QUICK)
    for words in says:
        assert words in message
    assert "0 instances changed" in message
    assert "Run again to apply the rest." in message


def test_server_that_drips_is_given_up_and_the_time_is_told(module: Module, emulator: Emulator) -> None:
    emulator.fault("drip", seconds_per_byte=0.05, times=None)
    assert "no complete answer within 0.3 seconds" in module.fail(timeout=0.3, **QUICK)


def test_unknown_host_is_told(module: Module) -> None:
    message = module.fail(endpoint="http://koophone.invalid", **QUICK)
    assert "cannot be reached" in message
    assert "http://koophone.invalid" in message


@pytest.mark.parametrize("identity", [given_token, chain_environment])
def test_redirect_to_another_host_is_never_followed(module: Module, setting: Setting, identity: Any) -> None:
    credentials = identity(setting)
    with Emulator() as elsewhere:
        elsewhere.config(open_fleet=True)
        setting.emulator.fault("redirect", location=f"{elsewhere.url}/v1/instances/video-setting", times=None)
        module.fail(auth_token=credentials.auth_token, **QUICK)
        assert elsewhere.requests(None) == []


def test_credentials_in_the_address_of_a_redirect_are_not_shown(module: Module, setting: Setting) -> None:
    given_token(setting)
    from urllib.parse import quote

    setting.emulator.fault("redirect", location=f"http://127.0.0.2/?token={quote(TOKEN, safe='')}", times=None)
    assert "token=********" in module.fail(auth_token=TOKEN, **QUICK)


@pytest.mark.parametrize(
    "spelling", [SECURITY_TOKEN, SECURITY_TOKEN.replace("/", "\\/"), SECURITY_TOKEN.replace("&", "&amp;")]
)
def test_credentials_of_the_chain_that_a_page_echoes_are_not_shown(
    module: Module, setting: Setting, spelling: str
) -> None:
    # Ansible knows nothing of these, and so can't mask them.
    chain_environment(setting)
    setting.emulator.fault("text", body=f"<p>{spelling}", http_status=503, content_type="text/html", times=None)
    assert "********" in module.fail(auth_token=None, **QUICK)


# --- proxies ---------------------------------------------------------------------------------------------------------


def test_proxy_that_is_not_there_is_told(module: Module, monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    monkeypatch.setenv("http_proxy", f"http://someone:S3CRET@127.0.0.1:{closed_port}")
    message = module.fail(**QUICK)
    assert "cannot be reached" in message
    assert "Connection refused" in message
    assert module.requests() == 0


def test_proxy_of_the_environment_carries_the_requests(
    module: Module, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The emulator answers requests for any host, as a proxy would.
    monkeypatch.setenv("http_proxy", emulator.url)
    assert module.run(endpoint="http://koophone.invalid")["changed"]
    monkeypatch.setenv("no_proxy", "koophone.invalid")
    assert "cannot be reached" in module.fail(endpoint="http://koophone.invalid", force=True, **QUICK)


def test_bad_address_of_a_proxy_is_told_without_its_password(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://someone:S3CRET@[")
    assert "proxy" in module.fail(**QUICK).lower()


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "company")


def serving(server: Server) -> Emulator:
    return Emulator(["--tls-cert", str(server.certificate), "--tls-key", str(server.key), "--open-fleet"])


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[Emulator]:
    with serving(authority.server("server")) as emulator:
        yield emulator


def test_certificate_of_a_private_authority_needs_ca_path(
    module: Module, secure: Emulator, authority: Authority
) -> None:
    message = module.fail(endpoint=secure.url, **QUICK)
    assert "certificate verify failed" in message
    assert "ca_path" in message
    assert secure.count() == 0
    assert module.run(endpoint=secure.url, ca_path=str(authority.path))["changed"]


def test_ca_path_that_is_not_there_is_a_mistake(module: Module) -> None:
    [mistake] = module.run(ca_path="/nowhere/ca.pem")["mistakes"]
    assert mistake.startswith("ca_path: ")
    assert "/nowhere/ca.pem" in mistake


def test_certificate_of_another_host_is_told(module: Module, authority: Authority) -> None:
    with serving(authority.server("elsewhere", address="127.0.0.99")) as emulator:
        message = module.fail(endpoint=emulator.url, ca_path=str(authority.path), **QUICK)
        assert "127.0.0.1" in message
        assert "certificate" in message
        assert emulator.count() == 0


def test_expired_certificate_is_told(module: Module, authority: Authority) -> None:
    with serving(authority.server("expired", days=-1)) as emulator:
        assert "expired" in module.fail(endpoint=emulator.url, ca_path=str(authority.path), **QUICK)


def test_iam_with_a_certificate_that_does_not_verify_never_sees_the_password(module: Module, secure: Emulator) -> None:
    message = module.fail(
        auth_token=None,
        username="someone",
        password="S3CRET-password",
        domain_name="domain",
        project_name="project",
        iam_endpoint=secure.url,
        **QUICK,
    )
    assert "certificate verify failed" in message
    assert secure.count("/v3/auth/tokens") == 0
