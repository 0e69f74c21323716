# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Conditions as GitHub and GitLab write them: `==`, `!=`, `&&`, `||`, `!`, parentheses, texts and names."""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'[^']*'|"[^"]*")"""
    r"""|(?P<name>\$?[A-Za-z_][\w.-]*(?:\(\))?)"""
    r"""|(?P<sign>&&|\|\||[!=]=|[!()]))"""
)


class Condition:
    """One condition, evaluated by recursive descent; `value_of` knows the names."""

    def __init__(self, text: str, value_of: Callable[[str], object]) -> None:
        self._tokens: list[tuple[str, str]] = []
        position, text = 0, text.strip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            assert match is not None, f"cannot read {text[position:]!r}"
            assert match.lastgroup is not None
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        self._value_of = value_of

    def __bool__(self) -> bool:
        value = self._either()
        assert not self._tokens, f"left over: {self._tokens}"
        return bool(value)

    def _takes(self, sign: str) -> bool:
        if self._tokens and self._tokens[0] == ("sign", sign):
            self._tokens.pop(0)
            return True
        return False

    def _either(self) -> object:
        value = self._both()
        while self._takes("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> object:
        value = self._compared()
        while self._takes("&&"):
            other = self._compared()
            value = value and other
        return value

    def _compared(self) -> object:
        value = self._single()
        if self._takes("=="):
            return value == self._single()
        if self._takes("!="):
            return value != self._single()
        return value

    def _single(self) -> object:
        if self._takes("!"):
            return not self._single()
        if self._takes("("):
            value = self._either()
            assert self._takes(")")
            return value
        kind, token = self._tokens.pop(0)
        assert kind in ("text", "name"), f"unexpected: {token}"
        return token[1:-1] if kind == "text" else self._value_of(token)
