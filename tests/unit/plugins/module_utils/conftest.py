# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hypothesis import settings

# Nothing is timed, and a gate that was green yesterday is green today: the same examples every time.
settings.register_profile("koophone", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("koophone")
