# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.awx.running import Controller
from tests.awx.setting_up import EXAMPLE, SECRETS, Admin, Setup
from tests.emulator.handle import Emulator
from tests.support.emulators import served
from tests.support.postgres import PostgreSQL


@pytest.fixture(scope="session")
def server() -> Iterator[Emulator]:
    """One emulator for all tests of a process; whatever it had to complain about fails the run."""
    yield from served("--open-fleet")


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    """The emulator as new: it takes any instance for one of its own."""
    server.reset()
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    pytest.importorskip("ansible_runner")
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def controller(emulator: Emulator, postgres: PostgreSQL, tmp_path: Path) -> Controller:
    """AWX with a state store of its own."""
    environment = {
        "KOOPHONE_ENDPOINT": emulator.url,
        "KOOPHONE_AUTH_TOKEN": emulator.token,
        "KOOPHONE_STATE_URL": postgres.url(postgres.create_database()),
    }
    return Controller(tmp_path, environment)


@pytest.fixture(scope="session")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Admin:
    """Somebody who sets AWX up, where stand-ins take the place of awx.awx."""
    admin = Admin(tmp_path_factory.mktemp("admin"))
    admin.install_stand_ins()
    return admin


@pytest.fixture(scope="session")
def setup(admin: Admin) -> Setup:
    """The first run of the playbook awx_setup, with the example's variables."""
    setup = admin.run("-e", f"@{EXAMPLE}", **SECRETS)
    assert setup.status == 0, setup.output
    return setup
