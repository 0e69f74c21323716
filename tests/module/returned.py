# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module returns, held against its documentation."""

from __future__ import annotations

import ast
from typing import Any

import yaml

from tests.module.running import ROOT

TYPES: dict[str, type | tuple[type, ...]] = {
    "bool": bool, "int": int, "float": float, "str": str, "list": list, "dict": dict,
}  # fmt: skip
# What Ansible adds, or documents for all modules.
COMMON = {"changed", "diff", "exception", "failed", "invocation", "msg", "warnings"}


def documented(name: str = "RETURN") -> dict[str, Any]:
    """A YAML block of the module."""
    source = (ROOT / "plugins/modules/video_setting.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return dict(yaml.safe_load(ast.literal_eval(node.value)))
    raise AssertionError(f"no {name}")


def assert_as_documented(result: dict[str, Any]) -> None:
    """Every value that is returned is documented and of its type, and every one that always is, is there."""
    values = documented()
    assert set(result) - COMMON <= set(values)
    assert {name for name, value in values.items() if value["returned"] == "always"} <= set(result)
    for name, value in result.items():
        if name not in COMMON:
            _assert_type(name, value, values[name])


def _assert_type(place: str, value: Any, document: dict[str, Any]) -> None:
    if value is None:
        assert "null" in str(document["description"]), f"{place} is null"
        return
    assert isinstance(value, TYPES[document["type"]]), f"{place} is {value!r}"
    assert document["type"] == "bool" or not isinstance(value, bool), f"{place} is {value!r}"
    elements = value if isinstance(value, list) else [value]
    if isinstance(value, list):
        assert all(isinstance(element, TYPES[document["elements"]]) for element in value), f"{place} is {value!r}"
    if "contains" in document:
        for one in elements:
            assert set(one) == set(document["contains"]), place
            for name, inner in one.items():
                _assert_type(f"{place}.{name}", inner, document["contains"][name])
