# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client, aimed at the emulator."""

from __future__ import annotations

import time
from types import TracebackType

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._client import Client
from ansible_collections.koophone.fleet.plugins.module_utils._errors import KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.module_utils._token_auth import GivenToken
from ansible_collections.koophone.fleet.plugins.module_utils._transport import Transport
from tests.emulator.handle import Control
from tests.support.fleets import settings

PATH = "/v1/instances/video-setting"


def was_abandoned(emulator: Control) -> bool:
    """Whether the client hung up on the first request, instead of waiting until its answer was there."""
    while True:
        first = emulator.requests()[0]
        if first["finished_at"] is not None:
            return first["http_status"] is None
        time.sleep(0.02)


class Api:
    """The client with a transport of its own."""

    def __init__(self, url: str, token: str, *, timeout: float = 30.0, verify: bool | str = True) -> None:
        self.url = url
        self.transport = Transport(timeout=timeout, connections=8, verify=verify)
        self.client = Client(url, self.transport, GivenToken(token))

    def put(self, *ids: str, value: Settings | None = None) -> str:
        """Send settings; returns the request id."""
        return self.client.set_video_settings(ids or ("a", "b"), value or settings())

    def fail(self, *ids: str) -> KooPhoneError:
        """Send settings, which must fail; returns the error."""
        with pytest.raises(KooPhoneError) as caught:
            self.put(*ids)
        assert caught.value.method == "PUT"
        assert caught.value.url == self.url + PATH
        return caught.value

    def __enter__(self) -> Api:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.transport.close()
