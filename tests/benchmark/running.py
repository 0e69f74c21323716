# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running ansible-playbook as a user would, with a watch in the hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmark.services import CONCURRENCY, Services

_HERE = Path(__file__).resolve().parent
ROOT = _HERE.parents[1]
_KEPT = ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE")


class WrongRunError(Exception):
    """A run did not do what it was to do; its time says nothing."""


@dataclass(frozen=True)
class Measured:
    """One run: seconds from start to end, what the task said, HTTP requests, peaks of memory in MiB."""

    seconds: float
    outcome: dict[str, Any]
    requests: int
    module_mib: float
    controller_mib: float


def run(
    services: Services, folder: Path, arguments: Sequence[str], *, state_url: str = "", check: bool = False
) -> Measured:
    """Run it, and make sure that it succeeded and that the API was content with every request."""
    services.reset()
    outcome, peaks = folder / "outcome.jsonl", folder / "peaks"
    outcome.unlink(missing_ok=True)
    peaks.unlink(missing_ok=True)
    environment = {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
        "PYTHONPATH": str(_HERE / "hook"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".tree"),
        "ANSIBLE_LIBRARY": str(_HERE / "library"),
        "ANSIBLE_CALLBACK_PLUGINS": str(_HERE / "callbacks"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "BENCHMARK_OUTCOME": str(outcome),
        "BENCHMARK_PEAKS": str(peaks),
        "KOOPHONE_ENDPOINT": services.emulator.url,
        "KOOPHONE_AUTH_TOKEN": services.emulator.token,
        "KOOPHONE_CONCURRENCY": str(CONCURRENCY),
        "KOOPHONE_STATE_URL": state_url,
    }
    command: list[str | Path] = [
        Path(sys.executable).with_name("ansible-playbook"),
        *(["--check", "--diff"] if check else []),
        *arguments,
    ]
    started = time.perf_counter()
    process = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if process.returncode or not outcome.exists():
        raise WrongRunError(f"{' '.join(map(str, command))}\n{process.stdout[-4000:]}")
    counts = services.emulator.counts()
    if any(set(count["outcomes"]) != {"200 0"} for count in counts.values()):
        raise WrongRunError(f"the API did not confirm every request: {counts}")
    tasks = [json.loads(line) for line in outcome.read_text(encoding="utf-8").splitlines()]
    [task] = [t for t in tasks if t["action"] in ("koophone.fleet.video_setting", "empty", "ansible.builtin.uri")]
    return Measured(
        seconds,
        task,
        services.emulator.count(),
        _peak(peaks, "AnsiballZ_") / 1024,
        _peak(peaks, "ansible-playbook") / 1024,
    )


def _peak(peaks: Path, program: str) -> int:
    lines = (line.split() for line in peaks.read_text(encoding="utf-8").splitlines())
    return max((int(kib) for name, kib in lines if name.startswith(program)), default=0)
