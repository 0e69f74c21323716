# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what came of each task to the file BENCHMARK_OUTCOME, and no more than the benchmark looks at."""

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
    CALLBACK_NAME = "outcome"
    CALLBACK_NEEDS_ENABLED = False

    def v2_runner_on_ok(self, result: Any) -> None:
        action, found = result._task.action, result._result
        line = {"action": action, **{name: found[name] for name in ("changed", "requests", "summary") if name in found}}
        with Path(os.environ["BENCHMARK_OUTCOME"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
