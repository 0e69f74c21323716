# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of GitLab CI as the example's pipeline needs: it reads `.gitlab-ci.yml` as it is, and runs every script."""

from __future__ import annotations

import copy
import fnmatch
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.gitops.conditions import Condition
from tests.gitops.forge import PROJECT, Forge, Request
from tests.gitops.team import INSTALL, Job, Machine, Team

_KEYWORDS = ("stages", "default", "workflow", "variables", "include")
_VARIABLE = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Scoped:
    """A variable of the project's settings. A protected one is for protected branches only."""

    name: str
    value: str
    scope: str
    protected: bool


def jobs_of(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The jobs with what they extend."""
    jobs: dict[str, dict[str, Any]] = {}
    for name, job in document.items():
        if name not in _KEYWORDS and not name.startswith("."):
            base = copy.deepcopy(document[job["extends"]]) if "extends" in job else {}
            assert "extends" not in base
            jobs[name] = {**base, **job}
    return jobs


class GitLab:
    """Runs pipelines."""

    def __init__(self, team: Team, forge: Forge, machine: Machine, variables: Sequence[Scoped]) -> None:
        self._team, self._forge, self._machine, self._variables = team, forge, machine, variables
        self._pipelines = itertools.count(1)

    def merge_request(self, request: Request, *, fork: bool = False) -> list[Job]:
        predefined = {
            "CI_PIPELINE_SOURCE": "merge_request_event",
            "CI_MERGE_REQUEST_IID": str(request.number),
            "CI_MERGE_REQUEST_PROJECT_ID": PROJECT,
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "99" if fork else PROJECT,
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        }
        return self._pipeline(request.head, predefined, protected=False, press="")

    def push(self, commit: str) -> list[Job]:
        return self._branch("push", commit)

    def schedule(self) -> list[Job]:
        return self._branch("schedule", self._team.newest())

    def web(self, press: str) -> list[Job]:
        """Somebody starts a pipeline of main, and when all else is done, the manual job of that name."""
        return self._branch("web", self._team.newest(), press)

    def _branch(self, source: str, commit: str, press: str = "") -> list[Job]:
        predefined = {"CI_PIPELINE_SOURCE": source, "CI_COMMIT_BRANCH": "main"}
        return self._pipeline(commit, predefined, protected=True, press=press)

    def _pipeline(self, commit: str, predefined: dict[str, str], *, protected: bool, press: str) -> list[Job]:
        text = self._team.git("show", f"{commit}:.gitlab-ci.yml", folder=self._team.origin)
        document = yaml.safe_load(text)
        predefined = {
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_API_V4_URL": self._forge.url,
            "CI_PROJECT_ID": PROJECT,
            "CI_DEFAULT_BRANCH": "main",
            "CI_COMMIT_SHA": commit,
            **predefined,
        }
        if self._rule(document["workflow"]["rules"], predefined) is None:
            return []
        number = next(self._pipelines)
        jobs = jobs_of(document)
        order = sorted(jobs, key=lambda name: document["stages"].index(jobs[name]["stage"]))
        ended: dict[str, Job] = {}
        for name in order:
            job = jobs[name]
            variables = {**predefined, **job.get("variables", {})}
            rule = self._rule(job["rules"], variables)
            if rule is None or (rule.get("when") == "manual" and name != press):
                continue
            if (
                all(need in ended and ended[need].ok for need in job["needs"] if need in jobs)
                if "needs" in job
                else True
            ):
                ended[name] = self._job(name, job, variables, number, protected)
        return list(ended.values())

    @staticmethod
    def _rule(rules: Sequence[Mapping[str, Any]], variables: Mapping[str, str]) -> Mapping[str, Any] | None:
        for rule in rules:
            if Condition(rule["if"], lambda name: variables.get(name.removeprefix("$"), "")):
                return rule
        return None

    def _job(
        self, name: str, job: Mapping[str, Any], variables: Mapping[str, str], pipeline: int, protected: bool
    ) -> Job:
        def expanded(text: str) -> str:
            return _VARIABLE.sub(lambda match: variables.get(match[1], ""), text)

        environment = expanded(job["environment"]["name"])
        secrets = {
            variable.name: variable.value
            for variable in self._variables
            if fnmatch.fnmatchcase(environment, variable.scope) and (protected or not variable.protected)
        }
        of_request = "CI_MERGE_REQUEST_IID" in variables
        folder = self._machine.workspace() / "builds"
        self._team.check_out(folder, variables["CI_COMMIT_SHA"])
        for kept in self._forge.kept:
            if kept.run == pipeline and kept.name in job.get("needs", []):
                for file, content in kept.files.items():
                    path = folder / file
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
        status, output = 0, ""
        for line in job["script"]:
            if line == INSTALL:
                continue
            status, text = self._machine.run(line, folder, {**variables, **secrets})
            output += text
            if status:
                return Job(name, status, output)
        for path in job.get("artifacts", {}).get("paths", []):
            kept_folder = self._machine.workspace()
            target = kept_folder / expanded(path)
            target.parent.mkdir(parents=True)
            (folder / expanded(path)).rename(target)
            self._forge.keep(pipeline, variables["CI_COMMIT_SHA"], name, kept_folder, of_request=of_request)
        return Job(name, status, output)
