# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tests are slow: `make test` is to pass in two minutes, and leaves these to `make test-all` and `make ci`."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent
# Folders, files or tests. Some others have slow cases, which are marked where they are listed.
_SLOW = (
    "awx",
    "benchmark/test_benchmark.py::test_the_smallest_one_writes_a_table_numbers_and_a_plot",
    "docs",
    "faults/test_matrix.py",
    "faults/test_messages.py",
    "faults/test_pace.py",
    "faults/test_secrets.py",
    "faults/test_signals.py",
    "gitops",
    "inventory",
    "module/test_video_setting.py::test_force_and_age_send_again_what_was_applied",
    "module/test_video_setting.py::test_memory_that_would_vanish_is_refused_unless_asked_for",
    "module/test_video_setting.py::test_module_defaults_of_the_action_group_are_taken",
    "module/test_video_setting.py::test_options_come_from_the_environment_and_what_is_empty_counts_as_unset",
    "module/test_video_setting.py::test_trouble_on_the_way_shows_neither_a_stack_trace_nor_a_secret",
    "playbooks/test_approval.py",
    "playbooks/test_fleet.py::test_a_limit_is_honoured",
    "playbooks/test_fleet.py::test_serial_and_mixed_forms",
    "playbooks/test_refusals.py",
    "playbooks/test_sources.py",
    "playbooks/test_waves.py",
    "races/test_before_the_first_request.py",
    "races/test_gap.py",
    "races/test_kill.py",
    "races/test_processes.py",
    "races/test_property.py::test_without_the_mark_before_the_request_the_store_is_caught_lying",
    "store/test_writers.py",
    "wire/test_runs.py::test_trouble_that_lasts_never_makes_the_memory_claim_what_is_not_so",
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: left out by `make test`, run by `make test-all` and `make ci`")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        place = f"{item.path.relative_to(_HERE)}::{getattr(item, 'originalname', item.name)}"
        if any(place.startswith((f"{slow}/", f"{slow}::")) or place == slow for slow in _SLOW):
            item.add_marker(pytest.mark.slow)
