#!/usr/bin/python

# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: video_setting
short_description: Apply video settings to groups of cloud phones
version_added: 0.1.0
description:
  - Brings the video settings (bit rate and frame rate for every network type, encoding type and definition) of groups
    of KooPhone cloud phones to what is asked for, with as few API calls as possible, and changes nothing that is
    already right.
  - The API can only write. What was last applied is therefore remembered in a state store, and compared with what is
    asked for. Changes made outside of this collection are not seen; see O(force) and O(max_age).
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
      - Sends nothing, changes nothing, creates no state store, and needs no credentials.
  diff_mode:
    support: full
    details:
      - One entry per group and distinct last-applied settings, with the specs that change. What is not known to have
        been applied reads as C(unknown).
  idempotent:
    support: full
    details:
      - Unless O(force) is set.
options:
  instance_groups:
    description:
      - The instance groups. An instance may be in several groups if they have equal settings and regions.
      - Each mistake in them is reported with its place, all at once, before anything is sent.
    type: list
    elements: raw
    required: true
    suboptions:
      name:
        description:
          - Name of the group, unique in this list. It is shown in output and diff.
        type: str
        required: true
      instance_ids:
        description:
          - Ids of the instances in the group, 1 to 32 characters each. An id that is no string is a mistake; quote it,
            as YAML turns V(12345e10) into a number.
        type: list
        elements: str
      instance_ids_file:
        description:
          - Absolute path of a text file with further ids, one a line, with C(#) comments. It is read where the module
            runs, so that a large fleet need not travel through Ansible's variables.
        type: path
      region:
        description:
          - Region of the instances, such as V(cn-north-4). Instances of different regions are never sent in one
            request.
        type: str
      settings:
        description:
          - The desired settings, complete. Network type (V(MOBILE_NETWORK), V(WIFI), V(WIRED)) → encoding type
            (V(H264), V(H265)) → definition (V(540P), V(720P), V(1080P)) → C(code_rate) (bit rate in kbit/s, 100 to
            10000, a multiple of 100) and C(fps) (frame rate, 30 or 60).
          - Exactly one of O(instance_groups[].settings) and O(instance_groups[].instance_settings) is to be given.
        type: dict
      instance_settings:
        description:
          - The desired settings in the API's own shape, the list C(instance_settings) of its reference.
        type: list
        elements: dict
  batch_size:
    description:
      - How many instances are sent in one request at the most, 1 to 100.
    type: int
    default: 100
  force:
    description:
      - Send the settings to all instances, even where the same were last applied.
    type: bool
    default: false
  max_age:
    description:
      - Treat what was applied longer ago than this as unknown, and apply it again. A number with a unit, such as
        V(90s), V(30m), V(12h), V(7d) or V(2w).
    type: str
  max_changed:
    description:
      - Refuse, before anything is sent, to change more than this many instances (V(500)) or this share of those named
        (V(20%)); with O(fleet_size), of the fleet. What O(up_to) leaves for later counts too.
    type: str
  fleet_size:
    description:
      - How many instances the fleet has that a share in O(max_changed) is of, where more than O(instance_groups) names,
        as in a run that is limited to some of them.
    type: int
  up_to:
    description:
      - Change only the first of the instances named, so many (V(50)) or this share of them (V(10%), rounded up), and
        leave the others for later; they are counted as C(not_attempted). Who comes first is decided by the ids alone,
        so that it stays the same from run to run, and those of all groups are mixed.
      - Instances among the first that are right already are not sent again, so a run with a larger share goes on where
        the last one ended. RV(plan_digest), O(approved_plan) and O(max_changed) are about the whole plan all the same.
      - It cannot be combined with O(force).
    type: str
  approved_plan:
    description:
      - Refuse, before anything is sent, when RV(plan_digest) is another one. A run that continues what this plan began
        needs no new approval as long as the same is desired and nobody else changed the instances since.
    type: str
seealso:
  - name: KooPhone API reference
    description: The call SetVideoConfig, which this module uses.
    link: https://support.huaweicloud.com/api-koophone/
"""

EXAMPLES = r"""
- name: Show what would change
  koophone.fleet.video_setting:
    instance_groups: "{{ fleet }}"
  check_mode: true
  diff: true
  vars:
    fleet:
      - name: kiosks
        instance_ids:
          - 0a1b2c3d4e5f60718293a4b5c6d7e8f9
          - 1a1b2c3d4e5f60718293a4b5c6d7e8f9
        region: cn-north-4
        settings:
          MOBILE_NETWORK: &network
            H264: &encoding
              540P: {code_rate: 1000, fps: 30}
              720P: {code_rate: 2000, fps: 30}
              1080P: {code_rate: 4000, fps: 60}
            H265: *encoding
          WIFI: *network
          WIRED: *network

- name: Apply the settings in the API's own shape, to instances from a file
  koophone.fleet.video_setting:
    auth_token: "{{ koophone_token }}"
    max_changed: 20%
    instance_groups:
      - name: players
        instance_ids_file: "{{ players_file }}"
        instance_settings: "{{ players_settings }}"
"""

RETURN = r"""
check_mode:
  description: Whether this was check mode, in which nothing is sent.
  returned: always
  type: bool
plan_digest:
  description:
    - Digest of what was planned, 64 hexadecimal digits. It depends on what is desired and what was last applied, on
      O(force) and O(max_age), and on nothing else.
    - The first half is of what is desired, the second of what was last applied.
  returned: always
  type: str
  sample: 5f7f3c1b6c0b6a7f2f3f4a0f4a2c3f1b8f0d0f3f4f0f3f1f6f7f8f9f0f1f2f3f
requests:
  description: How many HTTP requests were sent. V(0) in check mode.
  returned: always
  type: int
  sample: 5
ended_by:
  description:
    - Why the run ended before all instances were attempted, such as a signal, O(deadline) or a service that is down;
      null if it did not.
  returned: always
  type: str
summary:
  description: How many instances there are, by what became of them.
  returned: always
  type: dict
  contains:
    instances:
      description: Instances named, each counted once.
      type: int
    changed:
      description: Instances that the settings were applied to; in check mode, would be.
      type: int
    unchanged:
      description: Instances that were right already.
      type: int
    failed:
      description: Instances that the settings could not be applied to.
      type: int
    unknown:
      description: Instances to be changed of which it was not known, before the run, what was last applied.
      type: int
    not_attempted:
      description: Instances that were left when the run ended early.
      type: int
  sample:
    instances: 400
    changed: 400
    unchanged: 0
    failed: 0
    unknown: 400
    not_attempted: 0
instance_groups:
  description: The same counts for each group, with its C(name), sorted by that; the first 500.
  returned: always
  type: list
  elements: dict
  sample:
    - name: kiosks
      instances: 120
      changed: 120
      unchanged: 0
      failed: 0
      unknown: 120
      not_attempted: 0
instance_groups_total:
  description: How many groups there are.
  returned: always
  type: int
changed_instances:
  description: Ids of the first 100 changed instances.
  returned: always
  type: list
  elements: str
changed_instances_total:
  description: How many instances were changed.
  returned: always
  type: int
failed_instances:
  description: The first 100 instances that failed, and why.
  returned: always
  type: list
  elements: dict
  contains:
    instance_id:
      description: Id of the instance.
      type: str
    group:
      description: Name of its group.
      type: str
    http_status:
      description: HTTP status of the last answer, null where there was none.
      type: int
    error_code:
      description: Error code of the API, null where there was none.
      type: str
    error_msg:
      description: What the code means, and the API's message.
      type: str
    request_id:
      description: C(x-request-id) of the last request, by which the vendor's support can trace it.
      type: str
failed_instances_total:
  description: How many instances failed.
  returned: always
  type: int
oldest_applied_at:
  description:
    - When the oldest of what is known to be last applied on the instances named was applied, in UTC, as read before
      the run changed anything; null where nothing is known.
  returned: always
  type: str
  sample: "2026-01-31T12:00:00Z"
mistakes:
  description: Each mistake in the input, with its place; the first 100.
  returned: when the input has mistakes
  type: list
  elements: str
  sample:
    - "instance_groups[2].settings.WIFI.H265.720P.code_rate: 6050 is not a multiple of 100"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.koophone.fleet.plugins.module_utils._arguments import connection_spec, state_spec
from ansible_collections.koophone.fleet.plugins.module_utils._video_setting import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection_spec(),
            **state_spec(),
            "instance_groups": {"type": "list", "elements": "raw", "required": True},
            "batch_size": {"type": "int", "default": 100},
            "force": {"type": "bool", "default": False},
            "max_age": {"type": "str"},
            "max_changed": {"type": "str"},
            "fleet_size": {"type": "int"},
            "up_to": {"type": "str"},
            "approved_plan": {"type": "str"},
        },
        supports_check_mode=True,
    )
    run(module)


if __name__ == "__main__":
    main()
