# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the files of the example promise by their shape, and what its scripts refuse."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.blocks import of_kind
from tests.emulator.handle import Emulator
from tests.gitops.conftest import PLANNER, Stores
from tests.gitops.forge import PROJECT, REPOSITORY, Forge
from tests.gitops.github import GitHub, triggers
from tests.gitops.gitlab import jobs_of
from tests.gitops.team import EXAMPLE, INSTALL, ROOT, VAULT_PASSWORDS, Machine, Team

WORKFLOWS = sorted((EXAMPLE / ".github" / "workflows").glob("*.yml"))


def load(path: Path) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


PIPELINE = load(EXAMPLE / ".gitlab-ci.yml")


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """All jobs of GitHub that run something."""
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            if "steps" in job:
                yield f"{path.stem}: {name}", job


def test_actions_are_pinned_to_commits_and_say_which_version_that_is() -> None:
    for path in WORKFLOWS:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "uses:" in line and "./.github/" not in line:
                assert re.search(r"uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_nothing_from_outside_is_put_into_a_shell_command() -> None:
    for name, job in jobs():
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), name


def test_jobs_have_the_least_rights_and_none_has_both_a_secret_and_the_right_to_write() -> None:
    for path in WORKFLOWS:
        assert load(path)["permissions"] == {}
        assert "pull_request_target" not in triggers(load(path))
    writing = {}
    for name, job in jobs():
        rights = {right for right, level in job["permissions"].items() if level == "write"}
        if rights:
            writing[name] = rights
            assert "secrets." not in json.dumps(job), name
            assert "environment" not in job, name
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
    assert writing == {"plan: comment": {"pull-requests"}}


def test_only_the_apply_has_what_it_needs_to_apply() -> None:
    with_vault = [name for name, job in jobs() if "ANSIBLE_VAULT_PASSWORD" in json.dumps(job)]
    assert with_vault == ["environment: apply"]
    apply = load(EXAMPLE / ".github" / "workflows" / "environment.yml")["jobs"]["apply"]
    assert apply["concurrency"] == {"group": "apply-${{ inputs.environment }}", "cancel-in-progress": False}
    for name, job in jobs_of(PIPELINE).items():
        environment = job["environment"]["name"]
        if name.startswith("apply"):
            assert job["resource_group"] == "$TARGET"
            assert job["interruptible"] is False
            assert environment in (job["variables"]["TARGET"], f"{job['variables']['TARGET']}-anew")
        else:
            # Other than these names, which no variable for applying is scoped to.
            assert environment in ("plan-$TARGET", "forge")
            assert job["environment"]["action"] == "access"


def test_the_steps_are_thin_and_the_same_on_both_forges() -> None:
    """All that is not one command of the repository's own scripts hands a value on to GitHub."""
    commands = {step["run"].strip() for _name, job in jobs() for step in job["steps"] if "run" in step}
    lines = {line for job in jobs_of(PIPELINE).values() for line in job["script"]}
    scripts = {command.split(maxsplit=1)[0] for command in commands if command.startswith("ci/")}
    assert scripts == {line.split(maxsplit=1)[0] for line in lines if line.startswith("ci/")}
    assert scripts == {INSTALL, "ci/plan.sh", "ci/apply.sh", "ci/drift.sh"}
    for command in commands:
        assert "\n" not in command


def test_scripts_stop_at_the_first_mistake() -> None:
    for path in (EXAMPLE / "ci").iterdir():
        if path.suffix in (".sh", ""):
            lines = path.read_text(encoding="utf-8").splitlines()
            assert lines[0] == "#!/usr/bin/env bash"
            assert "set -euo pipefail" in lines
            assert os.access(path, os.X_OK)


@pytest.fixture
def checkout(team: Team, machine: Machine) -> Path:
    folder = machine.workspace() / "checkout"
    team.check_out(folder, team.newest())
    return folder


def render(machine: Machine, checkout: Path, diff: list[dict[str, str]]) -> str:
    plan = {"digest": "d" * 64, "summary": {"instances": 9, "changed": len(diff), "unknown": 0}, "diff": diff}
    folder = checkout / "plan" / "staging"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    status, output = machine.run("python ci/render.py staging", checkout, {})
    assert status == 0, output
    return (folder / "plan.md").read_text(encoding="utf-8")


def test_a_long_plan_is_cut_to_what_a_comment_may_hold_and_says_so(machine: Machine, checkout: Path) -> None:
    header = {"before_header": "offices", "after_header": "offices"}
    diff = [{**header, "before": "unknown\n", "after": f"WIFI ü {number}\n" * 18} for number in range(1000)]
    text = render(machine, checkout, [*diff, {"prepared": "... and 7 more differences, of 9 instances\n"}])
    assert 59_000 < len(text) < 60_000
    assert "**this is only their beginning.**" in text
    assert text.count("```") == 2
    assert text.rstrip().splitlines()[-1].startswith(f"Plan `{'d' * 64}` of commit")


