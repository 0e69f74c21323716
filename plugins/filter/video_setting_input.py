# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: video_setting_input
author:
  - The koophone.fleet contributors
version_added: 0.1.0
short_description: Read and check the variables of the role video_setting
description:
  - Made for the role P(koophone.fleet.video_setting#role), which is documented for users; this is how it works inside.
  - Takes the variables of a play (C(video_setting_*)) and of its hosts (C(koophone_*)), lays presets and overrides
    over each other, puts hosts with equal region and settings into groups, and checks everything.
  - Strings as surveys and INI inventories give them are understood, and none of them is evaluated as a template.
  - It doesn't stop at the first mistake, and raises no error for any of them, but returns them all.
positional: play_batch
options:
  _input:
    description: Ansible's C(hostvars).
    type: dict
    required: true
  play_batch:
    description: The hosts of the batch that runs now, C(ansible_play_batch).
    type: list
    elements: str
    required: true
  play_hosts:
    description: The hosts of the play, C(ansible_play_hosts).
    type: list
    elements: str
    required: true
  groups:
    description: The inventory's C(groups).
    type: dict
    required: true
  names:
    description: The names of the play's variables that begin with C(video_setting_).
    type: list
    elements: str
    required: true
  presets:
    description: The presets that the role ships.
    type: dict
    required: true
  network_presets:
    description: The preset that each network type has if nobody chooses one.
    type: dict
    required: true
  limit:
    description: C(ansible_limit), if there is one.
    type: str
    default: ''
  slices:
    description: The number of slices that a job of AWX is cut into, if it is.
    type: raw
    default: 0
  workflow:
    description: The name of the workflow job of AWX that this job is of, if it is of one.
    type: str
    default: ''
  template:
    description: The name of the job's template, if it is a job of AWX. A workflow of that name is a sliced job.
    type: str
    default: ''
  purpose:
    description: What the play is for.
    type: str
    choices:
      - apply
      - plan
      - drift
      - adopt
    default: apply
  check_mode:
    description: C(ansible_check_mode).
    type: bool
    default: false
notes:
  - Relative paths in C(video_setting_ca_path), C(video_setting_state_url) and C(instance_ids_file) count from the
    folder in which Ansible was started.
"""

EXAMPLES = r"""
- name: Read the variables
  ansible.builtin.set_fact:
    my_input: >-
      {{ hostvars | koophone.fleet.video_setting_input(
           ansible_play_batch,
           play_hosts=ansible_play_hosts,
           groups=groups,
           names=query('ansible.builtin.varnames', '^video_setting_'),
           presets=my_presets,
           network_presets={'MOBILE_NETWORK': 'small', 'WIFI': 'large', 'WIRED': 'large'}) }}
  run_once: true
  no_log: true
"""

RETURN = r"""
_value:
  description: What the role hands to its module, and what it needs to tell about the outcome.
  type: dict
  contains:
    mistakes:
      description: Every mistake with its place; with any, there are no groups and no options.
      type: list
      elements: str
    instance_groups:
      description: The option O(koophone.fleet.video_setting#module:instance_groups) of the module.
      type: list
      elements: dict
    options:
      description: The other options of the module, as far as they are given.
      type: dict
    hosts:
      description: How many hosts there are in the batch.
      type: int
    hosts_without_id:
      description: How many of them are no instances.
      type: int
    may_be_empty:
      description: Whether it is all right to have no instance at all.
      type: bool
    purpose:
      description: What the play is for.
      type: str
    part:
      description: Which part of what is to be done this is, in words; empty where it is all of it.
      type: str
    waves:
      description: The waves in which to apply; empty to apply all at once.
      type: list
      elements: str
    max_failures:
      description: How many of a wave's instances, or which share of them, may fail.
      type: str
    fail_on_drift:
      description: Whether to fail if something is not as desired.
      type: bool
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from ansible_collections.koophone.fleet.plugins.plugin_utils._course import APPLY, Play, is_sliced
from ansible_collections.koophone.fleet.plugins.plugin_utils._input import read_input
from ansible_collections.koophone.fleet.plugins.plugin_utils._values import is_unset, plain, to_count

try:
    from ansible.template import trust_as_template
except ImportError:
    trust_as_template = None


def _unsafe(value: Any) -> Any:
    """The value with none of its strings taken for a template later on."""
    if trust_as_template is not None:
        # Since ansible-core 2.19 only what is marked as a template is one, and nothing that a filter makes is.
        return value
    from ansible.utils.unsafe_proxy import wrap_var

    return wrap_var(value)


@pass_context
def video_setting_input(
    context: Context,
    hostvars: Any,
    play_batch: Sequence[str],
    *,
    play_hosts: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    names: Sequence[str],
    presets: Mapping[str, Any],
    network_presets: Mapping[str, str],
    limit: Any = "",
    slices: Any = 0,
    workflow: Any = "",
    template: Any = "",
    purpose: str = APPLY,
    check_mode: bool = False,
) -> Any:
    """See DOCUMENTATION."""
    play = Play(
        hosts=plain(play_hosts),
        batch=plain(play_batch),
        inventory_groups=plain(groups),
        folder=Path.cwd(),
        limit="" if is_unset(plain(limit)) else str(limit),
        sliced=is_sliced(to_count(plain(slices)), str(plain(workflow) or ""), str(plain(template) or "")),
        purpose=plain(purpose),
        check_mode=bool(check_mode),
    )
    try:
        result = read_input(hostvars, play, plain(names), context.resolve_or_missing, presets, network_presets)
    except Exception as error:
        # Its task hides its output, for it carries credentials. A defect must not be hidden with it.
        result = {
            "mistakes": [f"internal error, please report it: {type(error).__name__}: {error}"],
            "waves": [],
        }
    return _unsafe(result)


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"video_setting_input": video_setting_input}
