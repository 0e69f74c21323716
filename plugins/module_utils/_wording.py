# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Numbers and things in words. Pure."""

from __future__ import annotations

from datetime import datetime, timezone


def instances(number: int) -> str:
    return "1 instance" if number == 1 else f"{number} instances"


def utc(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601, as `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
