# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.emulator.handle import Emulator
from tests.emulator_tests.api import (
    AUTH_TOKENS,
    BATCH_QUERY,
    VIDEO_SETTING,
    Api,
    body_of,
    new_id,
    result_of,
)

REJECTED = (401, "APIGW.0301")
EXPIRED = (401, "APIGW.0307")
DONE = (200, "0")
AK, SK = "emulator-access-key", "emulator-secret-key"


def test_iam_issues_a_token_that_is_good(api: Api, emulator: Emulator) -> None:
    response = api.token()
    token = response.headers["X-Subject-Token"]
    expires = datetime.strptime(response.json()["token"]["expires_at"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert response.status_code == 201
    assert timedelta(hours=23) < expires - datetime.now(timezone.utc) <= timedelta(hours=24)
    assert result_of(api.put(body_of("a"), x_auth_token=token)) == DONE
    assert emulator.tokens() == {"static": [emulator.token], "issued": [token]}
    assert emulator.requests(AUTH_TOKENS)[0]["http_status"] == 201


@pytest.mark.parametrize("changes", [{"name": "x"}, {"password": "x"}, {"domain": "x"}])
def test_iam_rejects_wrong_credentials(api: Api, changes: dict[str, str]) -> None:
    response = api.token(**changes)
    assert response.status_code == 401
    assert "X-Subject-Token" not in response.headers


def test_iam_rejects_a_project_that_is_not_the_users(api: Api, emulator: Emulator) -> None:
    emulator.config(iam_projects=["cn-south-1"])
    assert [api.token(project=name).status_code for name in ("cn-south-1", "cn-north-4")] == [201, 401]


@pytest.mark.parametrize("body", [None, [], {}, {"auth": {"identity": {"methods": ["token"]}}}, {"auth": 1}])
def test_iam_refuses_another_body(api: Api, body: Any) -> None:
    assert api.send("POST", AUTH_TOKENS, json=body, headers={"Content-Type": "application/json"}).status_code == 400


def test_iam_refuses_another_method(api: Api) -> None:
    user = {"name": "emulator-user", "password": "emulator-password", "domain": {"name": "emulator-domain"}}
    identity = {"methods": ["password", "totp"], "password": {"user": user}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": "cn-south-1"}}}}
    assert api.send("POST", AUTH_TOKENS, json=body).status_code == 400


def test_a_token_expires_after_its_time(api: Api, emulator: Emulator) -> None:
    emulator.config(token_seconds=0)
    token = api.token().headers["X-Subject-Token"]
    assert result_of(api.put(body_of("a"), x_auth_token=token)) == EXPIRED


def test_a_token_expires_after_so_many_requests(api: Api, emulator: Emulator) -> None:
    emulator.config(token_requests=2)
    token = api.token().headers["X-Subject-Token"]
    results = [result_of(api.put(body_of("a"), x_auth_token=token)) for _number in range(4)]
    assert results == [DONE, DONE, EXPIRED, EXPIRED]
    fresh = api.token().headers["X-Subject-Token"]
    assert fresh != token
    assert result_of(api.put(body_of("a"), x_auth_token=fresh)) == DONE


def test_a_static_token_expires_after_so_many_requests(api: Api, emulator: Emulator) -> None:
    emulator.config(static_token_requests=1)
    assert [result_of(api.put(body_of("a"))) for _number in range(2)] == [DONE, EXPIRED]


def test_tokens_expire_on_demand(api: Api, emulator: Emulator) -> None:
    token = api.token().headers["X-Subject-Token"]
    emulator.expire_tokens(token)
    assert result_of(api.put(body_of("a"), x_auth_token=token)) == EXPIRED
    assert result_of(api.put(body_of("a"))) == DONE
    emulator.expire_tokens()
    assert result_of(api.put(body_of("a"))) == EXPIRED


class SignedApi:
    """Signs by the vendor's own signer."""

    def __init__(self, api: Api, access_key: str = AK, secret_key: str = SK) -> None:
        credentials = pytest.importorskip("huaweicloudsdkcore.auth.credentials")
        self.signer_module = pytest.importorskip("huaweicloudsdkcore.signer.signer")
        self.request_module = pytest.importorskip("huaweicloudsdkcore.sdk_request")
        self.api = api
        self.signer = self.signer_module.Signer(credentials.BasicCredentials(access_key, secret_key))

    def sign(
        self,
        method: str,
        path: str,
        *,
        body: str = "",
        query: list[tuple[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """A signed request."""
        request = self.request_module.SdkRequest(
            method=method,
            schema="http",
            host=urlsplit(self.api.emulator.url).netloc,
            resource_path=path,
            query_params=query or [],
            header_params={"Content-Type": "application/json", **(headers or {})},
            body=body,
        )
        return self.signer.sign(request)

    def send(self, request: Any, **changes: Any) -> requests.Response:
        """Send what was signed, with whatever is changed afterwards."""
        headers = {**request.header_params, **changes.pop("headers", {})}
        body = changes.pop("body", request.body)
        return self.api.send(request.method, request.uri, data=body or None, headers=headers)

    def put(self, *ids: str, **headers: str) -> Any:
        """A signed video-setting request; an underscore in a header's name stands for a hyphen."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps(body_of(*ids))
        return self.sign("PUT", VIDEO_SETTING, body=body, headers={"x-request-id": new_id(), **given})


@pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")
class TestSignature:
    def test_a_request_signed_by_the_vendors_signer_is_accepted(self, api: Api, emulator: Emulator) -> None:
        signed = SignedApi(api)
        assert result_of(signed.send(signed.put("a"))) == DONE
        assert emulator.requests()[0]["auth"] == "signature"

    def test_a_signed_query_is_accepted(self, api: Api) -> None:
        signed = SignedApi(api)
        query = [("x-request-id", new_id()), ("page_size", 10), ("page_no", 1), ("instance_name", "ü ~*/+&=%")]
        assert result_of(signed.send(signed.sign("GET", BATCH_QUERY, query=query))) == DONE

    @pytest.mark.parametrize(("access_key", "secret_key"), [("other", SK), (AK, "other")])
    def test_another_key_is_rejected(self, api: Api, access_key: str, secret_key: str) -> None:
        signed = SignedApi(api, access_key, secret_key)
        assert result_of(signed.send(signed.put("a"))) == REJECTED

    def test_a_changed_body_is_rejected(self, api: Api, emulator: Emulator) -> None:
        signed = SignedApi(api)
        assert result_of(signed.send(signed.put("a"), body=json.dumps(body_of("b")))) == REJECTED
        assert emulator.applied("b") is None

    @pytest.mark.parametrize(
        "headers",
        [
            {"x-request-id": "another"},
            {"X-Sdk-Date": "20200101T000000Z"},
            {"Authorization": "SDK-HMAC-SHA256 Access=emulator-access-key"},
            {"Authorization": "Bearer x"},
            {"X-Security-Token": "unasked"},
        ],
        ids=["signed header", "date", "half", "another scheme", "security token"],
    )
    def test_a_changed_header_is_rejected(self, api: Api, headers: dict[str, str]) -> None:
        signed = SignedApi(api)
        assert result_of(signed.send(signed.put("a"), headers=headers)) == REJECTED

    @pytest.mark.parametrize(("minutes", "expected"), [(-16, REJECTED), (-14, DONE), (14, DONE), (16, REJECTED)])
    def test_a_date_more_than_15_minutes_off_is_rejected(
        self, api: Api, minutes: int, expected: tuple[int, str]
    ) -> None:
        signed = SignedApi(api)
        date = (datetime.now(timezone.utc) + timedelta(minutes=minutes)).strftime("%Y%m%dT%H%M%SZ")
        assert result_of(signed.send(signed.put("a", X_Sdk_Date=date))) == expected

    def test_a_security_token_has_to_match(self, api: Api, emulator: Emulator) -> None:
        emulator.config(security_token="temporary")
        signed = SignedApi(api)
        assert result_of(signed.send(signed.put("a"))) == REJECTED
        assert result_of(signed.send(signed.put("a", X_Security_Token="other"))) == REJECTED
        assert result_of(signed.send(signed.put("a", X_Security_Token="temporary"))) == DONE

    def test_a_signature_that_leaves_out_the_host_is_rejected(self, api: Api) -> None:
        body, date, request_id = json.dumps(body_of("a")), datetime.now(timezone.utc), new_id()
        stamp = date.strftime("%Y%m%dT%H%M%SZ")

        def attempt(host: bool) -> tuple[int, str]:
            covered = {"host": urlsplit(api.emulator.url).netloc} if host else {}
            covered["x-sdk-date"] = stamp
            names = ";".join(covered)
            lines = "".join(f"{name}:{value}\n" for name, value in covered.items())
            payload = hashlib.sha256(body.encode()).hexdigest()
            canonical = f"PUT\n{VIDEO_SETTING}/\n\n{lines}\n{names}\n{payload}"
            text = f"SDK-HMAC-SHA256\n{stamp}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
            signature = hmac.new(SK.encode(), text.encode(), hashlib.sha256).hexdigest()
            authorization = f"SDK-HMAC-SHA256 Access={AK}, SignedHeaders={names}, Signature={signature}"
            headers = {"Content-Type": "application/json", "x-request-id": request_id + str(host)}
            headers |= {"X-Sdk-Date": stamp, "Authorization": authorization}
            return result_of(api.send("PUT", VIDEO_SETTING, data=body, headers=headers))

        assert attempt(host=True) == DONE
        assert attempt(host=False) == REJECTED
