# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._auth import Credentials
from tests.emulator.handle import Emulator
from tests.support.emulators import served
from tests.support.fleets import Fleet
from tests.wire.running import Api


@pytest.fixture(scope="session")
def server() -> Iterator[Emulator]:
    """One emulator for all tests of a process; whatever it had to complain about fails the run."""
    yield from served()


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    """The emulator as new, with the instances a, b and c."""
    server.reset()
    server.add(["a", "b", "c"], region="cn-north-4")
    return server


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's machine gets between the client and the emulator."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Api]:
    """The client, aimed at the emulator."""
    with Api(emulator.url, emulator.token) as client:
        yield client


@pytest.fixture
def fleet(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Runs against the emulator, with a state store of their own; they don't pause long between tries."""
    from ansible_collections.koophone.fleet.plugins.module_utils import _pace

    monkeypatch.setattr(_pace, "_BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(_pace, "_BACKOFF_MOST", 0.05)
    return Fleet(emulator, tmp_path / "state" / "fleet.sqlite3", Credentials(auth_token=emulator.token))
