# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator.handle import Emulator
from tests.playbooks.running import Ansible
from tests.support.emulators import served


@pytest.fixture(scope="session")
def server() -> Iterator[Emulator]:
    """One emulator for all tests of a process; whatever it had to complain about fails the run."""
    yield from served("--open-fleet")


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    """The emulator as new: it takes any instance for one of its own."""
    server.reset()
    return server


@pytest.fixture
def ansible(emulator: Emulator, tmp_path: Path) -> Ansible:
    """A user with an empty folder and an empty home."""
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    return Ansible(folder, home, emulator.url, emulator.token)
