# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Mistakes in the input: collected as `place: what is wrong`, shown all at once. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

# A file of 100,000 bad ids should not print 100,000 lines, nor exceed what AWX keeps of a result.
SHOWN_AT_MOST = 100
_VALUE_LENGTH = 60


def shown(value: Any) -> str:
    """A value as a mistake shows it: short, and on one line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if not text.isprintable():
        text = json.dumps(value, default=str)
    return text if len(text) <= _VALUE_LENGTH else f"{text[: _VALUE_LENGTH - 3]}..."


def shorten(mistakes: Sequence[str]) -> list[str]:
    """The first mistakes, and a line that counts the rest."""
    if len(mistakes) <= SHOWN_AT_MOST:
        return list(mistakes)
    return [*mistakes[:SHOWN_AT_MOST], f"... and {len(mistakes) - SHOWN_AT_MOST} more mistakes"]


def message(mistakes: Sequence[str]) -> str:
    """One message that lists every mistake; nothing was sent when it is shown."""
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return "\n".join([f"{count} in the input; nothing was sent:", *(f"- {mistake}" for mistake in shorten(mistakes))])
