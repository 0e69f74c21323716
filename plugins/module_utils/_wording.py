# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Numbers and things in words. Pure."""

from __future__ import annotations


def instances(number: int) -> str:
    return "1 instance" if number == 1 else f"{number} instances"
