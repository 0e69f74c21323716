# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils import _pace
from ansible_collections.koophone.fleet.plugins.module_utils._auth import Credentials
from tests.emulator.handle import Emulator
from tests.faults.identity import MetadataService, Setting, metadata_service
from tests.faults.running import Module
from tests.support.emulators import served
from tests.support.fleets import Fleet

_OUTSIDE = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC", "CI")


@pytest.fixture(scope="session")
def server() -> Iterator[Emulator]:
    """One emulator for all tests of a process; whatever it had to complain about fails the run."""
    yield from served()


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    """The emulator as new, with the instances a and b."""
    server.reset()
    server.add(["a", "b"], region="cn-north-4")
    return server


@pytest.fixture(scope="session")
def metadata_server() -> Iterator[MetadataService]:
    with metadata_service() as service:
        yield service


@pytest.fixture
def metadata(metadata_server: MetadataService) -> MetadataService:
    """The metadata service as new."""
    metadata_server.minutes, metadata_server.status, metadata_server.calls = 1440.0, 200, 0
    return metadata_server


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else can take."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, home: Path, closed_port: int) -> None:
    """No credentials, proxies or certificates of the developer's machine, and no metadata service either."""
    from huaweicloudsdkcore.auth.internal import MetadataAccessor

    for name in list(os.environ):
        if name.startswith(("KOOPHONE_", "HUAWEICLOUD_", "HC_", "AWX_")) or name.upper() in _OUTSIDE:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(MetadataAccessor, "_METADATA_ENDPOINT", f"http://127.0.0.1:{closed_port}")


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pauses long between tries."""
    monkeypatch.setattr(_pace, "_BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(_pace, "_BACKOFF_MOST", 0.04)
    monkeypatch.setattr(_pace, "_UNREACHABLE_MOST", 0.04)
    monkeypatch.setattr(_pace, "_RATE_LEAST", 50.0)


@pytest.fixture
def setting(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, home: Path, metadata: MetadataService) -> Setting:
    """Where credentials are set up."""
    return Setting(emulator, monkeypatch, home, metadata)


@pytest.fixture
def fleet(emulator: Emulator, tmp_path: Path) -> Fleet:
    """Runs against the emulator with its own token, and a state store of their own."""
    return Fleet(emulator, tmp_path / "state" / "fleet.sqlite3", Credentials(auth_token=emulator.token))


@pytest.fixture
def module(emulator: Emulator, tmp_path: Path) -> Module:
    return Module(emulator, tmp_path / "state" / "fleet.sqlite3")
