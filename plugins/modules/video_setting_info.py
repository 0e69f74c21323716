#!/usr/bin/python

# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: video_setting_info
short_description: Show the video settings that were last applied to cloud phones
version_added: 0.1.0
description:
  - Shows what the state store remembers of instances. The API itself cannot be asked for video settings, so that
    changes made outside of this collection are not seen.
  - It sends nothing and changes nothing. A state store that does not exist has no instances.
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
      - This module never changes anything.
  diff_mode:
    support: N/A
    details:
      - This module never changes anything.
  idempotent:
    support: N/A
    details:
      - This module never changes anything.
options:
  instance_ids:
    description:
      - Ids of the instances to show; all that are remembered, if not given. Name them where the fleet is large, as each
        instance comes with its settings.
    type: list
    elements: raw
  service:
    description:
      - Name of the service that the instances belong to. For this module, the default is all of them.
      - If not given, E(KOOPHONE_SERVICE) is used.
    type: str
  status:
    description:
      - Show only instances with this status.
      - V(applied) means that it is known what was last applied; V(unknown), that nothing was ever confirmed for the
        instance, or something was sent since and not confirmed.
    type: str
    choices:
      - applied
      - unknown
  history:
    description:
      - Show also what was applied earlier, by whom.
    type: bool
    default: false
seealso:
  - module: koophone.fleet.video_setting
"""

EXAMPLES = r"""
- name: Show all instances of which it is not known what they have
  koophone.fleet.video_setting_info:
    status: unknown
  register: unknown

- name: Show who applied what to one instance
  koophone.fleet.video_setting_info:
    instance_ids:
      - 0a1b2c3d4e5f60718293a4b5c6d7e8f9
    history: true
"""

RETURN = r"""
instances:
  description: The instances, sorted by service and id.
  returned: success
  type: list
  elements: dict
  contains:
    instance_id:
      description: Id of the instance.
      type: str
    service:
      description: Service that the instance belongs to; null for an id that no service is remembered for.
      type: str
    region:
      description: Region of the instance, if earlier runs learnt it.
      type: str
    status:
      description: V(applied) or V(unknown).
      type: str
    settings:
      description:
        - Settings of the last confirmed request, network type → encoding type → definition → C(code_rate) (kbit/s)
          and C(fps); null where there was none. Only if RV(instances[].status) is V(applied) are they what the instance
          has.
      type: dict
    applied_at:
      description: When they were confirmed, UTC in ISO 8601.
      type: str
      sample: "2026-01-31T12:00:00Z"
    request_id:
      description: C(x-request-id) of that request; null for settings that were adopted.
      type: str
    run_id:
      description: The run that sent it.
      type: str
    history:
      description:
        - All confirmed settings of the instance, the newest first, each with C(settings), C(applied_at), C(request_id),
          C(run_id), C(user), C(host), and C(job_id) of AWX.
      returned: if O(history) is true
      type: list
      elements: dict
summary:
  description: How many instances are shown, by status.
  returned: success
  type: dict
  sample:
    instances: 400
    applied: 399
    unknown: 1
mistakes:
  description: Each mistake in the input, with its place; the first 100.
  returned: when the input has mistakes
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.koophone.fleet.plugins.module_utils._arguments import connection_spec, state_spec
from ansible_collections.koophone.fleet.plugins.module_utils._video_setting_info import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection_spec(),
            **state_spec(),
            "instance_ids": {"type": "list", "elements": "raw"},
            "status": {"type": "str", "choices": ["applied", "unknown"]},
            "history": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module)


if __name__ == "__main__":
    main()
