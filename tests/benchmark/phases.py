# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the time of one run goes: the module's own code without Ansible around it, in a process of its own.

python -m tests.benchmark.phases takes the arguments of `run` as JSON on standard input, and prints what it returns.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from ansible_collections.koophone.fleet.plugins.module_utils import (
    _apply,
    _job,
    _plan,
    _sending,
    _video_setting,
    _video_setting_send,
)
from ansible_collections.koophone.fleet.plugins.module_utils._state import _reading, _store, postgresql, sqlite
from ansible_collections.koophone.fleet.plugins.modules import video_setting
from tests.benchmark.no_store import NoStore, look_at_nothing

PHASES = ("reading variables", "planning", "store", "sending", "reporting")
# What belongs to which phase. A call inside another takes its time from the outer one's phase.
_WHERE: Mapping[str, tuple[tuple[Any, str], ...]] = {
    "reading variables": ((_video_setting, "_parse"),),
    "planning": (
        (_job.Job, "checked_plan"),
        (_job, "make_plan"),
        (_apply, "make_plan"),
        (_plan.Plan, "batches"),
        (_plan.Plan, "only"),
    ),
    "store": (
        (_video_setting, "look_at"),
        (_video_setting_send, "open_store"),
        *((_store.SqlStore, name) for name in ("claim", "renew", "record", "learn_regions", "release", "finish")),
        # It is read when the plan first looks at it.
        (vars(_reading.Reading)["memory"], "func"),
        (sqlite.SqliteStore, "close"),
        (postgresql.PostgresqlStore, "close"),
    ),
    "sending": ((_sending.Sending, "__init__"), (_sending.Sending, "run"), (_video_setting, "_apply")),
    "reporting": ((_video_setting, "report"),),
}


class Clock:
    """Seconds by phase, each moment counted once."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._inside: list[str] = []
        self._since = 0.0

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._inside:
            self.seconds[self._inside[-1]] += now - self._since
        self._since = now

    def timed(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            self._turn()
            self._inside.append(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self._turn()
                self._inside.pop()

        return inner

    def listen(self) -> None:
        """Time every call from now on."""
        for phase, places in _WHERE.items():
            for owner, name in places:
                setattr(owner, name, self.timed(phase, getattr(owner, name)))


class _Module:
    """As much of an AnsibleModule as the module's code sees, with the options of the run at hand."""

    given: ClassVar[Mapping[str, Any]] = {}
    check_mode = False
    result: ClassVar[dict[str, Any]] = {}

    def __init__(self, argument_spec: Mapping[str, Mapping[str, Any]], **_keywords: Any) -> None:
        self.params = {name: option.get("default") for name, option in argument_spec.items()} | dict(self.given)

    def warn(self, _text: str) -> None:
        """Nobody listens."""

    log = warn

    def exit_json(self, **result: Any) -> None:
        _Module.result = result

    def fail_json(self, **result: Any) -> NoReturn:
        raise RuntimeError(result.get("msg"))


def peak_kib() -> int:
    """Most memory that this process ever held. Not `ru_maxrss`: that one counts the parent's before the exec."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])


def run(options: Mapping[str, Any], *, check_mode: bool = False, store: bool = True) -> dict[str, Any]:
    """Run the module's code once; its result, seconds by phase and in all, and the peak of memory."""
    _Module.given, _Module.check_mode = options, check_mode
    vars(video_setting).update(AnsibleModule=_Module)
    clock = Clock()
    clock.listen()
    if not store:
        vars(_video_setting).update(look_at=look_at_nothing)
        vars(_video_setting_send).update(open_store=lambda _location: NoStore())
    started = time.perf_counter()
    video_setting.main()
    total = time.perf_counter() - started
    result = {name: _Module.result[name] for name in ("changed", "requests", "summary")}
    return {"result": result, "total": total, "seconds": clock.seconds, "peak_kib": peak_kib()}


if __name__ == "__main__":
    print(json.dumps(run(**json.loads(sys.stdin.read()))))
