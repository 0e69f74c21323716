# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Text from the service is never a template, whoever named an instance `{{ … }}`."""

from __future__ import annotations

from typing import Any

from ansible.utils.unsafe_proxy import wrap_var

try:
    from ansible.template import trust_as_template as _trust
except ImportError:
    _trust = None

# Since ansible-core 2.19 only what is marked as trusted is evaluated, and text is not unless somebody marks it.
_UNMARKED_IS_SAFE = _trust is not None


def unsafe(value: Any) -> Any:
    """The value marked so that Ansible doesn't evaluate it. Only texts and what JSON is made of."""
    if _UNMARKED_IS_SAFE:
        return value
    if isinstance(value, dict):
        return {unsafe(key): unsafe(member) for key, member in value.items()}
    if isinstance(value, list):
        return [unsafe(member) for member in value]
    # Text without these cannot be a template; marked, it would only look odd in `ansible-inventory --list`.
    if isinstance(value, str) and ("{" in value or "}" in value):
        return wrap_var(value)
    return value
