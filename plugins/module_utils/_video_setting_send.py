# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Wires what the module `video_setting` needs once something is to be sent."""

from __future__ import annotations

from ansible_collections.koophone.fleet.plugins.module_utils._apply import apply
from ansible_collections.koophone.fleet.plugins.module_utils._arguments import Connection, StateOptions
from ansible_collections.koophone.fleet.plugins.module_utils._auth import Authenticator
from ansible_collections.koophone.fleet.plugins.module_utils._client import Client
from ansible_collections.koophone.fleet.plugins.module_utils._job import Applied, Job
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import open_store
from ansible_collections.koophone.fleet.plugins.module_utils._transport import Transport


def send(
    job: Job, connection: Connection, state: StateOptions, transport: Transport, authenticator: Authenticator
) -> Applied:
    """Carry the job out. Raises `CredentialsError`, `RefusedError` or `StateError` before anything was sent."""
    client = Client(connection.endpoint, transport, authenticator)
    # Refused credentials are found out before anything is claimed or marked.
    client.prepare()
    store = open_store(state.location)
    try:
        return apply(job._replace(send=job.send._replace(prepare=client.prepare)), store, client.set_video_settings)
    finally:
        store.close()
