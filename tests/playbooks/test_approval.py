# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was approved is what is applied; and what is reported without being changed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.emulator.handle import Emulator
from tests.playbooks.running import APPLY, DRIFT, PLAN, Ansible, Run

APPROVED = "video_setting_approved_plan"


def _fleet(ansible: Ansible, number: int = 10, **variables: Any) -> None:
    hosts = {f"h{one}": {"koophone_instance_id": f"i{one}"} for one in range(number)}
    ansible.write("inventory.json", json.dumps({"kiosks": {"hosts": hosts, "vars": variables}}))


def _run(ansible: Ansible, playbook: str, *arguments: str, **variables: object) -> Run:
    return ansible.run("-i", "inventory.json", playbook, *arguments, "-e", json.dumps(variables))


def test_plan_moved_state_refused_apply_new_plan_apply(ansible: Ansible, emulator: Emulator) -> None:
    _fleet(ansible)
    plan = _run(ansible, PLAN)
    assert plan.status == 0, plan.output
    assert plan.published == {
        APPROVED: plan.module["plan_digest"],
        "video_setting_plan": {"instances": 10, "changed": 10, "unchanged": 0, "unknown": 10, "not_attempted": 0},
    }
    assert not ansible.state_file.exists()

    # Somebody else applies a part of it.
    assert _run(ansible, APPLY, "--limit", "h3").status == 0
    assert emulator.count() == 1
    # AWX hands on all that was published.
    refused = _run(ansible, APPLY, **plan.published, video_setting_require_approval=True)
    assert refused.status != 0
    [message] = [result["msg"] for result in refused.results]
    assert "what was last applied has changed since the approval (latest first: run " in message
    assert re.search(r"\) changed 1 instance at [0-9T:-]+Z\)\. 9 instances are to be changed", message)
    assert emulator.count() == 1

    # Or the inventory moves on.
    plan = _run(ansible, PLAN)
    assert plan.summary["changed"] == 9
    _fleet(ansible, koophone_network_presets={"WIFI": "high_quality"})
    refused = _run(ansible, APPLY, **plan.published)
    assert refused.status != 0
    assert "what is desired has changed since the approval" in refused.output
    assert emulator.count() == 1

    plan = _run(ansible, PLAN)
    assert plan.published["video_setting_plan"] == {
        "instances": 10, "changed": 10, "unchanged": 0, "unknown": 9, "not_attempted": 0,
    }  # fmt: skip
    applied = _run(ansible, APPLY, **plan.published, video_setting_require_approval=True)
    assert applied.status == 0, applied.output
    assert emulator.count() == 2
    # Once more with the same approval: there is nothing left to refuse.
    assert _run(ansible, APPLY, **plan.published, video_setting_require_approval=True).status == 0
    assert emulator.count() == 2


def test_a_plan_that_comes_up_again_is_continued_like_any_other(ansible: Ansible, emulator: Emulator) -> None:
    _fleet(ansible, 20)
    first = _run(ansible, PLAN).published[APPROVED]
    assert _run(ansible, APPLY).status == 0
    ansible.write(
        "forget.yml",
        "- {hosts: localhost, gather_facts: false, tasks:"
        " [{koophone.fleet.video_setting_record: {state: forgotten, all_instances: true}}]}",
    )
    assert ansible.run("forget.yml").status == 0
    approved = {APPROVED: _run(ansible, PLAN).published[APPROVED], "video_setting_require_approval": True}
    assert approved[APPROVED] == first
    run = _run(ansible, APPLY, **approved, video_setting_waves=["10%"])
    assert run.summary["changed"] == 2
    # Somebody else makes one of the others what it is to be, and the rest is still what was approved.
    other = next(f"i{one}" for one in range(20) if f"i{one}" not in run.results[0]["changed_instances"])
    assert _run(ansible, APPLY, "--limit", other.replace("i", "h")).summary["changed"] == 1
    run = _run(ansible, APPLY, **approved, video_setting_waves=["50%", "100%"])
    assert run.status == 0, run.output
    assert sum(result["summary"]["changed"] for result in run.results) == 17
    assert other not in run.results[0]["changed_instances"] + run.results[1]["changed_instances"]


def test_a_wave_that_cannot_begin_leaves_the_outcome_of_those_before_it(ansible: Ansible, emulator: Emulator) -> None:
    _fleet(ansible, 20)
    account = {
        "username": "emulator-user", "password": "emulator-password", "domain_name": "emulator-domain",
        "project_name": "emulator-project", "iam_endpoint": emulator.url,
    }  # fmt: skip
    # The password is changed while the first wave is at work.
    emulator.fault("error", path="/v3/auth/tokens", http_status=401, skip=1)
    run = ansible.run(
        *("-i", "inventory.json", APPLY),
        *("-e", json.dumps({f"video_setting_{name}": value for name, value in account.items()})),
        *("-e", "video_setting_waves=10%,100%"),
        KOOPHONE_AUTH_TOKEN=None,
    )
    assert run.status != 0
    assert run.outcome[0].startswith("20 instances in 1 group: 2 changed, 0 unchanged, 0 failed, 18 not attempted")
    assert run.failure.startswith("wave 100% did not begin: ")
    assert "401" in run.failure
    assert emulator.count() == 1


