# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tests are slow: `make test` is to pass in two minutes, and leaves these to `make test-all` and `make ci`."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_SLOW = (
    "docs",
    "faults/test_matrix.py",
    "faults/test_messages.py",
    "faults/test_pace.py",
    "faults/test_secrets.py",
    "faults/test_signals.py",
    "inventory",
    "playbooks/test_refusals.py",
    "playbooks/test_sources.py",
    "races/test_before_the_first_request.py",
    "races/test_gap.py",
    "races/test_kill.py",
    "races/test_processes.py",
    "store/test_writers.py",
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: left out by `make test`, run by `make test-all` and `make ci`")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(_HERE / slow) for slow in _SLOW):
            item.add_marker(pytest.mark.slow)
