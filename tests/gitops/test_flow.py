# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change on its way through GitHub and GitLab: the files of the example say what is done, and it is done here.

Only `ci/setup.sh` is not run: it installs from the network. The checkout on ANSIBLE_COLLECTIONS_PATH stands in for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from tests.emulator.handle import Emulator
from tests.gitops.conftest import APPLIER, PASSWORD, PLANNER, Stores
from tests.gitops.forge import Forge, Request
from tests.gitops.github import GitHub
from tests.gitops.gitlab import GitLab
from tests.gitops.team import VAULT_PASSWORDS, Job, Machine, Team

Jobs = Mapping[str, Job]
OFFICES = ("group_vars/offices.yml", "code_rate: 8000", "code_rate: 9000")
KIOSKS = ("group_vars/kiosks.yml", "MOBILE_NETWORK: data_saver", "MOBILE_NETWORK: balanced")
# The offices of staging and of production.
STAGING = {"3d9a75e2c08146fbb64f1e8a97d2c05b"}
PRODUCTION = {"4e90b7a3d16f4d85920cf3e8b5a7164d", "a13f8c6e2d7b49f0865e1b94c0d7f32a"}


@dataclass
class Flow:
    """What people do, on either forge."""

    team: Team
    forge: Forge
    emulator: Emulator
    machine: Machine
    stores: Stores
    ci: GitHub | GitLab

    def plan(self, request: Request, *, fork: bool = False) -> Jobs:
        if isinstance(self.ci, GitHub):
            return _by_name(self.ci.pull_request(request, fork=fork))
        return _by_name(self.ci.merge_request(request, fork=fork))

    def propose(self, file: str, old: str, new: str) -> Request:
        """A request with one change, and its plan."""
        branch = f"change-{len(self.forge.requests)}"
        request = self.forge.open(self.team.propose(branch, file, old, new))
        assert _failed(self.plan(request)) == set()
        return request

    def merge(self, request: Request) -> Jobs:
        request.merged = self.team.merge(request.head)
        return self.push(request.merged)

    def push(self, commit: str) -> Jobs:
        """What the forge starts when main has a new commit; and what somebody does who starts that again."""
        return _by_name(self.ci.push(commit))

    def anew(self, environment: str) -> Jobs:
        if isinstance(self.ci, GitHub):
            return _by_name(self.ci.dispatch("apply-anew.yml", environment=environment))
        return _by_name(self.ci.web(f"apply anew {environment}"))

    def drift(self) -> Jobs:
        return _by_name(self.ci.schedule("drift.yml") if isinstance(self.ci, GitHub) else self.ci.schedule())

    def forget(self, environment: str, *instance_ids: str) -> None:
        """Somebody says that instances were reset."""
        play = (
            "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - koophone.fleet.video_setting_record:"
            f" {{state: forgotten, instance_ids: [{', '.join(instance_ids)}]}}\n"
        )
        path = self.machine.folder / "forget.yml"
        path.write_text(play, encoding="utf-8")
        url = self.stores.urls[environment][APPLIER]
        status, output = self.machine.run("ansible-playbook forget.yml", path.parent, {"KOOPHONE_STATE_URL": url})
        assert status == 0, output

    def sent(self) -> list[set[str]]:
        """The instances of each request since the last time."""
        requests = [set(request["instance_ids"]) for request in self.emulator.requests()]
        new, self._seen = requests[self._seen :], len(requests)
        return new

    _seen: int = 0


def _by_name(jobs: Sequence[Job]) -> Jobs:
    named = {job.name: job for job in jobs}
    assert len(named) == len(jobs)
    return named


def _failed(jobs: Jobs) -> set[str]:
    return {name for name, job in jobs.items() if not job.ok}


def _said(jobs: Jobs) -> str:
    return "\n".join(job.output for job in jobs.values())


def _comment(request: Request, environment: str) -> str:
    [body] = [c["body"] for c in request.comments if f"### Video settings: {environment}\n" in c["body"]]
    return str(body)


def _changes(comment: str) -> list[str]:
    return [line for line in comment.splitlines() if line.startswith(("-", "+")) and line[:3] not in ("---", "+++")]


