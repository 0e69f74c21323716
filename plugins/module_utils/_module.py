# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What the wiring of every module needs: the run's identity, signals, files, and how bad input is reported."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import message, shorten
from ansible_collections.koophone.fleet.plugins.module_utils._report import LISTED_AT_MOST
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Run


def this_run() -> Run:
    """Who runs, for the history and for those who wait for this run."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # Containers run as users that no list knows.
        user = str(os.getuid())
    # JOB_ID is what AWX tells its jobs.
    return Run(uuid.uuid4().hex, user, socket.gethostname(), os.environ.get("JOB_ID", ""))


def read_text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8-sig")


def invocation_of(module: AnsibleModule, **instead: Any) -> dict[str, Any]:
    """What is returned as `invocation`: ids would be echoed otherwise, half a megabyte of them for a large fleet."""
    shown = {**module.params, **instead}
    if "@" in (shown.get("endpoint") or ""):
        # It is refused for holding a password; then it should not be shown either.
        shown["endpoint"] = "(not shown)"
    return {"module_args": shown}


def names_of(groups: Sequence[InstanceGroup]) -> list[str]:
    """The names of the first groups, as `invocation` shows them."""
    return [group.name for group in groups[:LISTED_AT_MOST]]


def report_input(module: AnsibleModule, mistakes: Sequence[str], warnings: Sequence[str], **instead: Any) -> None:
    """Pass warnings on, and fail with all mistakes at once if there are any."""
    for warning in warnings:
        module.warn(warning)
    if mistakes:
        invocation = invocation_of(module, **instead)
        module.fail_json(msg=message(mistakes), mistakes=shorten(mistakes), invocation=invocation)


class StopSignal:
    """Whether the run was told to stop: by Ctrl-C, or by SIGTERM as job runners send it when a job is cancelled."""

    def __init__(self) -> None:
        self._told = False

    def __call__(self) -> bool:
        return self._told

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._tell)

    def _tell(self, _number: int, _frame: object) -> None:
        self._told = True
