# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python imports this by itself where its folder is on PYTHONPATH: notes the peak of memory of Ansible and modules."""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path


def _note() -> None:
    # Not `ru_maxrss`: that one counts what the parent held before the exec.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    with Path(os.environ["BENCHMARK_PEAKS"]).open("a", encoding="utf-8") as file:
        file.write(f"{Path(sys.argv[0]).name} {peak}\n")


if "BENCHMARK_PEAKS" in os.environ:
    atexit.register(_note)