@pytest.fixture(params=["github", "gitlab"])
def flow(
    request: pytest.FixtureRequest, team: Team, forge: Forge, emulator: Emulator, machine: Machine, stores: Stores
) -> Flow:
    """A team whose fleet is as its main branch wants it."""
    return Flow(team, forge, emulator, machine, stores, request.getfixturevalue(request.param))


on_github = pytest.mark.parametrize("flow", ["github"], indirect=True)


def test_a_change_is_shown_reviewed_merged_and_applied_with_the_least_requests(flow: Flow) -> None:
    request = flow.propose(*OFFICES)
    assert flow.sent() == []
    for environment, number in (("staging", 1), ("production", 2)):
        comment = _comment(request, environment)
        assert _changes(comment) == ["-WIFI H264 1080P: 8000 kbit/s, 60 fps", "+WIFI H264 1080P: 9000 kbit/s, 60 fps"]
        assert f"**{number} of " in comment
        assert request.head in comment
    # What is pushed afterwards is shown in the same place.
    request.head = flow.team.propose("change-0", OFFICES[0], OFFICES[1], "code_rate: 9100")
    assert _failed(flow.plan(request)) == set()
    assert len(request.comments) == 2
    assert _changes(_comment(request, "production"))[1] == "+WIFI H264 1080P: 9100 kbit/s, 60 fps"
    assert flow.sent() == []

    jobs = flow.merge(request)
    assert _failed(jobs) == set(), _said(jobs)
    # Staging first, and in each no more than one request for the one group that changed.
    assert flow.sent() == [STAGING, PRODUCTION]
    assert _failed(flow.drift()) == set()

    # All this time, no secret was to be seen anywhere.
    secrets = [PASSWORD, *VAULT_PASSWORDS.values(), *flow.stores.passwords, *flow.forge.tokens]
    seen = [flow.machine.log, *(c["body"] for c in request.comments)]
    seen += [content.decode() for kept in flow.forge.kept for content in kept.files.values()]
    assert "WIFI H264" in flow.machine.log
    for secret in secrets:
        assert not any(secret in text for text in seen), secret


def test_a_plan_that_moved_since_the_review_is_refused_and_can_be_approved_anew(flow: Flow) -> None:
    request = flow.propose(*OFFICES)
    [office, _other] = sorted(PRODUCTION)
    flow.forget("production", office)

    jobs = flow.merge(request)
    # Staging is as it was shown; in production nothing is sent.
    assert flow.sent() == [STAGING]
    [refused] = _failed(jobs)
    assert "production" in refused
    said = jobs[refused].output
    assert f"request {request.number} showed" in said
    assert "since then the inventory or what was last applied has changed. Nothing was applied." in said
    assert "have it approved" in said

    jobs = flow.anew("production")
    assert _failed(jobs) == set(), _said(jobs)
    assert flow.sent() == [PRODUCTION]


@on_github
def test_what_moves_between_the_plan_of_the_merge_and_the_apply_is_refused_by_the_apply(flow: Flow) -> None:
    request = flow.propose(*OFFICES)
    flow.machine.before["ci/apply.sh"] = lambda: flow.forget("staging", *STAGING)
    jobs = flow.merge(request)
    [refused] = _failed(jobs)
    assert "what was last applied has changed since the approval" in jobs[refused].output
    assert flow.sent() == []


@on_github
def test_after_a_partial_failure_the_same_job_goes_on_without_a_new_approval(flow: Flow) -> None:
    request = flow.propose(*OFFICES)
    office, other = sorted(PRODUCTION)
    flow.emulator.add([office], kind="frozen")
    jobs = flow.merge(request)
    [failed] = _failed(jobs)
    assert "docs/recovery.md" in jobs[failed].output
    # The other one was not held up.
    settings = flow.emulator.settings_of(other)
    assert settings is not None
    assert settings["WIFI"]["H264"]["1080P"]["code_rate"] == 9000
    flow.sent()
    flow.emulator.add([office], kind="ok")

    # "Re-run failed jobs" keeps what the job of the plan handed on, and makes a fresh clone.
    [digest] = [
        kept.files["digest"].decode().strip()
        for kept in flow.forge.kept
        if kept.of_request and kept.name == "plan-production"
    ]
    checkout = flow.machine.workspace() / "checkout"
    flow.team.check_out(checkout, flow.team.newest())
    url, password = flow.stores.urls["production"][APPLIER], VAULT_PASSWORDS["production"]
    variables = {"KOOPHONE_STATE_URL": url, "ANSIBLE_VAULT_PASSWORD": password}
    status, output = flow.machine.run(f"ci/apply.sh production {digest}", checkout, variables)
    assert status == 0, output
    assert flow.sent() == [{office}]


