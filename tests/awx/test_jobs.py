# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs in fresh folders, with PostgreSQL as the state store."""

from __future__ import annotations

import json

import pytest

from tests.awx.running import Controller, inventory_of, sliced
from tests.emulator.handle import Emulator

IDS = [f"kiosk-{number:04}" for number in range(250)]


def test_a_job_without_a_state_store_fails_and_says_what_to_do(controller: Controller, emulator: Emulator) -> None:
    controller.environment["KOOPHONE_STATE_URL"] = ""
    job = controller.run("apply.yml", inventory_of(IDS))
    assert job.status == "failed"
    assert "AWX_PRIVATE_DATA_DIR is set" in job.output
    assert "postgresql://user:password@host/database (or KOOPHONE_STATE_URL)" in job.output
    assert emulator.count() == 0


def test_the_second_job_in_a_fresh_folder_changes_nothing(controller: Controller, emulator: Emulator) -> None:
    first = controller.run("apply.yml", inventory_of(IDS))
    assert first.status == "successful", first.output
    assert first.result["summary"]["changed"] == len(IDS)
    assert sum(first.changed.values()) == 1
    assert emulator.count() == 3
    second = controller.run("apply.yml", inventory_of(IDS))
    assert second.status == "successful", second.output
    assert second.result["summary"]["unchanged"] == len(IDS)
    assert sum(second.changed.values()) == 0
    assert emulator.count() == 3


def test_group_vars_of_the_project_count(controller: Controller, emulator: Emulator) -> None:
    inventory = inventory_of(["kiosk-1", "office-1"], {"kiosk": ["kiosk-1"], "office": ["office-1"]})
    job = controller.run("apply.yml", inventory)
    assert job.status == "successful", job.output
    rates = {
        name: has["settings"]["MOBILE_NETWORK"]["H264"]["1080P"]["code_rate"] for name, has in emulator.state().items()
    }
    # The presets data_saver, which the project's group_vars choose for kiosks, and balanced.
    assert rates == {"kiosk-1": 3000, "office-1": 4800}


def test_three_slices_at_once_send_each_instance_once(controller: Controller, emulator: Emulator) -> None:
    inventory = inventory_of(IDS)
    jobs = [controller.start("apply.yml", sliced(inventory, number, 3)) for number in (1, 2, 3)]
    outcomes = [job.wait() for job in jobs]
    assert [outcome.status for outcome in outcomes] == ["successful"] * 3, outcomes[0].output
    assert sorted(outcome.result["summary"]["changed"] for outcome in outcomes) == [83, 83, 84]
    sent = [instance for request in emulator.requests() for instance in request["instance_ids"]]
    assert sorted(sent) == IDS
    # Each slice needs one request.
    assert emulator.count() == 3
    assert emulator.conflicts() == []


def test_a_limit_of_ten_hosts_sends_ten_ids(controller: Controller, emulator: Emulator) -> None:
    job = controller.run("apply.yml", inventory_of(IDS), limit=",".join(IDS[20:30]))
    assert job.status == "successful", job.output
    [request] = emulator.requests()
    assert request["instance_ids"] == IDS[20:30]


def test_survey_answers_are_strings_and_unanswered_ones_empty(controller: Controller, emulator: Emulator) -> None:
    unanswered = {"video_setting_hosts": "", "video_setting_max_age": "", "video_setting_max_changed": ""}
    job = controller.run("apply.yml", inventory_of(IDS), **unanswered, video_setting_force="false")
    assert job.status == "successful", job.output
    assert emulator.count() == 3
    forced = {**unanswered, "video_setting_force": "true", "video_setting_max_changed": "100%"}
    job = controller.run("apply.yml", inventory_of(IDS), **forced)
    assert job.status == "successful", job.output
    assert emulator.count() == 6
    job = controller.run("apply.yml", inventory_of(IDS), **{**forced, "video_setting_max_changed": "10"})
    assert job.status == "failed"
    assert "max_changed is 10" in job.output
    assert emulator.count() == 6


@pytest.mark.parametrize("playbook", ["plan.yml", "apply.yml", "drift.yml"])
def test_three_thousand_hosts_make_at_most_twenty_events(
    controller: Controller, emulator: Emulator, playbook: str
) -> None:
    job = controller.run(playbook, inventory_of(f"kiosk-{number:04}" for number in range(3000)))
    assert job.status == "successful", job.output
    assert emulator.count() == (30 if playbook == "apply.yml" else 0)
    assert len(job.events) <= 20, [event["event"] for event in job.events]


def test_waves_make_no_events_for_each_host_either(controller: Controller, emulator: Emulator) -> None:
    counts = []
    for hosts in (20, 600):
        inventory = inventory_of(f"{hosts}-{number:04}" for number in range(hosts))
        job = controller.run("apply.yml", inventory, video_setting_waves="10%, 50%, 100%")
        assert job.status == "successful", job.output
        assert len(job.results) == 3
        counts.append(len(job.events))
    assert counts[0] == counts[1]


def test_events_of_twenty_thousand_instances_are_small_and_whole(controller: Controller, emulator: Emulator) -> None:
    ids = [f"{number:032x}" for number in range(20_000)]
    # Most of them in a list: what Ansible makes of thousands of hosts is seen above.
    inventory = inventory_of(ids[:100])
    inventory["all"]["vars"]["video_setting_instance_groups"] = [
        {"name": f"shelf {number}", "instance_ids": ids[number::10][10:]} for number in range(10)
    ]
    job = controller.run("apply.yml", inventory)
    assert job.status == "successful", job.output[:5000]
    assert emulator.count() == 200
    # AWX takes both from the event.
    assert job.result["changed"] is True
    assert job.result["summary"]["changed"] == len(ids)
    assert sum(job.changed.values()) == 1
    assert max(len(json.dumps(event)) for event in job.events) < 500_000
