# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: video_setting_report
author:
  - The koophone.fleet contributors
version_added: 0.1.0
short_description: Tell the outcome of the module video_setting in words
description:
  - Made for the role P(koophone.fleet.video_setting#role), which is documented for users; this is how it works inside.
  - Makes lines for a human of what M(koophone.fleet.video_setting) returned, whether it succeeded or not.
positional: given, diff_mode
options:
  _input:
    description: The registered result of the module.
    type: dict
    required: true
  given:
    description: What P(koophone.fleet.video_setting_input#filter) returned.
    type: dict
    required: true
  diff_mode:
    description:
      - Whether Ansible itself shows the differences.
      - Where it doesn't, they are among the lines if the module failed.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Show the outcome
  ansible.builtin.debug:
    msg: "{{ (my_result | koophone.fleet.video_setting_report(my_input, ansible_diff_mode)).lines }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The outcome in words.
  type: dict
  contains:
    lines:
      description: The lines to show.
      type: list
      elements: str
    failed:
      description: Whether the role is to fail, for a reason that the lines tell.
      type: bool
    drifted:
      description: Whether the role is to fail because something is not as desired.
      type: bool
    stats:
      description: What to publish with M(ansible.builtin.set_stats); empty where nothing is.
      type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.koophone.fleet.plugins.plugin_utils._report import report
from ansible_collections.koophone.fleet.plugins.plugin_utils._values import plain


def video_setting_report(result: Mapping[str, Any], given: Mapping[str, Any], diff_mode: bool) -> dict[str, Any]:
    """See DOCUMENTATION."""
    # The ids of a large fleet have no say in the words, and would be copied each time that one is asked for.
    told = {name: given[name] for name in given if name not in ("instance_groups", "options")}
    return report(plain(result), plain(told), bool(diff_mode))


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"video_setting_report": video_setting_report}
