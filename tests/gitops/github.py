# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of GitHub Actions as the example's workflows need: it reads them as they are, and runs every step."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.gitops.conditions import Condition
from tests.gitops.forge import REPOSITORY, Forge, Request
from tests.gitops.team import INSTALL, Job, Machine, Team

WORKFLOWS = Path(".github/workflows")
_EXPRESSION = re.compile(r"\$\{\{ *(.+?) *\}\}")
_LEVELS = ("none", "read", "write")


def triggers(workflow: Mapping[Any, Any]) -> Any:
    """YAML 1.1 takes the key `on` for true."""
    return workflow[True]


class GitHub:
    """Runs workflows. `secrets` are those of environments; `restricted` ones let no branch in but main."""

    def __init__(self, team: Team, forge: Forge, machine: Machine, secrets: Mapping[str, Mapping[str, str]]) -> None:
        self._team, self._forge, self._machine, self._secrets = team, forge, machine, secrets
        self._runs = itertools.count(1)
        self.restricted = ("staging", "production")
        self.approves = True
        # By what was applied or planned under the same condition, in the order of time.
        self.asked: list[str] = []

    def pull_request(self, request: Request, *, fork: bool = False) -> list[Job]:
        head = {"sha": request.head, "repo": {"full_name": "stranger/phones" if fork else REPOSITORY}}
        event = {"pull_request": {"number": request.number, "head": head}}
        return self._start("plan.yml", "pull_request", event, request.head, {})

    def push(self, commit: str) -> list[Job]:
        return self._start("apply.yml", "push", {}, commit, {})

    def dispatch(self, workflow: str, **inputs: str) -> list[Job]:
        return self._start(workflow, "workflow_dispatch", {}, self._team.newest(), inputs)

    def schedule(self, workflow: str) -> list[Job]:
        return self._start(workflow, "schedule", {}, self._team.newest(), {})

    def again(self, workflow: str, commit: str) -> list[Job]:
        """Somebody presses "Re-run" at an old run."""
        return self._start(workflow, "push", {}, commit, {})

    def _start(self, name: str, trigger: str, event: dict[str, Any], commit: str, inputs: dict[str, str]) -> list[Job]:
        workflow = self._read(name, commit)
        assert trigger in triggers(workflow)
        context = {
            "inputs": inputs,
            "github": {
                "event": {**event, "repository": {"default_branch": "main"}},
                "repository": REPOSITORY,
                "sha": commit,
                "ref": "refs/pull/1/merge" if trigger == "pull_request" else "refs/heads/main",
                "run": next(self._runs),
            },
        }
        jobs: list[Job] = []
        self._workflow(workflow, context, {"contents": "write"}, jobs, "")
        return jobs

    def _read(self, name: str, commit: str) -> dict[Any, Any]:
        text = self._team.git("show", f"{commit}:{WORKFLOWS / name}", folder=self._team.origin)
        document: dict[Any, Any] = yaml.safe_load(text)
        return document

    def _workflow(
        self,
        workflow: Mapping[Any, Any],
        context: Mapping[str, Any],
        permissions: Mapping[str, str],
        jobs: list[Job],
        prefix: str,
    ) -> tuple[str, dict[str, str]]:
        assert workflow["permissions"] == {}, "jobs that name no permissions are to have none"
        needs: dict[str, Any] = {}
        for name, job in workflow["jobs"].items():
            wanted = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            here = {**context, "needs": {need: needs[need] for need in wanted}}
            condition = str(job.get("if", "success"))
            met = all(needs[need]["result"] == "success" for need in wanted) or "cancelled()" in condition
            if not met or not (condition == "success" or Condition(condition, lambda n, c=here: self._value(n, c))):
                needs[name] = {"result": "skipped", "outputs": {}}
                continue
            ends = []
            axes = job.get("strategy", {}).get("matrix", {})
            for values in itertools.product(*axes.values()):
                matrix = dict(zip(axes, values, strict=True))
                label = prefix + " ".join([name, *values])
                one = {**here, "matrix": matrix}
                if "uses" in job:
                    assert job["secrets"] == "inherit", "a called workflow would not get the environment's secrets"
                    called = self._read(Path(job["uses"]).name, context["github"]["sha"])
                    inputs = {key: self._text(value, one) for key, value in job["with"].items()}
                    declared = triggers(called)["workflow_call"]["inputs"]
                    assert set(inputs) == set(declared)
                    ends.append(
                        self._workflow(called, {**one, "inputs": inputs}, job["permissions"], jobs, f"{label} ")
                    )
                else:
                    if prefix:
                        for right, level in job["permissions"].items():
                            allowed = _LEVELS.index(permissions.get(right, "none"))
                            assert _LEVELS.index(level) <= allowed, f"the caller of {label} lacks {right}: {level}"
                    ends.append(self._job(label, job, one, jobs))
            failed = any(result != "success" for result, _outputs in ends)
            needs[name] = {"result": "failure" if failed else "success", "outputs": ends[-1][1]}
        failed = any(end["result"] == "failure" for end in needs.values())
        return ("failure" if failed else "success"), {}

    def _job(
        self, label: str, job: Mapping[str, Any], context: Mapping[str, Any], jobs: list[Job]
    ) -> tuple[str, dict[str, str]]:
        github = context["github"]
        environment = self._text(job.get("environment", ""), context)
        if environment in self.restricted and github["ref"] != "refs/heads/main":
            jobs.append(Job(label, 1, f"{github['ref']} is not allowed to deploy to {environment}"))
            return "failure", {}
        if environment.startswith("approve-"):
            self.asked.append(environment)
            if not self.approves:
                jobs.append(Job(label, 1, "rejected"))
                return "failure", {}
        secrets = dict(self._secrets.get(environment, {}))
        token = self._forge.token(job["permissions"])
        here = {**context, "secrets": secrets, "github": {**github, "token": token}, "steps": {}}
        folder = self._machine.workspace() / "workspace"
        files = {name: folder.parent / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.touch()
        fixed = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self._forge.url,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SHA": github["sha"],
            **{name: str(path) for name, path in files.items()},
            **{name: self._text(value, here) for name, value in job.get("env", {}).items()},
        }
        status, output = 0, ""
        for step in job["steps"]:
            if "if" in step and not Condition(step["if"], lambda name: self._value(name, here)):
                continue
            if "uses" in step:
                options = {key: self._text(value, here) for key, value in step.get("with", {}).items()}
                self._action(step["uses"].partition("@")[0], options, folder, github)
                continue
            if step["run"] == INSTALL:
                continue
            own = {name: self._text(value, here) for name, value in step.get("env", {}).items()}
            if not folder.exists():
                folder.mkdir()
            status, text = self._machine.run(step["run"], folder, {**fixed, **own})
            output += text
            lines = files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
            here["steps"] = {step.get("id", ""): {"outputs": dict(line.split("=", 1) for line in lines)}}
            if status:
                break
        output += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
        jobs.append(Job(label, status, output))
        outputs = {} if status else {key: self._text(value, here) for key, value in job.get("outputs", {}).items()}
        return ("failure" if status else "success"), outputs

    def _action(self, action: str, options: Mapping[str, str], folder: Path, github: Mapping[str, Any]) -> None:
        of_request = github["ref"].startswith("refs/pull/")
        if action == "actions/checkout":
            self._team.check_out(folder, github["sha"], merged_into_main=of_request)
        elif action == "actions/upload-artifact":
            source = folder / options["path"]
            assert any(source.iterdir())
            self._forge.keep(github["run"], github["sha"], options["name"], source, of_request=of_request)
        elif action == "actions/download-artifact":
            [kept] = [k for k in self._forge.kept if (k.run, k.name) == (github["run"], options["name"])]
            for name, content in kept.files.items():
                path = folder / options["path"] / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        else:
            assert action == "actions/setup-python", f"unknown action {action}"

    def _text(self, template: object, context: Mapping[str, Any]) -> str:
        return _EXPRESSION.sub(lambda match: str(self._value(match[1], context)), str(template))

    @staticmethod
    def _value(name: str, context: Mapping[str, Any]) -> Any:
        if name == "cancelled()":
            return False
        value: Any = context
        for part in name.split("."):
            value = value.get(part, "")
            if value == "":
                break
        return value
