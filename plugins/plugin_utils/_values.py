# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Values as inventories, surveys and INI files give them, turned into plain Python.

Surveys answer in strings, and optional questions with `''`; INI inventories know strings and Python literals;
`-e name=value` is a string. So `"30"`, `"true"`, `"{'WIFI': 'balanced'}"` and `""` (not given) are understood
wherever a number, a boolean, a dictionary or a list is wanted. Nothing here evaluates a template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.common.yaml import yaml_load
from jinja2 import Undefined

from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown

_TRUE = ("true", "yes", "on", "y", "t", "1", "1.0")
_FALSE = ("false", "no", "off", "n", "f", "0", "0.0")
_TEMPLATE_STARTS = ("{{", "{%", "{#")


class UnreadableError(Exception):
    """A value that could not be evaluated; the text says why, in words for a mistake."""


def plain(value: Any) -> Any:
    """A copy of a value that consists of nothing but Python's own types; what is undefined raises `UnreadableError`."""
    if isinstance(value, Undefined):
        raise UnreadableError(_why_undefined(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    # Such as an encrypted string of ansible-core before 2.19, or a date from YAML.
    return str(value)


def is_unset(value: Any) -> bool:
    """Whether a value stands for none at all: null, or the blank answer to an optional question of a survey."""
    return value is None or (isinstance(value, str) and not value.strip())


def has_template(value: Any) -> bool:
    """Whether anything in a raw variable may be a template (or an encrypted string, which reads as one here)."""
    if isinstance(value, str):
        return value.startswith("#jinja2:") or any(start in value for start in _TEMPLATE_STARTS)
    if value is None or isinstance(value, (bool, int, float)):
        return False
    if isinstance(value, Mapping):
        return any(has_template(key) or has_template(member) for key, member in value.items())
    if isinstance(value, (list, tuple)):
        return any(has_template(member) for member in value)
    return True


def to_mapping(value: Any, what: str, place: str, mistakes: list[str]) -> Mapping[Any, Any]:
    """A dictionary, also as its text in YAML or JSON; the empty one when it is not given."""
    value = _parsed(value)
    if is_unset(value):
        return {}
    if isinstance(value, Mapping):
        return value
    mistakes.append(f"{place}: {shown(value)} is not a dictionary of {what}")
    return {}


def to_list(value: Any, what: str, place: str, mistakes: list[str]) -> Sequence[Any]:
    """A list, also as its text in YAML or JSON; the empty one when it is not given."""
    value = _parsed(value)
    if is_unset(value):
        return []
    if isinstance(value, list):
        return value
    mistakes.append(f"{place}: {shown(value)} is not a list of {what}")
    return []


def to_boolean(value: Any, place: str, mistakes: list[str]) -> bool:
    """A boolean, also as the texts and numbers that Ansible takes for one; false when it is not given."""
    if is_unset(value):
        return False
    text = str(value).strip().lower()
    if text not in _TRUE and text not in _FALSE:
        mistakes.append(f"{place}: {shown(value)} is neither true nor false")
    return text in _TRUE


def to_text(value: Any, place: str, mistakes: list[str]) -> str | None:
    """A text of at least one visible character; none when it is not given."""
    if is_unset(value):
        return None
    if not isinstance(value, str):
        mistakes.append(f"{place}: {shown(value)} is not a string; quote it")
        return None
    if not value.isprintable():
        mistakes.append(f"{place}: {shown(value)} has characters that cannot be printed")
        return None
    return value


def to_count(value: Any) -> int:
    """A number of something, also as text; 0 for anything else."""
    try:
        return int(str(value).strip())
    except ValueError:
        return 0


def counted(number: int, noun: str) -> str:
    """Such as `1 instance`, `250 instances`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _parsed(value: Any) -> Any:
    """Text that holds a dictionary or a list, as a survey's text area or `-e name=value` gives it."""
    if isinstance(value, str) and not is_unset(value):
        try:
            parsed = yaml_load(value)
        except Exception:  # Whatever the parser raises, the text is none of these.
            return value
        if isinstance(parsed, (Mapping, list)):
            return parsed
    return value


def _why_undefined(value: Undefined) -> str:
    try:
        str(value)
    except Exception as error:  # Which one depends on the version of Ansible.
        return str(error).rsplit(": ", maxsplit=1)[-1]
    return "it is undefined"
