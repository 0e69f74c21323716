# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Wires the module `video_setting_record`: edits the memory without touching any instance."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.koophone.fleet.plugins.module_utils._apply import adopt
from ansible_collections.koophone.fleet.plugins.module_utils._arguments import (
    StateOptions,
    parse_connection,
    parse_state,
)
from ansible_collections.koophone.fleet.plugins.module_utils._guard import Guard
from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import (
    InstanceGroup,
    parse_instance_groups,
    parse_instance_ids,
)
from ansible_collections.koophone.fleet.plugins.module_utils._job import Applied, Job, SendOptions
from ansible_collections.koophone.fleet.plugins.module_utils._module import (
    StopSignal,
    invocation_of,
    names_of,
    read_text,
    report_input,
    this_run,
)
from ansible_collections.koophone.fleet.plugins.module_utils._outcome import Outcomes
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Options, desired_of
from ansible_collections.koophone.fleet.plugins.module_utils._report import (
    failure_message,
    forgotten_report,
    predicted,
    report,
)
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import StateError, Status
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import look_at, open_store, records_of


def run(module: AnsibleModule) -> None:
    """Do what the module's options ask for, and exit."""
    mistakes: list[str] = []
    warnings: list[str] = []
    params = module.params
    connection = parse_connection(params, mistakes)
    state = parse_state(params, mistakes, warnings)
    groups: list[InstanceGroup] = []
    instance_ids: tuple[str, ...] | None = None
    if params["instance_groups"] is not None:
        groups = parse_instance_groups(params["instance_groups"], read_text, mistakes)
    if params["instance_ids"] is not None:
        instance_ids = parse_instance_ids(params["instance_ids"], "instance_ids", mistakes)
    # Checked here and not by the argument specification, which reports one mistake at a time.
    if params["state"] == "adopted" and params["instance_groups"] is None:
        mistakes.append("instance_groups: is missing; it is required for state: adopted")
    if params["state"] == "forgotten" and (instance_ids is None) is not params["all_instances"]:
        mistakes.append("instance_ids: for state: forgotten, give either instance_ids or all_instances: true")
    report_input(module, mistakes, warnings, instance_groups="(not shown)", instance_ids="(not shown)")
    invocation = invocation_of(
        module,
        instance_groups=names_of(groups),
        instance_ids=None if instance_ids is None else f"({len(instance_ids)} ids)",
    )
    stopped = StopSignal()
    try:
        if params["state"] == "forgotten":
            module.exit_json(invocation=invocation, **_forget(state, instance_ids, check_mode=module.check_mode))
            return
        job = Job(
            run=this_run(),
            service=state.service,
            desired=desired_of(groups),
            options=Options(),
            guard=Guard(),
            batch_size=100,
            claim_timeout=state.claim_timeout,
            history_age=state.history_age,
            send=SendOptions(1, 0, connection.timeout, state.settle, stopped=stopped),
            tell=module.log,
        )
        if not module.check_mode:
            stopped.listen()
        applied = _adopt(job, state, check_mode=module.check_mode)
    except StateError as error:
        module.fail_json(msg=str(error), invocation=invocation)
        return
    for note in applied.outcomes.notes:
        module.warn(note)
    result = report(applied.plan, groups, applied.outcomes, check_mode=module.check_mode)
    failure = failure_message(applied.outcomes)
    if failure is not None:
        module.fail_json(msg=failure, invocation=invocation, **result)
    module.exit_json(invocation=invocation, **result)


def _adopt(job: Job, state: StateOptions, *, check_mode: bool) -> Applied:
    plan = look_at(state.location, job.service, job.desired, job.checked_plan)
    if check_mode or not plan.changes:
        return Applied(plan, predicted(plan) if check_mode else Outcomes())
    store = open_store(state.location)
    try:
        return adopt(job, store)
    finally:
        store.close()


def _forget(state: StateOptions, instance_ids: tuple[str, ...] | None, *, check_mode: bool) -> dict[str, Any]:
    """Forget these instances, or all of the service."""
    records = records_of(state.location, state.service, instance_ids, history=False)
    applied = [record for record in records if record.status is Status.APPLIED]
    if records and not check_mode:
        store = open_store(state.location)
        try:
            # Those that are unknown as well: what is in flight for them must not make them known again.
            store.forget(this_run(), state.service, [record.instance_id for record in records])
        finally:
            store.close()
    named = len(records) if instance_ids is None else len(instance_ids)
    return forgotten_report(applied, named, check_mode=check_mode)
