# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan, approval and apply as nodes of the workflow, with the templates that awx_setup makes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.awx.running import PROJECT, Controller, Job, Outcome, inventory_of
from tests.awx.setting_up import Setup
from tests.emulator.handle import Emulator
from tests.support.postgres import PostgreSQL

IDS = [f"kiosk-{number:03}" for number in range(200)]
INVENTORY = inventory_of(IDS, {"kiosk": IDS})
PLAN, APPLY, DRIFT, FORGET = "KooPhone plan", "KooPhone apply", "KooPhone drift", "KooPhone forget"
WORKFLOW = "KooPhone plan, approval, apply"


@dataclass
class Workflow:
    """AWX as it launches what awx_setup has made."""

    controller: Controller
    setup: Setup

    def launch(
        self, name: str, answers: Mapping[str, str] | None = None, published: Mapping[str, Any] | None = None
    ) -> Outcome:
        return self.start(name, answers, published).wait()

    def start(
        self, name: str, answers: Mapping[str, str] | None = None, published: Mapping[str, Any] | None = None
    ) -> Job:
        """Launch a template: for itself with answers to its survey, or as a node, after what nodes before published."""
        template = self.setup.arguments("job_template", name)
        extra_vars = {
            **template["extra_vars"],
            **self._defaults(name),
            **(published or {}),
            # As a node it has the answers to the workflow's survey, which win.
            **({} if published is None else self._defaults(WORKFLOW)),
            **(answers or {}),
            **self._meta(name, None if published is None else WORKFLOW),
        }
        return self.controller.start(template["playbook"], INVENTORY, **extra_vars)

    def _defaults(self, name: str) -> dict[str, str]:
        return {question["variable"]: question["default"] for question in self.setup.questions[name]}

    @staticmethod
    def _meta(template: str, workflow: str | None) -> dict[str, Any]:
        meta = {"awx_job_template_name": template, "awx_job_launch_type": "workflow" if workflow else "manual"}
        return {**meta, "awx_workflow_job_id": 1, "awx_workflow_job_name": workflow} if workflow else meta


@pytest.fixture
def workflow(controller: Controller, setup: Setup, tmp_path: Path) -> Workflow:
    # A copy, so that a test can merge something.
    controller.project = tmp_path / "project"
    shutil.copytree(PROJECT, controller.project)
    return Workflow(controller, setup)


def merge(workflow: Workflow) -> None:
    """Change the settings in the project."""
    path = workflow.controller.project / "group_vars" / "kiosk.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("data_saver", "high_quality"), encoding="utf-8")


def test_what_was_approved_is_applied(workflow: Workflow, emulator: Emulator) -> None:
    plan = workflow.launch(PLAN, published={})
    assert plan.status == "successful", plan.output
    assert plan.artifacts["video_setting_approved_plan"] == plan.result["plan_digest"]
    assert plan.artifacts["video_setting_plan"]["changed"] == len(IDS)
    assert emulator.count() == 0
    apply = workflow.launch(APPLY, published=plan.artifacts)
    assert apply.status == "successful", apply.output
    assert emulator.count() == 2
    assert {state["writes"] for state in emulator.state().values()} == {1}


def test_nothing_is_applied_without_an_approval(workflow: Workflow, emulator: Emulator) -> None:
    job = workflow.launch(APPLY)
    assert job.status == "failed"
    assert "video_setting_approved_plan: is empty, but video_setting_require_approval is true" in job.output
    assert emulator.count() == 0


def test_an_approval_is_stale_once_something_else_is_asked_for(workflow: Workflow, emulator: Emulator) -> None:
    plan = workflow.launch(PLAN, published={})
    merge(workflow)
    apply = workflow.launch(APPLY, published=plan.artifacts)
    assert apply.status == "failed"
    assert "what is desired has changed since the approval" in apply.output
    assert emulator.count() == 0


def test_answers_that_make_the_plan_are_part_of_the_approval(workflow: Workflow, emulator: Emulator) -> None:
    plan = workflow.launch(PLAN, published={})
    apply = workflow.launch(APPLY, {"video_setting_hosts": IDS[0]}, published=plan.artifacts)
    assert apply.status == "failed"
    assert emulator.count() == 0
    answers = {"video_setting_hosts": IDS[0], "video_setting_max_changed": "1"}
    plan = workflow.launch(PLAN, answers, published={})
    apply = workflow.launch(APPLY, answers, published=plan.artifacts)
    assert apply.status == "successful", apply.output
    [request] = emulator.requests()
    assert request["instance_ids"] == IDS[:1]


