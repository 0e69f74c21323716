# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from hypothesis import given

from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import message, shorten, shown
from ansible_collections.koophone.fleet.tests.unit.plugins.module_utils.samples import json_values


@given(json_values)
def test_a_value_is_shown_short_and_on_one_line(value: Any) -> None:
    text = shown(value)
    assert 0 < len(text) <= 60
    assert text.isprintable()


def test_a_value_is_shown_as_written() -> None:
    assert shown("wifi") == '"wifi"'
    assert shown("Büro 東京") == '"Büro 東京"'
    assert shown(6050) == "6050"
    assert shown(None) == "null"
    assert shown("a\x1b[31m\x9b\u2028\ud800") == '"a\\u001b[31m\\u009b\\u2028\\ud800"'
    assert shown("x" * 100) == f'"{"x" * 56}...'


def test_every_mistake_is_a_line_of_one_message() -> None:
    assert message(["a: wrong"]) == "1 mistake in the input; nothing was sent:\n- a: wrong"
    assert message(["a: wrong", "b: bad"]) == "2 mistakes in the input; nothing was sent:\n- a: wrong\n- b: bad"


def test_a_hundred_mistakes_are_all_shown() -> None:
    mistakes = [f"place {number}: wrong" for number in range(100)]
    assert shorten(mistakes) == mistakes


def test_of_very_many_mistakes_the_first_are_shown_and_the_rest_counted() -> None:
    mistakes = [f"place {number}: wrong" for number in range(20_000)]
    assert shorten(mistakes) == [*mistakes[:100], "... and 19900 more mistakes"]
    text = message(mistakes)
    assert text.startswith("20000 mistakes")
    assert text.splitlines()[1:] == [f"- {line}" for line in shorten(mistakes)]
