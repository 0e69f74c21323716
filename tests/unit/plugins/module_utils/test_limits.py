# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils._limits import (
    Portion,
    parse_age,
    parse_portion,
)

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 30 * MINUTE),
        ("12h", 12 * HOUR),
        ("7d", 7 * DAY),
        ("2w", 14 * DAY),
        ("0s", 0),
        ("1.5h", 90 * MINUTE),
        (" 12 h ", 12 * HOUR),
    ],
)
def test_age(text: str, seconds: float) -> None:
    mistakes: list[str] = []
    assert parse_age(text, "max_age", mistakes) == seconds
    assert mistakes == []


@pytest.mark.parametrize(
    "text", ["12", "h", "-1h", "12H", "1h30m", "12 hours", "", " ", "1e3s", "1y", "inf", "½h", "٣h", ".5h", "9" * 5000]
)
def test_what_is_no_age_is_a_mistake(text: str) -> None:
    mistakes: list[str] = []
    assert parse_age(text, "max_age", mistakes) is None
    (mistake,) = mistakes
    assert mistake.startswith("max_age: ")
    assert "12h" in mistake


@pytest.mark.parametrize(
    ("text", "instances", "allowed"),
    [
        ("500", 400, 500),
        ("500", 20_000, 500),
        ("0", 10, 0),
        ("20%", 100, 20),
        ("20%", 99, 19),
        ("20%", 4, 0),
        ("0%", 1000, 0),
        ("100%", 7, 7),
        ("12.5%", 16, 2),
        (" 20 % ", 10, 2),
        ("20%", 0, 0),
    ],
)
def test_max_changed(text: str, instances: int, allowed: int) -> None:
    mistakes: list[str] = []
    limit = parse_portion(text, "max_changed", mistakes)
    assert mistakes == []
    assert limit is not None
    assert limit.at_most(instances) == allowed
    assert limit.text == text.strip()


@given(st.integers(0, 100), st.integers(0, 100_000))
def test_a_share_is_rounded_down_exactly(percent: int, instances: int) -> None:
    limit = parse_portion(f"{percent}%", "max_changed", [])
    assert isinstance(limit, Portion)
    assert limit.at_most(instances) == percent * instances // 100


@pytest.mark.parametrize(
    "text",
    ["", " ", "-1", "1.5", "101%", "100.1%", "-5%", "%", "many", "1e3", "20 percent", "٣", "inf", "nan", "9" * 5000],
)
def test_what_is_neither_number_nor_share_is_a_mistake(text: str) -> None:
    mistakes: list[str] = []
    assert parse_portion(text, "max_changed", mistakes) is None
    (mistake,) = mistakes
    assert mistake.startswith("max_changed: ")
    assert "20%" in mistake
    assert len(mistake) < 200


@given(st.text(max_size=30))
def test_whatever_is_given_is_a_limit_or_one_mistake(text: str) -> None:
    for parse in (parse_age, parse_portion):
        mistakes: list[str] = []
        assert (parse(text, "place", mistakes) is None) == (len(mistakes) == 1)