def test_a_relaunch_after_a_failure_needs_no_new_approval(workflow: Workflow, emulator: Emulator) -> None:
    emulator.add(IDS[:1], kind="frozen")
    plan = workflow.launch(PLAN, published={})
    apply = workflow.launch(APPLY, published=plan.artifacts)
    assert apply.status == "failed"
    assert apply.result["summary"]["failed"] == 1
    emulator.add(IDS[:1], kind="ok")
    # AWX gives a job that is relaunched the variables that it had.
    again = workflow.launch(APPLY, published=plan.artifacts)
    assert again.status == "successful", again.output
    assert again.result["summary"]["changed"] == 1


def test_a_relaunch_of_a_killed_job_sends_what_was_not_confirmed(
    workflow: Workflow, emulator: Emulator, postgres: PostgreSQL
) -> None:
    database = postgres.create_database()
    # The second request is carried out, and its answer never comes.
    emulator.fault("late", seconds=0.1, then="hang", skip=1)
    workflow.controller.environment |= {"KOOPHONE_CONCURRENCY": "1", "KOOPHONE_STATE_URL": postgres.url(database)}
    confirmed = "SELECT count(*) FROM koophone_fleet.instances WHERE known = 1"
    plan = workflow.launch(PLAN, published={})
    job = workflow.start(APPLY, published=plan.artifacts)
    while emulator.count() < 2 or postgres.sql(confirmed, database=database) != [(100,)]:
        assert job.worker.poll() is None, job.wait().output
        time.sleep(0.05)
    job.kill()
    again = workflow.launch(APPLY, published=plan.artifacts)
    assert again.status == "successful", again.output
    first, in_doubt, repeated = [set(request["instance_ids"]) for request in emulator.requests()]
    assert in_doubt == repeated == set(IDS) - first


def test_waves_come_from_the_survey(workflow: Workflow, emulator: Emulator) -> None:
    answers = {"video_setting_waves": "1%, 10%, 100%", "video_setting_max_failures": "1%"}
    plan = workflow.launch(PLAN, answers, published={})
    apply = workflow.launch(APPLY, answers, published=plan.artifacts)
    assert apply.status == "successful", apply.output
    assert [len(request["instance_ids"]) for request in emulator.requests()][:2] == [2, 18]
    assert {state["writes"] for state in emulator.state().values()} == {1}
    assert len(emulator.state()) == len(IDS)


def test_drift_fails_the_scheduled_job(workflow: Workflow, emulator: Emulator) -> None:
    plan = workflow.launch(PLAN, published={})
    assert workflow.launch(APPLY, published=plan.artifacts).status == "successful"
    sent = emulator.count()
    job = workflow.launch(DRIFT)
    assert job.status == "successful", job.output
    assert job.artifacts["video_setting_drift"]["differing"] == 0
    merge(workflow)
    job = workflow.launch(DRIFT)
    assert job.status == "failed"
    assert job.artifacts["video_setting_drift"]["differing"] == len(IDS)
    assert workflow.launch(DRIFT, {"video_setting_fail_on_drift": "false"}).status == "successful"
    assert emulator.count() == sent


def test_instances_that_were_reset_are_forgotten_and_get_their_settings_again(
    workflow: Workflow, emulator: Emulator
) -> None:
    first = workflow.launch(PLAN, published={})
    assert workflow.launch(APPLY, published=first.artifacts).status == "successful"
    sent = emulator.count()
    emulator.reset_instances(IDS[:2])
    forget = workflow.launch(FORGET, {"video_setting_hosts": ",".join(IDS[:2])})
    assert forget.status == "successful", forget.output
    assert emulator.count() == sent
    plan = workflow.launch(PLAN, published={})
    assert plan.artifacts["video_setting_plan"]["unknown"] == 2
    # The approval of earlier is not one of this plan.
    assert workflow.launch(APPLY, published=first.artifacts).status == "failed"
    assert workflow.launch(APPLY, published=plan.artifacts).status == "successful"
    assert emulator.requests()[-1]["instance_ids"] == IDS[:2]
    assert emulator.count() == sent + 1


def test_a_lost_database_means_that_everything_is_unknown_and_is_applied_again(
    workflow: Workflow, emulator: Emulator, postgres: PostgreSQL
) -> None:
    plan = workflow.launch(PLAN, published={})
    assert workflow.launch(APPLY, published=plan.artifacts).status == "successful"
    before = {name: state["settings_digest"] for name, state in emulator.state().items()}
    workflow.controller.environment["KOOPHONE_STATE_URL"] = postgres.url(postgres.create_database())
    plan = workflow.launch(PLAN, published={})
    assert plan.artifacts["video_setting_plan"]["unknown"] == len(IDS)
    apply = workflow.launch(APPLY, published=plan.artifacts)
    assert apply.status == "successful", apply.output
    assert {name: state["settings_digest"] for name, state in emulator.state().items()} == before
    assert emulator.count() == 4
