# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client and whole runs, aimed at the emulator."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._apply import Applied, Job, apply
from ansible_collections.koophone.fleet.plugins.module_utils._client import Client
from ansible_collections.koophone.fleet.plugins.module_utils._errors import KooPhoneError
from ansible_collections.koophone.fleet.plugins.module_utils._guard import Guard
from ansible_collections.koophone.fleet.plugins.module_utils._instance_groups import InstanceGroup
from ansible_collections.koophone.fleet.plugins.module_utils._memory import Memory
from ansible_collections.koophone.fleet.plugins.module_utils._plan import Options, desired_of
from ansible_collections.koophone.fleet.plugins.module_utils._settings import SPEC_KEYS, Settings, Spec
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import Run
from ansible_collections.koophone.fleet.plugins.module_utils._state._location import Location
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import look_at, open_store
from ansible_collections.koophone.fleet.plugins.module_utils._token_auth import GivenToken
from ansible_collections.koophone.fleet.plugins.module_utils._transport import Transport
from ansible_collections.koophone.fleet.plugins.module_utils._work import SendOptions
from tests.emulator.handle import Control

PATH = "/v1/instances/video-setting"


def settings(code_rate: int = 6000, fps: int = 60) -> Settings:
    """Settings whose specs are all alike."""
    return Settings((Spec(code_rate, fps),) * len(SPEC_KEYS))


def never() -> bool:
    return False


def was_abandoned(emulator: Control) -> bool:
    """Whether the client hung up on the first request, instead of waiting until its answer was there."""
    while True:
        first = emulator.requests()[0]
        if first["finished_at"] is not None:
            return first["http_status"] is None
        time.sleep(0.02)


class Api:
    """The client with a transport of its own."""

    def __init__(self, url: str, token: str, *, timeout: float = 30.0, verify: bool | str = True) -> None:
        self.url = url
        self.transport = Transport(timeout=timeout, connections=8, verify=verify)
        self.client = Client(url, self.transport, GivenToken(token))

    def put(self, *ids: str, value: Settings | None = None) -> str:
        """Send settings; returns the request id."""
        return self.client.set_video_settings(ids or ("a", "b"), value or settings())

    def fail(self, *ids: str) -> KooPhoneError:
        """Send settings, which must fail; returns the error."""
        with pytest.raises(KooPhoneError) as caught:
            self.put(*ids)
        assert caught.value.method == "PUT"
        assert caught.value.url == self.url + PATH
        return caught.value

    def __enter__(self) -> Api:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.transport.close()


@dataclass
class Fleet:
    """Whole runs against one emulator and one state store."""

    emulator: Control
    path: Path
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
        groups: Sequence[InstanceGroup],
        *,
        url: str | None = None,
        token: str | None = None,
        timeout: float = 30.0,
        settle: float = 60.0,
        retries: int = 5,
        concurrency: int = 8,
        claim_timeout: float = 0.0,
        batch_size: int = 100,
        force: bool = False,
        approved_plan: str | None = None,
        stopped: Callable[[], bool] = never,
    ) -> Applied:
        """One run, as the module does it."""
        job = Job(
            run=Run(uuid.uuid4().hex),
            service=self.service,
            desired=desired_of(groups),
            options=Options(force=force),
            guard=Guard(approved_plan=approved_plan),
            batch_size=batch_size,
            claim_timeout=claim_timeout,
            history_age=86400.0,
            send=SendOptions(concurrency=concurrency, retries=retries, timeout=timeout, settle=settle, stopped=stopped),
        )
        with Api(url or self.emulator.url, token or self.emulator.token, timeout=timeout) as api:
            store = open_store(Location(path=self.path))
            try:
                return apply(job, store, api.client.set_video_settings)
            finally:
                store.close()

    def memory(self, groups: Iterable[InstanceGroup]) -> Memory:
        """What the state store says of the groups' instances."""
        ids = [instance_id for group in groups for instance_id in group.instance_ids]
        return look_at(Location(path=self.path), self.service, ids, lambda reading: reading.memory)

    def known(self, groups: Sequence[InstanceGroup]) -> dict[str, Settings]:
        """What the state store claims to be last applied, checked against the truth."""
        memory = self.memory(groups)
        truth = self.emulator.state()
        known = {i: memory.settings[record.digest] for i, record in memory.records.items() if record.digest is not None}
        false = {i: truth[i]["settings"] for i, value in known.items() if truth[i]["settings"] != value.nested()}
        assert false == {}, "the state store claims what is not so"
        return known

    def requests(self) -> list[dict[str, Any]]:
        """The requests that arrived so far."""
        return self.emulator.requests(PATH)
