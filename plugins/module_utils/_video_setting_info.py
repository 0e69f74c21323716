# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Wires the module `video_setting_info`: options in, records out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.koophone.fleet.plugins.module_utils._arguments import parse_connection, parse_state
from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import parse_instance_ids
from ansible_collections.koophone.fleet.plugins.module_utils._module import invocation_of, report_input
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import (
    Confirmed,
    Record,
    StateError,
    Status,
)
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import records_of
from ansible_collections.koophone.fleet.plugins.module_utils._wording import utc


def run(module: AnsibleModule) -> None:
    """Do what the module's options ask for, and exit."""
    params = module.params
    mistakes: list[str] = []
    warnings: list[str] = []
    parse_connection(params, mistakes)
    state = parse_state(params, mistakes, warnings)
    wanted = None
    if params["instance_ids"] is not None:
        wanted = parse_instance_ids(params["instance_ids"], "instance_ids", mistakes)
    report_input(module, mistakes, warnings, instance_ids="(not shown)")
    invocation = invocation_of(module, instance_ids=None if wanted is None else f"({len(wanted)} ids)")
    service = params["service"] or None
    try:
        found = list(records_of(state.location, service, wanted, history=params["history"]))
    except StateError as error:
        module.fail_json(msg=str(error), invocation=invocation)
        return
    if wanted is not None:
        known = {record.instance_id for record in found}
        # Nothing was ever confirmed for these: they are unknown like any other of which that is so.
        nameless = service or ""
        found += [Record(nameless, i, None, Status.UNKNOWN, None) for i in sorted(wanted) if i not in known]
    if params["status"]:
        found = [record for record in found if record.status.value == params["status"]]
    counts = {status.value: sum(record.status is status for record in found) for status in Status}
    module.exit_json(
        changed=False,
        instances=[_shown(record, with_history=params["history"]) for record in found],
        summary={"instances": len(found), **counts},
        invocation=invocation,
    )


def _shown(record: Record, *, with_history: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "instance_id": record.instance_id,
        "service": record.service or None,
        "region": record.region,
        "status": record.status.value,
        **_last(record.last),
    }
    if with_history:
        shown["history"] = _history(record.history)
    return shown


def _last(last: Confirmed | None) -> dict[str, Any]:
    if last is None:
        return dict.fromkeys(("settings", "applied_at", "request_id", "run_id"))
    return {
        "settings": last.settings.nested(),
        "applied_at": utc(last.applied_at),
        "request_id": last.request_id,
        "run_id": last.run.run_id,
    }


def _history(history: Sequence[Confirmed]) -> list[dict[str, Any]]:
    return [
        {**_last(entry), "user": entry.run.user, "host": entry.run.host, "job_id": entry.run.job or None}
        for entry in history
    ]
