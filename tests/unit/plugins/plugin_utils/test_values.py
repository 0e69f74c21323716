# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values as surveys, INI inventories and YAML give them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined

from ansible_collections.koophone.fleet.plugins.plugin_utils._values import (
    UnreadableError,
    counted,
    has_template,
    is_unset,
    plain,
    to_boolean,
    to_count,
    to_list,
    to_mapping,
    to_text,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=12,
)


class Text(str):
    """Such as Ansible's strings with an origin."""

    __slots__ = ()


@given(json_values)
def test_plain_keeps_plain_values(value: Any) -> None:
    assert plain(value) == value


def test_plain_has_pythons_own_types() -> None:
    result = plain({Text("a"): (Text("b"), [Text("c")]), "when": datetime.date(2026, 1, 2)})
    assert result == {"a": ["b", ["c"]], "when": "2026-01-02"}
    assert [type(key) for key in result] == [str, str]
    assert type(result["a"][0]) is type(result["a"][1][0]) is str


def test_plain_refuses_what_is_undefined_wherever_it_is() -> None:
    with pytest.raises(UnreadableError, match="'nope' is undefined"):
        plain({"a": [StrictUndefined(name="nope")]})


@pytest.mark.parametrize("value", [None, "", " ", "\n"])
def test_unset(value: Any) -> None:
    mistakes: list[str] = []
    assert is_unset(value)
    assert to_mapping(value, "x", "here", mistakes) == {}
    assert to_list(value, "x", "here", mistakes) == []
    assert to_text(value, "here", mistakes) is None
    assert to_boolean(value, "here", mistakes) is False
    assert not mistakes


@pytest.mark.parametrize("value", [0, False, "0", "false", [], {}])
def test_not_unset(value: Any) -> None:
    assert not is_unset(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(value, True) for value in ("true", "True", " yes ", 1, True)]
    + [(value, False) for value in ("false", "False", "no", 0, "0", False)],
)
def test_boolean(value: Any, expected: bool) -> None:
    mistakes: list[str] = []
    assert to_boolean(value, "here", mistakes) is expected
    assert not mistakes


@pytest.mark.parametrize("value", ["maybe", 2, [], "{{ true }}"])
def test_no_boolean(value: Any) -> None:
    mistakes: list[str] = []
    to_boolean(value, "here", mistakes)
    assert len(mistakes) == 1
    assert mistakes[0].startswith("here: ")
    assert "neither true nor false" in mistakes[0]


@pytest.mark.parametrize("text", ['{"WIFI": "balanced"}', "{'WIFI': 'balanced'}", "WIFI: balanced", "{WIFI: balanced}"])
def test_dictionary_as_text(text: str) -> None:
    mistakes: list[str] = []
    assert to_mapping(text, "x", "here", mistakes) == {"WIFI": "balanced"}
    assert not mistakes


@pytest.mark.parametrize("text", ["[a, '1e5']", "- a\n- '1e5'", '["a", "1e5"]'])
def test_list_as_text(text: str) -> None:
    mistakes: list[str] = []
    assert to_list(text, "x", "here", mistakes) == ["a", "1e5"]
    assert not mistakes


@pytest.mark.parametrize("value", ["{{ x }}", "balanced", 3, True, "{", "a: b: c", "[1]"])
def test_no_dictionary(value: Any) -> None:
    mistakes: list[str] = []
    assert to_mapping(value, "a, b", "here", mistakes) == {}
    assert len(mistakes) == 1
    assert mistakes[0].endswith("is not a dictionary of a, b")


@pytest.mark.parametrize("value", ["{{ x }}", "balanced", 3, {"a": 1}, "a: 1"])
def test_no_list(value: Any) -> None:
    mistakes: list[str] = []
    assert to_list(value, "ids", "here", mistakes) == []
    assert len(mistakes) == 1
    assert mistakes[0].endswith("is not a list of ids")


@pytest.mark.parametrize("value", [3, 1.5, True, ["x"], "a\nb", "a\x00"])
def test_no_text(value: Any) -> None:
    mistakes: list[str] = []
    assert to_text(value, "here", mistakes) is None
    assert len(mistakes) == 1


@pytest.mark.parametrize(("value", "expected"), [(3, 3), ("3", 3), ("", 0), (None, 0), ("many", 0), (1, 1)])
def test_count(value: Any, expected: int) -> None:
    assert to_count(value) == expected


@pytest.mark.parametrize("value", ["{{ x }}", {"a": ["b", "{% if x %}"]}, {"{{ x }}": 1}, "#jinja2: x", object()])
def test_templates(value: Any) -> None:
    assert has_template(value)


@pytest.mark.parametrize("value", ["x", {"a": ["b", 1, None, 1.5, True]}, None, "{'WIFI': 'balanced'}"])
def test_no_templates(value: Any) -> None:
    assert not has_template(value)


def test_counted() -> None:
    assert [counted(number, "host") for number in (0, 1, 2)] == ["0 hosts", "1 host", "2 hosts"]
