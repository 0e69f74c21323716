# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: video_setting_wave
author:
  - The koophone.fleet contributors
version_added: 0.1.0
short_description: Put the results of waves together
description:
  - Made for the role P(koophone.fleet.video_setting#role), which is documented for users; this is how it works inside.
  - Makes one result of what M(koophone.fleet.video_setting) returned for the waves of a fleet, and decides whether
    another wave is to follow.
positional: done, wave, max_failures
options:
  _input:
    description: The registered result of the module for this wave.
    type: dict
    required: true
  done:
    description: What this filter returned after the wave before; an empty dictionary after the first.
    type: dict
    required: true
  wave:
    description: Up to where this wave goes, such as V(10%).
    type: str
    required: true
  max_failures:
    description: How many of a wave's instances (V(3)), or which share of them (V(5%)), may fail.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Put the results of two waves together
  ansible.builtin.set_fact:
    my_result: "{{ my_wave | koophone.fleet.video_setting_wave(my_result, '10%', '0') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: What the module would have returned for all waves so far, and more.
  type: dict
  contains:
    waves:
      description: A line for each wave.
      type: list
      elements: str
    ended:
      description: Why no other wave is to follow; empty while one is.
      type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.koophone.fleet.plugins.plugin_utils._values import plain
from ansible_collections.koophone.fleet.plugins.plugin_utils._waves import after_wave


def video_setting_wave(result: Mapping[str, Any], done: Mapping[str, Any], wave: str, max_failures: str) -> Any:
    """See DOCUMENTATION."""
    return after_wave(plain(done) or None, plain(wave), plain(result), plain(max_failures))


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"video_setting_wave": video_setting_wave}
