# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Emulators for fixtures."""

from __future__ import annotations

from collections.abc import Iterator

from tests.emulator.handle import Emulator


def served(*arguments: str) -> Iterator[Emulator]:
    """An emulator for as long as a fixture lives; whatever it had to complain about fails the run."""
    with Emulator(list(arguments)) as emulator:
        yield emulator
        assert emulator.log() == ""
