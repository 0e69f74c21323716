# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs, as the module does them, aimed at the emulator."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._apply import apply
from ansible_collections.koophone.fleet.plugins.module_utils._auth import Credentials
from ansible_collections.koophone.fleet.plugins.module_utils._authenticators import authenticator_of
from ansible_collections.koophone.fleet.plugins.module_utils._client import Client
from ansible_collections.koophone.fleet.plugins.module_utils._guard import Guard
from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from ansible_collections.koophone.fleet.plugins.module_utils._job import Applied, Job, SendOptions
from ansible_collections.koophone.fleet.plugins.module_utils._memory import Memory
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Options, desired_of
from ansible_collections.koophone.fleet.plugins.module_utils._settings import SPEC_KEYS, Settings, Spec
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Run
from ansible_collections.koophone.fleet.plugins.module_utils._state._location import Location
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import look_at, open_store
from ansible_collections.koophone.fleet.plugins.module_utils._transport import Transport
from tests.emulator.codes import AUTH_TOKENS, VIDEO_SETTING
from tests.emulator.handle import Control


def settings(code_rate: int = 6000, fps: int = 60) -> Settings:
    """Settings whose specs are all alike."""
    return Settings((Spec(code_rate, fps),) * len(SPEC_KEYS))


A, B = settings(6000), settings(4000)


@dataclass
class Fleet:
    """Runs against one emulator and one state store, as the module does them."""

    emulator: Control
    path: Path
    credentials: Credentials
    service: str = "emulator"

    def group(
        self, name: str, count: int, value: Settings, region: str | None = "cn-north-4", *, add: bool = True
    ) -> InstanceGroup:
        """A group of so many instances, which exist in the emulator from now on."""
        ids = tuple(f"{name}-{number:04}" for number in range(count))
        if add:
            self.emulator.add(ids, region=region)
        return InstanceGroup(name, ids, region, value)

    def run(
        self,
        *groups: InstanceGroup,
        url: str | None = None,
        credentials: Credentials | None = None,
        timeout: float = 30.0,
        settle: float = 60.0,
        retries: int = 5,
        concurrency: int = 8,
        claim_timeout: float = 0.0,
        batch_size: int = 100,
        rate_limit: float | None = None,
        deadline: float | None = None,
        force: bool = False,
        approved_plan: str | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Applied:
        """One run; `deadline` in seconds. Raises `CredentialsError` and `StateError`."""
        transport = Transport(timeout=timeout, connections=concurrency, verify=True)
        try:
            authenticator = authenticator_of(credentials or self.credentials, transport, retries=retries)
            client = Client(url or self.emulator.url, transport, authenticator)
            client.prepare()
            send = SendOptions(
                concurrency=concurrency,
                retries=retries,
                timeout=timeout,
                settle=settle,
                batch_size=batch_size,
                rate_limit=rate_limit,
                stopped=stopped,
                ends_at=math.inf if deadline is None else _clock.now() + deadline,
            )
            job = Job(
                run=Run(uuid.uuid4().hex),
                service=self.service,
                desired=desired_of(groups),
                options=Options(force=force),
                guard=Guard(approved_plan=approved_plan),
                batch_size=batch_size,
                claim_timeout=claim_timeout,
                history_age=86400.0,
                send=send._replace(prepare=client.prepare),
            )
            store = open_store(Location(path=self.path))
            try:
                return apply(job, store, client.set_video_settings)
            finally:
                store.close()
        finally:
            transport.close()

    def memory(self, *groups: InstanceGroup) -> Memory:
        """What the state store says of the groups' instances."""
        ids = [instance_id for group in groups for instance_id in group.instance_ids]
        return look_at(Location(path=self.path), self.service, ids, lambda reading: reading.memory)

    def known(self, *groups: InstanceGroup) -> dict[str, Settings]:
        """What the state store claims to be last applied, checked against the truth."""
        memory = self.memory(*groups)
        truth = self.emulator.state()
        known = {i: memory.settings[record.digest] for i, record in memory.records.items() if record.digest is not None}
        false = {i: truth[i]["settings"] for i, value in known.items() if truth[i]["settings"] != value.nested()}
        assert false == {}, "the state store claims what is not so"
        return known

    def requests(self) -> list[dict[str, Any]]:
        """The requests that arrived so far."""
        return self.emulator.requests(VIDEO_SETTING)

    @property
    def iam_calls(self) -> int:
        return self.emulator.count(AUTH_TOKENS)


def ids_of(*groups: InstanceGroup) -> set[str]:
    return {instance_id for group in groups for instance_id in group.instance_ids}
