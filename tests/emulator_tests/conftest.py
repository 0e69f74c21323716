# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulator.handle import Emulator
from tests.emulator_tests.api import Api
from tests.support.emulators import served


@pytest.fixture(scope="session")
def server() -> Iterator[Emulator]:
    """One emulator for all tests; whatever it had to complain about fails the run."""
    yield from served()


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    """The emulator as new, with the instances a, b and c."""
    server.reset()
    server.add(["a", "b", "c"], region="cn-south-1")
    return server


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Api]:
    """A client of the emulator."""
    client = Api(emulator)
    yield client
    client.session.close()
