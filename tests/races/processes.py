# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs in processes of their own, which can be paused and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.emulator.handle import PROJECT_ROOT
from tests.races.evidence import Sender
from tests.races.run import RunSpec


@dataclass
class Process:
    """A run in a process of its own."""

    running: subprocess.Popen[str]
    sender: Sender
    result: Path
    #: Since when it is paused and for how long, in monotonic seconds.
    paused: tuple[float, float] | None = None

    def ended(self) -> bool:
        return self.running.poll() is not None

    def pause(self, seconds: float) -> None:
        self.running.send_signal(signal.SIGSTOP)
        self.paused = time.monotonic(), seconds

    def continue_in_time(self) -> None:
        if self.paused is not None and time.monotonic() >= sum(self.paused):
            # Noted before, so that a request that goes out at once counts as sent after the pause.
            self.sender.pauses.append((self.paused[0], time.monotonic() + 0.05))
            self.running.send_signal(signal.SIGCONT)
            self.paused = None

    def outcome(self) -> dict[str, Any]:
        outcome: dict[str, Any] = json.loads(self.result.read_text(encoding="utf-8"))
        assert "traceback" not in outcome, outcome["traceback"]
        assert "error" not in outcome, outcome["error"]
        return outcome


@dataclass
class Processes:
    folder: Path
    all: list[Process] = field(default_factory=list)

    def start(self, spec: RunSpec) -> Process:
        number = len(self.all)
        log, result = self.folder / f"log-{number}", self.folder / f"result-{number}"
        running = subprocess.Popen(
            [sys.executable, "-m", "tests.races.run", str(log), str(result)],
            cwd=PROJECT_ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
            stdin=subprocess.PIPE,
            text=True,
        )
        assert running.stdin is not None
        running.stdin.write(replace(spec, name=f"run-{number}").as_json())
        running.stdin.close()
        process = Process(running, Sender(spec.timing, log), result)
        self.all.append(process)
        return process

    def end(self) -> None:
        for process in self.all:
            if not process.ended():
                process.running.kill()
            process.running.wait()
