# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bare client of the API, for the tests of the emulator."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import requests

from tests.emulator.handle import Control

VIDEO_SETTING = "/v1/instances/video-setting"
BATCH_QUERY = "/v1/instances/batch-query"
BATCH_RESET = "/v1/instances/batch-reset"
BATCH_QUERY_STATUS = "/v1/instances/batch-query-status"
AUTH_TOKENS = "/v3/auth/tokens"
NETWORKS = ("MOBILE_NETWORK", "WIFI", "WIRED")
CODECS = ("H264", "H265")
DEFINITIONS = ("540P", "720P", "1080P")
TIMEOUT_SECONDS = 30


def body_of(*ids: str, code_rate: int = 6000, fps: int = 60) -> dict[str, Any]:
    """A body of the video-setting call that breaks no rule."""
    return {
        "instance_ids": list(ids),
        "instance_settings": [
            {
                "network_type": network,
                "encoding_type": codec,
                "video_spec_groups": [
                    {f"definition_{name}": {"code_rate": code_rate, "fps": fps} for name in DEFINITIONS}
                ],
            }
            for network in NETWORKS
            for codec in CODECS
        ],
    }


def nested(code_rate: int = 6000, fps: int = 60) -> dict[str, Any]:
    """The same settings as the emulator shows them."""
    return {
        network: {codec: {name: {"code_rate": code_rate, "fps": fps} for name in DEFINITIONS} for codec in CODECS}
        for network in NETWORKS
    }


def new_id() -> str:
    """A request id that was never used."""
    return uuid.uuid4().hex


class Api:
    """Sends requests to an emulator, past any proxy of the environment."""

    def __init__(self, emulator: Control) -> None:
        self.emulator = emulator
        self.session = requests.Session()
        self.session.trust_env = False

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Any request."""
        options.setdefault("timeout", TIMEOUT_SECONDS)
        options.setdefault("allow_redirects", False)
        return self.session.request(method, self.emulator.url + path, **options)

    def headers(self, **changes: str | None) -> dict[str, str]:
        """Good headers with some changed or, where None, left out; an underscore stands for a hyphen."""
        headers: dict[str, str | None] = {
            "content-type": "application/json",
            "x-request-id": new_id(),
            "x-auth-token": self.emulator.token,
        }
        headers.update({name.replace("_", "-"): value for name, value in changes.items()})
        return {name: value for name, value in headers.items() if value is not None}

    def put(self, body: Any, **headers: str | None) -> requests.Response:
        """The video-setting call."""
        return self.send("PUT", VIDEO_SETTING, json=body, headers=self.headers(**headers))

    def put_briefly(self, body: Any, seconds: float) -> requests.Response:
        """The video-setting call, given up when nothing has come for so long."""
        return self.send("PUT", VIDEO_SETTING, json=body, headers=self.headers(), timeout=seconds)

    def post(self, path: str, body: Any, **headers: str | None) -> requests.Response:
        """One of the other calls with a body."""
        return self.send("POST", path, json=body, headers=self.headers(**headers))

    def list(self, **query: Any) -> requests.Response:
        """One page of the listing; a parameter that is None is left out."""
        parameters = {"x-request-id": new_id(), "page_no": 1, "page_size": 100, **query}
        return self.send(
            "GET",
            BATCH_QUERY,
            params={name: value for name, value in parameters.items() if value is not None},
            headers={"X-Auth-Token": self.emulator.token},
        )

    def token(self, **changes: Any) -> requests.Response:
        """Ask IAM for a token."""
        values = {
            "name": "emulator-user",
            "password": "emulator-password",
            "domain": "emulator-domain",
            "project": "cn-south-1",
            **changes,
        }
        user = {"name": values["name"], "password": values["password"], "domain": {"name": values["domain"]}}
        identity = {"methods": ["password"], "password": {"user": user}}
        return self.send(
            "POST",
            AUTH_TOKENS,
            json={"auth": {"identity": identity, "scope": {"project": {"name": values["project"]}}}},
        )


def result_of(response: requests.Response) -> tuple[int, str]:
    """HTTP status and error code."""
    document: Mapping[str, Any] = response.json()
    return response.status_code, str(document["error_code"])
