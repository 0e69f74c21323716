# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What most runs never need is not imported: it takes longer than they do."""

from __future__ import annotations

import json
import subprocess
import sys

_PROBE = """
import json, sys
from ansible_collections.koophone.fleet.plugins.modules import video_setting
print(json.dumps([name for name in ("requests", "urllib3", "psycopg") if name in sys.modules]))
"""


def test_a_run_that_sends_nothing_imports_no_library() -> None:
    output = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True).stdout
    assert json.loads(output) == []
