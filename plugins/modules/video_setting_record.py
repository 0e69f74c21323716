#!/usr/bin/python

# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: video_setting_record
short_description: Edit what is remembered of the video settings of cloud phones
version_added: 0.1.0
description:
  - Edits the state store without touching any instance. For fleets that were set up by other means, and for instances
    that were reset or changed by hand.
author:
  - The koophone.fleet contributors (@koophone)
extends_documentation_fragment:
  - koophone.fleet.connection
  - koophone.fleet.state_store
  - koophone.fleet.attributes
attributes:
  check_mode:
    support: full
    details:
      - Changes nothing and creates no state store.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - What to remember from now on.
      - V(adopted) means that the instances in O(instance_groups) have the settings given there, as if these had just
        been applied.
      - V(forgotten) means that it is not known what the instances in O(instance_ids) have. The next run applies their
        settings again. This succeeds at any time; what another run is sending to them right now does not become known
        either.
    type: str
    required: true
    choices:
      - adopted
      - forgotten
  instance_groups:
    description:
      - The instance groups to adopt, written as for M(koophone.fleet.video_setting), with C(name), C(instance_ids) or
        C(instance_ids_file), C(region), and C(settings) or C(instance_settings).
      - Required if O(state=adopted).
    type: list
    elements: raw
  instance_ids:
    description:
      - Ids of the instances to forget.
      - If O(state=forgotten), either this or O(all_instances) is required.
    type: list
    elements: raw
  all_instances:
    description:
      - Forget all instances of the O(service). This is for a state store that was restored from a backup.
    type: bool
    default: false
seealso:
  - module: koophone.fleet.video_setting
"""

EXAMPLES = r"""
- name: Take over a fleet that has its settings already
  koophone.fleet.video_setting_record:
    state: adopted
    instance_groups: "{{ fleet }}"

- name: Say that an instance was reset
  koophone.fleet.video_setting_record:
    state: forgotten
    instance_ids:
      - 0a1b2c3d4e5f60718293a4b5c6d7e8f9

- name: Trust nothing after the database was restored from a backup
  koophone.fleet.video_setting_record:
    state: forgotten
    all_instances: true
"""

RETURN = r"""
check_mode:
  description: Whether this was check mode.
  returned: always
  type: bool
summary:
  description:
    - How many instances were named, and of how many the memory was changed. For O(state=adopted) it has all counts of
      M(koophone.fleet.video_setting).
  returned: always
  type: dict
  sample:
    instances: 400
    changed: 400
    unchanged: 0
instance_groups:
  description: The same counts for each group, with its C(name); the first 500.
  returned: if O(state=adopted)
  type: list
  elements: dict
instance_groups_total:
  description: How many groups there are.
  returned: if O(state=adopted)
  type: int
changed_instances:
  description: Ids of the first 100 instances of which the memory was changed.
  returned: always
  type: list
  elements: str
changed_instances_total:
  description: Of how many instances the memory was changed.
  returned: always
  type: int
failed_instances:
  description: The first 100 instances that could not be adopted because another run holds them.
  returned: if O(state=adopted)
  type: list
  elements: dict
failed_instances_total:
  description: How many instances could not be adopted.
  returned: if O(state=adopted)
  type: int
oldest_applied_at:
  description:
    - When the oldest of what was known to be last applied on the instances was applied, in UTC, as read before
      anything was adopted; null where nothing was known.
  returned: if O(state=adopted)
  type: str
  sample: "2026-01-31T12:00:00Z"
plan_digest:
  description: Digest of what was adopted on top of what.
  returned: if O(state=adopted)
  type: str
ended_by:
  description: Why the run ended before all instances were adopted; null if it did not.
  returned: if O(state=adopted)
  type: str
requests:
  description: Always V(0), nothing is sent.
  returned: if O(state=adopted)
  type: int
mistakes:
  description: Each mistake in the input, with its place; the first 100.
  returned: when the input has mistakes
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.koophone.fleet.plugins.module_utils._arguments import connection_spec, state_spec
from ansible_collections.koophone.fleet.plugins.module_utils._video_setting_record import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection_spec(),
            **state_spec(),
            "state": {"type": "str", "required": True, "choices": ["adopted", "forgotten"]},
            "instance_groups": {"type": "list", "elements": "raw"},
            "instance_ids": {"type": "list", "elements": "raw"},
            "all_instances": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module)


if __name__ == "__main__":
    main()
