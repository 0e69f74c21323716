# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module itself, aimed at the emulator, and what it and whole runs say."""

from __future__ import annotations

import contextlib
import io
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from ansible.module_utils import basic

from ansible_collections.koophone.fleet.plugins.module_utils._job import Applied
from ansible_collections.koophone.fleet.plugins.module_utils._report import failure_message
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.modules import video_setting
from tests.emulator.codes import VIDEO_SETTING
from tests.emulator.handle import Control
from tests.faults.identity import TELLTALE
from tests.support.fleets import A


def message_of(applied: Applied) -> str:
    """The message with which the module would fail; it never holds credentials."""
    message = failure_message(applied.outcomes)
    assert message is not None, "the run did not fail"
    assert TELLTALE not in message
    assert not [failure for failure in applied.outcomes.failed.values() if TELLTALE in str(failure)]
    return message


@dataclass
class Module:
    """The module `video_setting`, run in this process as Ansible runs it."""

    emulator: Control
    state_file: Path

    def run(self, ids: Sequence[str] = ("a", "b"), value: Settings = A, **options: Any) -> dict[str, Any]:
        """What the module returns. None takes an option away that is set by default."""
        group = {"name": "phones", "instance_ids": list(ids), "region": "cn-north-4", "settings": value.nested()}
        arguments = {
            "instance_groups": [group],
            "endpoint": self.emulator.url,
            "auth_token": self.emulator.token,
            "state_url": f"sqlite:///{self.state_file}",
            "settle": 0.0,
            "claim_timeout": 0.0,
            **options,
        }
        return run_module({name: argument for name, argument in arguments.items() if argument is not None})

    def fail(self, ids: Sequence[str] = ("a", "b"), **options: Any) -> str:
        """The message with which the module fails: one line, short, no stack trace, no credentials."""
        result = self.run(ids, **options)
        assert result.get("failed") is True, result
        message = str(result["msg"])
        assert "Traceback" not in message
        assert "exception" not in result
        assert "\n" not in message
        assert len(message) < 1000, message
        assert TELLTALE not in json.dumps(result)
        return message

    def requests(self) -> int:
        return self.emulator.count(VIDEO_SETTING)


def run_module(arguments: Mapping[str, Any], *, check: bool = False) -> dict[str, Any]:
    """Run `main()` with these arguments; the signal handlers that it sets are taken back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    document = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check}}).encode()
    output = io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(basic, "_ANSIBLE_ARGS", document))
        stack.enter_context(mock.patch.object(basic, "_ANSIBLE_PROFILE", "legacy", create=True))
        stack.enter_context(contextlib.redirect_stdout(output))
        stack.enter_context(contextlib.suppress(SystemExit))
        try:
            video_setting.main()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    result: dict[str, Any] = json.loads(output.getvalue())
    return result
