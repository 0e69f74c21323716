# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.handle import Emulator
from tests.inventory.running import PLUGIN, Ansible
from tests.support.emulators import served

REGIONS = ("cn-north-4", "cn-south-1", "cn-east-3")
SKUS = (
    "Professional edition | 8 vCPUs | 16 GB | 128 GB | 1080P",
    "Basic edition | 4 vCPUs | 8 GB | 64 GB | 720P",
)


def fleet(count: int) -> list[dict[str, Any]]:
    """Every second instance is a kiosk, the others are in offices; three regions, one after another."""
    return [
        {
            "instance_id": f"{number:032x}",
            "name": f"{('kiosk', 'office')[number % 2]}-{number // 2:04}",
            "region": REGIONS[number * len(REGIONS) // count],
            "sku": SKUS[number // 2 % 2],
        }
        for number in range(count)
    ]


@pytest.fixture(scope="session")
def server() -> Iterator[Emulator]:
    """One emulator for all tests of a process; whatever it had to complain about fails the run."""
    yield from served()


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    """The emulator as new, with nine instances in three regions."""
    server.reset()
    server.call("POST", "instances", fleet(9))
    return server


@pytest.fixture
def large(server: Emulator) -> Emulator:
    """The emulator as new, with 2,500 instances in three regions."""
    server.reset()
    server.call("POST", "instances", fleet(2500))
    return server


@pytest.fixture
def ansible(server: Emulator, tmp_path: Path) -> Ansible:
    """A user with an inventory file that says no more than it must."""
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    user = Ansible(folder, home, server.url, server.token)
    user.write("koophone.yml", PLUGIN)
    return user
