# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of credentials, set up at both ends: what the emulator accepts, and where the client finds it.

All values are unmistakable, so that they can be looked for wherever they must not be.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._auth import Credentials
from tests.emulator.handle import Control

# Characters that JSON, HTML, URLs and Python's repr each write in another way.
TOKEN = "S3CRETtoken/7+x<y>&z=='\"MIIF"
PASSWORD = 'S3CRETpassword"ü\\p/w<&>+%41'
ACCESS_KEY = "S3CRETACCESSKEY0AK"
SECRET_KEY = "S3CRETsecretkey/+SK=="
SECURITY_TOKEN = "S3CRETsecurity/+token==&STS"
# What no text of any kind may hold, however it was written.
TELLTALE = "S3CRET"

USERNAME, DOMAIN, PROJECT = "emulator-user", "emulator-domain", "cn-north-4"


@contextmanager
def metadata_service(*, minutes: float = 1440.0) -> Iterator[MetadataService]:
    """The metadata service of a cloud server, which gives temporary keys."""
    service = MetadataService(minutes)
    thread = threading.Thread(target=service.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.server.shutdown()
        service.server.server_close()
        thread.join()


class MetadataService:
    """Gives keys that are good for so many minutes; with `status`, an error instead. `calls` counts the keys given."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self.status = 200
        self.calls = 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self._answer(200, "metadata-session-token")

            def do_GET(self) -> None:
                service.calls += 1
                if service.status != 200:
                    self._answer(service.status, "no keys today")
                    return
                expires = datetime.now(timezone.utc) + timedelta(minutes=service.minutes)
                keys = {
                    "access": ACCESS_KEY,
                    "secret": SECRET_KEY,
                    "securitytoken": SECURITY_TOKEN,
                    "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                }
                self._answer(200, json.dumps({"credential": keys}))

            def _answer(self, status: int, text: str) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@dataclass
class Setting:
    """Where an identity is set up."""

    emulator: Control
    monkeypatch: pytest.MonkeyPatch
    home: Path
    metadata: MetadataService


def given_token(at: Setting) -> Credentials:
    at.emulator.config(static_tokens=[TOKEN])
    return Credentials(auth_token=TOKEN)


def iam_user(at: Setting) -> Credentials:
    at.emulator.config(static_tokens=[], iam_password=PASSWORD)
    return Credentials(
        username=USERNAME,
        password=PASSWORD,
        domain_name=DOMAIN,
        project_name=PROJECT,
        iam_endpoint=at.emulator.url,
    )


def access_key(at: Setting) -> Credentials:
    at.emulator.config(static_tokens=[], access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    return Credentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)


def temporary_key(at: Setting) -> Credentials:
    access_key(at)
    at.emulator.config(security_token=SECURITY_TOKEN)
    return Credentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY, security_token=SECURITY_TOKEN)


def chain_environment(at: Setting) -> Credentials:
    temporary_key(at)
    at.monkeypatch.setenv("HUAWEICLOUD_SDK_AK", ACCESS_KEY)
    at.monkeypatch.setenv("HUAWEICLOUD_SDK_SK", SECRET_KEY)
    at.monkeypatch.setenv("HUAWEICLOUD_SDK_SECURITY_TOKEN", SECURITY_TOKEN)
    return Credentials()


def chain_profile(at: Setting) -> Credentials:
    access_key(at)
    profile = at.home / ".huaweicloud" / "credentials"
    profile.parent.mkdir()
    profile.write_text(f"[basic]\nak = {ACCESS_KEY}\nsk = {SECRET_KEY}\n", encoding="utf-8")
    return Credentials()


def chain_metadata(at: Setting) -> Credentials:
    from huaweicloudsdkcore.auth.internal import MetadataAccessor

    temporary_key(at)
    at.monkeypatch.setattr(MetadataAccessor, "_METADATA_ENDPOINT", at.metadata.url)
    return Credentials()


IDENTITIES: dict[str, Callable[[Setting], Credentials]] = {
    "token": given_token,
    "iam": iam_user,
    "key": access_key,
    "temporary key": temporary_key,
    "chain: environment": chain_environment,
    "chain: profile": chain_profile,
    "chain: metadata": chain_metadata,
}