def test_the_name_of_a_group_does_not_get_out_of_the_block(machine: Machine, checkout: Path) -> None:
    name = "kiosks ```` @everybody"
    diff = [{"before_header": name, "after_header": name, "before": "unknown\n", "after": "WIFI\n"}]
    text = render(machine, checkout, diff)
    assert text.count("`````") == 2
    assert text.index("`````diff") < text.index("@everybody") < text.rindex("`````")


@pytest.mark.parametrize("on", ["github", "gitlab"])
def test_the_comment_is_replaced_where_it_is_ones_own_and_nobody_elses_is(
    machine: Machine, checkout: Path, forge: Forge, on: str
) -> None:
    render(machine, checkout, [])
    request = forge.open("0" * 40)
    marker = "<!-- video settings: staging -->"
    # More than fit on a page.
    for number in range(150):
        author = {"user": {"login": "stranger"}, "author": {"id": 7}}
        request.comments.append({"id": 9000 + number, "body": f"{marker}\nApproved!", **author})
    common = {"GITHUB_API_URL": forge.url, "CI_API_V4_URL": forge.url}
    if on == "github":
        token = forge.token({"pull-requests": "write"})
        variables = {"GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": token, "PULL_REQUEST": "1"}
    else:
        token = forge.token({"api": "write"})
        variables = {"CI_PROJECT_ID": PROJECT, "FORGE_TOKEN": token, "CI_MERGE_REQUEST_IID": "1", "GITLAB_CI": "true"}
    for _again in range(2):
        status, output = machine.run("python ci/forge.py comment staging", checkout, {**common, **variables})
        assert status == 0, output
    assert len(request.comments) == 151
    assert {comment["body"] for comment in request.comments[:150]} == {f"{marker}\nApproved!"}
    assert "Nothing would change" in request.comments[150]["body"]
    # What goes wrong is told in one line, without the token.
    forge.tokens.clear()
    status, output = machine.run("python ci/forge.py comment staging", checkout, {**common, **variables})
    assert status == 1
    assert "HTTP 401; has the token of this job the right?" in output
    assert token not in output
    assert output.count("\n") == 1


@pytest.mark.parametrize("digest", ["", "latest", "d" * 63, "d" * 64 + " -e video_setting_force=true"])
def test_what_is_no_digest_approves_nothing(machine: Machine, checkout: Path, emulator: Emulator, digest: str) -> None:
    status, output = machine.run(f'ci/apply.sh staging "{digest}"', checkout, {})
    assert status != 0
    assert "PLAY" not in output
    assert emulator.count() == 0


def test_a_vault_that_somebody_forgot_to_encrypt_is_refused(machine: Machine, checkout: Path) -> None:
    (checkout / "vault" / "staging.yml").write_text("video_setting_password: plain\n", encoding="utf-8")
    status, output = machine.run(f"ci/apply.sh staging {'d' * 64}", checkout, {})
    assert status == 2
    assert "vault/staging.yml is not encrypted; nothing was applied." in output


def test_an_environment_that_nobody_guards_approves_nothing(github: GitHub, forge: Forge, emulator: Emulator) -> None:
    forge.reviewers["approve-staging"] = []
    [plan] = github.dispatch("apply-anew.yml", environment="staging")
    assert not plan.ok
    assert "approve-staging has no required reviewers" in plan.output
    assert github.asked == []
    # Where somebody is asked and says no, nothing happens either.
    forge.reviewers["approve-staging"] = ["the leads"]
    github.approves = False
    plan, approve = github.dispatch("apply-anew.yml", environment="staging")
    assert (plan.ok, approve.ok, github.asked) == (True, False, ["approve-staging"])
    assert emulator.count() == 0


def test_pull_requests_do_not_get_into_the_environments_that_apply(github: GitHub, team: Team, forge: Forge) -> None:
    """What a member could try: a branch whose plan asks for the environment of the apply."""
    head = team.propose("greedy", ".github/workflows/plan.yml", "environment: plan-${{", "environment: ${{")
    refused = github.pull_request(forge.open(head))
    assert [job.ok for job in refused] == [False, False]
    assert all("is not allowed to deploy" in job.output for job in refused)


def test_commands_of_the_guides_work_in_the_repository(machine: Machine, stores: Stores, checkout: Path) -> None:
    blocks = of_kind("repository")
    assert blocks
    for block in blocks:
        url, password = stores.urls["staging"][PLANNER], VAULT_PASSWORDS["staging"]
        variables = {"KOOPHONE_STATE_URL": url, "ANSIBLE_VAULT_PASSWORD": password}
        status, output = machine.run(block.text, checkout, variables)
        assert status == 0, output
    first_line = (checkout / "vault" / "staging.yml").read_text(encoding="utf-8").splitlines()[0]
    assert first_line.startswith("$ANSIBLE_VAULT;")


def test_the_readers_of_the_guides_find_what_they_name() -> None:
    for name in ("repositories.md", "recovery.md"):
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        for path in re.findall(r"`((?:ci|vault|inventories|group_vars|\.github)/[\w./-]*)`", text):
            assert (EXAMPLE / path).exists(), f"{name}: {path}"
