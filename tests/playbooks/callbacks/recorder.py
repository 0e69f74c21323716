# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes every event of a run to the file RECORDER_FILE, one JSON object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Ansible finds it by this name."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = False

    def __getattribute__(self, name: str) -> Any:
        # Whatever event there is, in whatever version of Ansible.
        if name.startswith("v2_") and name != "v2_on_any":
            return lambda *arguments, **_options: record(name.removeprefix("v2_"), arguments)
        return super().__getattribute__(name)


def record(event: str, arguments: tuple[Any, ...]) -> None:
    """Add a line to the file."""
    subject = arguments[0] if arguments else None
    task = getattr(subject, "task", None) or getattr(subject, "_task", None)
    result = getattr(subject, "result", None) or getattr(subject, "_result", None)
    line = {
        "event": event,
        "task": getattr(task, "name", None),
        "action": getattr(task, "action", None),
        "result": result if isinstance(result, dict) else None,
    }
    with Path(os.environ["RECORDER_FILE"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, default=str) + "\n")