@pytest.mark.parametrize("approved", [None, "", "  "])
def test_an_approval_that_got_lost_is_no_approval(ansible: Ansible, emulator: Emulator, approved: str | None) -> None:
    _fleet(ansible, 1)
    given = {} if approved is None else {APPROVED: approved}
    run = _run(ansible, APPLY, **given, video_setting_require_approval="true")
    assert run.status != 0
    assert run.outcome[1].startswith(f"{APPROVED}: is empty, but video_setting_require_approval is true")
    assert emulator.count() == 0


def test_an_approval_is_not_offered_for_parts_and_their_plans_are_not_published(
    ansible: Ansible, emulator: Emulator
) -> None:
    _fleet(ansible, 4)
    ansible.write(
        "batches.yml",
        "- {hosts: all, gather_facts: false, serial: 2, tasks:"
        " [{ansible.builtin.import_role: {name: koophone.fleet.video_setting, tasks_from: '{{ part }}'}}]}",
    )
    for arguments, why in (
        (["batches.yml", "-e", "part=main"], "this is a batch of 2 hosts (serial)"),
        ([APPLY, "-e", "awx_job_slice_count=3"], "this is a slice of a job"),
        ([APPLY, "-e", "awx_workflow_job_name=Apply awx_job_template_name=Apply"], "this is a slice of a job"),
    ):
        for given in ({APPROVED: "0" * 64}, {"video_setting_require_approval": True}):
            run = _run(ansible, *arguments, **given)
            assert run.status != 0
            assert f"{why}, and an approval is of one plan for all" in run.outcome[1]
    for arguments in (["batches.yml", "-e", "part=plan"], [PLAN, "-e", "awx_job_slice_count=3"]):
        run = _run(ansible, *arguments)
        assert run.status == 0, run.output
        assert run.published == {}
        assert any(line.startswith("It is not published: this is ") for line in run.outcome)
    assert emulator.count() == 0


def test_share_that_may_change_is_of_the_whole_inventory(ansible: Ansible, emulator: Emulator) -> None:
    _fleet(ansible)
    refused = _run(ansible, APPLY, video_setting_max_changed="20%")
    assert refused.status != 0
    assert "max_changed is 20%, that is 2 of 10 instances, but 10 are to be changed" in refused.output
    assert "a fleet that was never applied needs max_changed: 100%" in refused.output
    assert _run(ansible, APPLY, "--limit", "h1,h2,h3", video_setting_max_changed="20%").status != 0
    assert emulator.count() == 0
    # Two of the three that it is limited to are 20% of ten.
    assert _run(ansible, APPLY, "--limit", "h1,h2", video_setting_max_changed="20%").status == 0
    assert emulator.count() == 1
    # What waves leave for later counts.
    waves = {"video_setting_waves": ["1", "100%"], "video_setting_max_changed": "70%"}
    assert "but 8 are to be changed" in _run(ansible, APPLY, **waves).output
    assert emulator.count() == 1
    assert _run(ansible, APPLY, **{**waves, "video_setting_max_changed": "80%"}).status == 0
    assert len([state for state in emulator.state().values() if state["settings"]]) == 10


def test_drift_is_reported_and_fails_only_on_demand(ansible: Ansible, emulator: Emulator) -> None:
    _fleet(ansible)
    demand = {"video_setting_fail_on_drift": "true"}
    run = _run(ansible, DRIFT)
    assert run.status == 0, run.output
    assert run.outcome[-1] == ("drift: 0 differ from what is desired, 10 are unknown; nothing is remembered of any")
    assert _run(ansible, APPLY).status == 0
    sent = emulator.count()

    run = _run(ansible, DRIFT, **demand, video_setting_max_changed="1", video_setting_approved_plan="0" * 64)
    assert run.status == 0, run.output
    drift = run.published["video_setting_drift"]
    assert re.fullmatch("[0-9-]{10}T[0-9:]{8}Z", drift.pop("oldest_applied_at"))
    assert drift == {"instances": 10, "differing": 0, "unknown": 0}

    ansible.write("group_vars/all.yml", "koophone_overrides: {WIFI: {H264: {1080P: {code_rate: 7500}}}}")
    _fleet(ansible, 11)
    for given, status in (({}, 0), (demand, 2), ({**demand, "video_setting_waves": "1"}, 2)):
        run = _run(ansible, DRIFT, **given)
        assert run.status == status, run.output
        drift = run.published["video_setting_drift"]
        assert (drift["instances"], drift["differing"], drift["unknown"]) == (11, 10, 1)
        assert run.outcome[-1].startswith("drift: 10 differ from what is desired, 1 are unknown; the oldest that is")
        assert "+WIFI H264 1080P: 7500 kbit/s, 60 fps" in run.output
    assert emulator.count() == sent
