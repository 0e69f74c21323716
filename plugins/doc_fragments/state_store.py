# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options for the state store; their specification is `state_spec()` in module_utils/_arguments.py."""

    DOCUMENTATION = r"""
options:
  service:
    description:
      - Name of the service that the instances belong to. What was applied is remembered for each service apart, so that
        what was applied to a test endpoint is never taken for production.
      - The default is the normalised O(endpoint). Give the same name where two addresses lead to one service.
      - If not given, E(KOOPHONE_SERVICE) is used.
    type: str
  state_url:
    description:
      - Where the state store is, V(sqlite:////absolute/path) or V(postgresql://user:password@host/database).
      - The default is an SQLite file at C($XDG_STATE_HOME/koophone/fleet.sqlite3), by default
        C(~/.local/state/koophone/fleet.sqlite3), readable by its owner alone.
      - Where files don't outlive the run (E(AWX_PRIVATE_DATA_DIR) or E(CI) is set, or the module runs in a container)
        there is no default, as a state store that vanishes would make every run look like the first.
      - A relative path is refused.
      - If not given, E(KOOPHONE_STATE_URL) is used.
    type: str
  settle:
    description:
      - Seconds within which the API may still carry out a request that was given up. Until then nobody sends other
        settings to its instances.
      - If not given, E(KOOPHONE_SETTLE) is used.
    type: float
    default: 60.0
  claim_timeout:
    description:
      - Seconds to wait for instances that another run holds, after everything else is done.
      - The default is O(timeout) + O(settle) + 10, which outwaits a run that was killed.
    type: float
  history_age:
    description:
      - Age after which the history of runs and of confirmed settings is pruned, by the next run that changes something.
        What is still referred to, such as the settings that each instance has now, is kept at any age.
    type: str
    default: 90d
"""