@on_github
def test_the_second_of_two_requests_is_to_be_planned_again_after_the_first_was_applied(flow: Flow) -> None:
    first, second = flow.propose(*OFFICES), flow.propose(*KIOSKS)
    assert _failed(flow.merge(first)) == set()
    assert flow.sent() == [STAGING, PRODUCTION]
    # Not so here: what it showed is neither what main has now nor what was last applied.
    stale = flow.team.merge(second.head)
    second.merged = stale
    assert len(_failed(flow.push(stale))) == 1
    assert flow.sent() == []


@on_github
def test_a_request_that_was_brought_up_to_date_goes_through(flow: Flow) -> None:
    request = flow.propose(*KIOSKS)
    flow.team.merge(flow.team.propose("words", "group_vars/kiosks.yml", "pay for what", "pay for all"))
    request.head = flow.team.propose("change-0", *KIOSKS)
    flow.plan(request)
    jobs = flow.merge(request)
    assert _failed(jobs) == set(), _said(jobs)
    assert [len(ids) for ids in flow.sent()] == [2, 3]


def test_what_nobody_reviewed_is_not_applied(flow: Flow) -> None:
    jobs = flow.push(flow.team.merge(flow.team.propose("direct", *OFFICES)))
    assert "nobody has reviewed a plan" in _said(jobs)
    # A plan that has expired is as good as none.
    request = flow.propose(*KIOSKS)
    for kept in flow.forge.kept:
        kept.expired = True
    assert "There is no plan of the last commit" in _said(flow.merge(request))
    assert flow.sent() == []


@on_github
def test_a_merge_that_changes_no_settings_needs_no_approval(flow: Flow) -> None:
    head = flow.team.propose("words", "group_vars/kiosks.yml", "pay for what they send", "pay for each byte")
    jobs = flow.push(flow.team.merge(head))
    assert _failed(jobs) == set(), _said(jobs)
    assert flow.sent() == []


def test_a_fork_gets_no_secrets(flow: Flow) -> None:
    request = flow.forge.open(flow.team.propose("theirs", *OFFICES))
    assert flow.plan(request, fork=True) == {}
    assert request.comments == []


def test_an_old_run_that_is_started_again_does_not_bring_old_settings_back(flow: Flow) -> None:
    old = flow.propose(*OFFICES)
    old.merged = flow.team.merge(old.head)
    flow.team.merge(flow.team.propose("back", OFFICES[0], OFFICES[2], OFFICES[1]))
    # What the old request showed is, word by word, what its commit would do now.
    jobs = flow.push(old.merged)
    assert "Only the newest is applied, so nothing was." in _said(jobs)
    assert flow.sent() == []


def test_drift_fails_at_night_where_somebody_forgot_an_instance(flow: Flow) -> None:
    flow.forget("production", *sorted(PRODUCTION)[:1])
    jobs = flow.drift()
    [found] = _failed(jobs)
    assert "production" in found
    assert flow.sent() == []


@on_github
def test_who_plans_cannot_apply(flow: Flow) -> None:
    url = flow.stores.urls["production"][PLANNER]
    checkout = flow.machine.folder / "checkout"
    flow.team.check_out(checkout, flow.team.newest())
    variables = {"KOOPHONE_STATE_URL": url, "ANSIBLE_VAULT_PASSWORD": VAULT_PASSWORDS["production"]}
    flow.forget("production", *PRODUCTION)
    assert flow.machine.run("ci/plan.sh production", checkout, {"KOOPHONE_STATE_URL": url})[0] == 0
    command = 'ci/apply.sh production "$(cat plan/production/digest)"'
    status, output = flow.machine.run(command, checkout, variables)
    assert status != 0
    assert "permission denied" in output
    assert flow.sent() == []
