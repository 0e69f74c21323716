# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.emulator.handle import Emulator
from tests.emulator_tests.api import BATCH_QUERY, Api, body_of, new_id
from tests.emulator_tests.test_faults import wait_until


@contextmanager
def in_flight(emulator: Emulator, body: dict[str, Any]) -> Iterator[None]:
    """Another client's request, on its way for the duration of the block."""
    emulator.fault("latency", seconds=0.5)
    other = Api(emulator)
    before = emulator.count()
    thread = threading.Thread(target=other.put, args=(body,))
    thread.start()
    try:
        wait_until(lambda: emulator.count() > before)
        yield
    finally:
        thread.join()
        other.session.close()


def test_every_request_is_journalled(api: Api, emulator: Emulator) -> None:
    request_id = new_id()
    api.put(body_of("a", "b"), x_request_id=request_id)
    api.put(body_of("nobody"))
    api.list()
    first, second = emulator.requests()
    assert (first["n"], first["method"], first["path"]) == (1, "PUT", "/v1/instances/video-setting")
    assert (first["request_id"], first["instance_ids"]) == (request_id, ["a", "b"])
    assert first["settings_digest"] == second["settings_digest"] == emulator.applied("a")
    assert first["received_at"] <= first["effect_at"] <= first["finished_at"] <= second["received_at"]
    assert (first["http_status"], first["error_code"], first["auth"]) == (200, "0", "token")
    assert (second["http_status"], second["error_code"], second["effect_at"]) == (404, "KOOPHONE.API.4001", None)
    assert first["peer"].startswith("127.0.0.1:")
    assert emulator.url.endswith(first["host"])
    assert [entry["path"] for entry in emulator.requests(path=None)][-1] == BATCH_QUERY
    assert emulator.requests(path=BATCH_QUERY)[0]["request_id"]


def test_requests_are_counted_by_path_and_outcome(api: Api, emulator: Emulator) -> None:
    api.put(body_of("a"))
    api.put(body_of("a"))
    api.put(body_of("nobody"))
    api.list()
    assert emulator.counts() == {
        "/v1/instances/video-setting": {"total": 3, "outcomes": {"200 0": 2, "404 KOOPHONE.API.4001": 1}},
        BATCH_QUERY: {"total": 1, "outcomes": {"200 0": 1}},
    }
    assert (emulator.count(), emulator.count(BATCH_QUERY), emulator.count("/other")) == (3, 1, 0)


def test_different_settings_for_one_instance_in_flight_at_once_are_a_conflict(api: Api, emulator: Emulator) -> None:
    with in_flight(emulator, body_of("a", "b", "c")):
        api.put(body_of("b", "a", code_rate=100))
    (conflict,) = emulator.conflicts()
    assert conflict["requests"] == [1, 2]
    assert sorted(conflict["instance_ids"]) == ["a", "b"]


@pytest.mark.parametrize("body", [body_of("b", code_rate=100), body_of("a")], ids=["other instance", "same settings"])
def test_other_instances_or_equal_settings_in_flight_at_once_are_no_conflict(
    api: Api, emulator: Emulator, body: dict[str, Any]
) -> None:
    with in_flight(emulator, body_of("a")):
        api.put(body)
    assert emulator.conflicts() == []


def test_one_after_the_other_is_no_conflict(api: Api, emulator: Emulator) -> None:
    for code_rate in (100, 200, 300, 100):
        api.put(body_of("a", code_rate=code_rate))
    assert emulator.conflicts() == []


def test_a_request_in_between_conflicts_even_if_refused(api: Api, emulator: Emulator) -> None:
    with in_flight(emulator, body_of("a")):
        api.put(body_of("a", code_rate=100), x_auth_token="wrong")
    assert len(emulator.conflicts()) == 1


def test_a_late_effect_keeps_its_request_in_flight(api: Api, emulator: Emulator) -> None:
    emulator.fault("late", seconds=0.4, then="drop")
    with pytest.raises(requests.ConnectionError):
        api.put(body_of("a"))
    api.put(body_of("a", code_rate=100))
    assert len(emulator.conflicts()) == 1
    wait_until(lambda: not emulator.requests()[0]["effect_pending"])
    assert len(emulator.conflicts()) == 1
    api.put(body_of("a", code_rate=200))
    assert len(emulator.conflicts()) == 1


def test_a_client_that_breaks_off_its_request_is_journalled(emulator: Emulator, api: Api) -> None:
    def broken() -> Iterator[bytes]:
        yield b'{"instance_ids": ["a"],'
        raise InterruptedError

    with pytest.raises(requests.ConnectionError):
        api.send("PUT", "/v1/instances/video-setting", data=broken(), headers=api.headers())
    api.session.close()
    wait_until(lambda: emulator.requests()[0]["finished_at"] is not None)
    assert emulator.requests()[0]["http_status"] is None


def test_credentials_are_not_journalled(api: Api, emulator: Emulator) -> None:
    api.put(body_of("a"))
    api.token()
    journal = str(emulator.requests(path=None))
    assert emulator.token not in journal
    assert "emulator-password" not in journal
