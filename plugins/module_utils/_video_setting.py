# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Wires the module `video_setting`: options in, plan, apply, result out."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._arguments import (
    Connection,
    StateOptions,
    parse_connection,
    parse_state,
)
from ansible_collections.koophone.fleet.plugins.module_utils._auth import CredentialsError
from ansible_collections.koophone.fleet.plugins.module_utils._authenticators import authenticator_of
from ansible_collections.koophone.fleet.plugins.module_utils._guard import Guard, RefusedError
from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import (
    InstanceGroup,
    parse_instance_groups,
)
from ansible_collections.koophone.fleet.plugins.module_utils._job import Applied, Job, SendOptions
from ansible_collections.koophone.fleet.plugins.module_utils._limits import parse_age, parse_portion
from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown
from ansible_collections.koophone.fleet.plugins.module_utils._module import (
    StopSignal,
    invocation_of,
    names_of,
    read_text,
    report_input,
    this_run,
)
from ansible_collections.koophone.fleet.plugins.module_utils._outcome import DEADLINE_PASSED, STOPPED
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Options, desired_of
from ansible_collections.koophone.fleet.plugins.module_utils._report import failure_message, predicted, report
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import StateError
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import look_at
from ansible_collections.koophone.fleet.plugins.module_utils._transport import REQUESTS_IMPORT_ERROR, Transport


class _Input(NamedTuple):
    """The module's options, checked."""

    groups: list[InstanceGroup]
    connection: Connection
    state: StateOptions
    job: Job


def run(module: AnsibleModule) -> None:
    """Do what the module's options ask for, and exit."""
    stopped = StopSignal()
    given = _parse(module, stopped)
    invocation = invocation_of(module, instance_groups=names_of(given.groups))
    try:
        if module.check_mode:
            applied = _look(given)
        else:
            stopped.listen()
            applied = _apply(module, given)
    except (StateError, RefusedError, CredentialsError) as error:
        module.fail_json(msg=str(error), invocation=invocation)
        return
    for note in applied.outcomes.notes:
        module.warn(note)
    result = report(applied.plan, given.groups, applied.outcomes, check_mode=module.check_mode)
    failure = failure_message(applied.outcomes)
    if failure is not None:
        module.fail_json(msg=failure, invocation=invocation, **result)
    module.exit_json(invocation=invocation, **result)


def _parse(module: AnsibleModule, stopped: StopSignal) -> _Input:
    params: Mapping[str, Any] = module.params
    mistakes: list[str] = []
    warnings: list[str] = []
    groups = parse_instance_groups(params["instance_groups"], read_text, mistakes)
    connection = parse_connection(params, mistakes)
    state = parse_state(params, mistakes, warnings)
    if not 1 <= params["batch_size"] <= 100:
        mistakes.append(f"batch_size: {params['batch_size']} is not between 1 and 100")
    max_age = parse_age(params["max_age"], "max_age", mistakes) if params["max_age"] else None
    max_changed = None
    if params["max_changed"]:
        max_changed = parse_portion(params["max_changed"], "max_changed", mistakes)
    up_to = parse_portion(params["up_to"], "up_to", mistakes) if params["up_to"] else None
    if up_to is not None and params["force"]:
        mistakes.append("up_to: it cannot be combined with force, which would send to the first instances every time")
    approved_plan = (params["approved_plan"] or "").strip()
    if approved_plan and not re.fullmatch("[0-9a-f]{64}", approved_plan):
        mistakes.append(f"approved_plan: {shown(approved_plan)} is not the digest of a plan, 64 hexadecimal digits")
    if params["fleet_size"] is not None and params["fleet_size"] < 1:
        mistakes.append(f"fleet_size: {params['fleet_size']} is not 1 or more")
    report_input(module, mistakes, warnings, instance_groups="(not shown)")
    desired = desired_of(groups)
    job = Job(
        run=this_run(),
        service=state.service,
        desired=desired,
        options=Options(params["force"], max_age, params["max_age"] or ""),
        guard=Guard(max_changed, approved_plan or None, params["fleet_size"]),
        batch_size=params["batch_size"],
        claim_timeout=state.claim_timeout,
        history_age=state.history_age,
        send=SendOptions(
            concurrency=connection.concurrency,
            retries=connection.retries,
            timeout=connection.timeout,
            settle=state.settle,
            batch_size=params["batch_size"],
            rate_limit=connection.rate_limit,
            stopped=stopped,
            ends_at=math.inf if connection.deadline is None else _clock.now() + connection.deadline,
        ),
        tell=module.log,
        up_to=None if up_to is None else up_to.at_least(len(desired)),
    )
    return _Input(groups, connection, state, job)


def _look(given: _Input) -> Applied:
    plan = look_at(given.state.location, given.job.service, given.job.desired, given.job.checked_plan)
    return Applied(plan, predicted(plan))


def _apply(module: AnsibleModule, given: _Input) -> Applied:
    if REQUESTS_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("requests"), exception=REQUESTS_IMPORT_ERROR)
    connection = given.connection
    transport = Transport(timeout=connection.timeout, connections=connection.concurrency, verify=connection.verify)
    try:
        authenticator = authenticator_of(
            connection.credentials, transport, retries=connection.retries, pause=_pause_within(given.job.send)
        )
        # Most runs find everything as desired; they write nothing, not even who they were.
        plan = look_at(given.state.location, given.job.service, given.job.desired, given.job.checked_plan)
        if not plan.changes:
            return Applied.begun(plan)
        # Late: Ansible ships source, and to compile what sends takes as long as to compile all the rest.
        from ansible_collections.koophone.fleet.plugins.module_utils._video_setting_send import send

        return send(given.job, given.connection, given.state, transport, authenticator)
    finally:
        transport.close()


def _pause_within(send: SendOptions) -> Callable[[float], None]:
    """Waits before credentials are asked for again; raises `CredentialsError` when the run is to end meanwhile."""

    def pause(seconds: float) -> None:
        until = _clock.now() + seconds
        while (now := _clock.now()) < until:
            if send.stopped() or now >= send.ends_at:
                reason = STOPPED if send.stopped() else DEADLINE_PASSED
                raise CredentialsError(f"{reason}, while credentials were waited for")
            time.sleep(min(0.2, until - now))

    return pause
