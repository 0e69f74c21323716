# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stateful KooPhone API on loopback, for tests and demonstrations.

It validates every request to the letter of the API page, remembers what each instance was set to, and injects faults
on demand. It shares no code with the collection, so that one cannot hide the other's mistakes.

Start it with ``python -m tests.emulator``, or from a test through :class:`tests.emulator.handle.Emulator`.
"""
