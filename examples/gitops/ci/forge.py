"""What the jobs ask of GitHub or GitLab, whichever they run on.

usage: ci/forge.py COMMAND ENVIRONMENT

comment   writes plan/ENVIRONMENT/plan.md under the pull or merge request, in place of what it wrote there before
reviewed  fails unless plan/ENVIRONMENT/digest is the plan that was shown under the request that was merged
newest    fails unless this commit is what the default branch has now
guarded   fails unless the environment approve-ENVIRONMENT asks somebody before a job goes on (GitHub)
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

SECONDS = 30
DIGEST = re.compile(r"[0-9a-f]{64}")


class RefusedError(Exception):
    """The job must not go on; the message says why, and what to do."""


class Forge:
    """The API of the forge, with the token of the job."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url = url
        self._headers = headers

    def bytes(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        # Artifacts are redirected to a storage elsewhere, which is to see no token.
        request = urllib.request.Request(f"{self._url}/{path}", method=method)
        for name, value in self._headers.items():
            request.add_unredirected_header(name, value)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_unredirected_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            raise RefusedError(f"{method} {path}: HTTP {error.code}; has the token of this job the right?") from error
        except urllib.error.URLError as error:
            raise RefusedError(f"{method} {path}: {error.reason}") from error

    def json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return json.loads(self.bytes(method, path, body))

    def pages(self, path: str, most: int = 20) -> list[dict[str, Any]]:
        """All entries of a list; both forges take the same two parameters."""
        found: list[dict[str, Any]] = []
        for page in range(1, most + 1):
            entries = self.json("GET", f"{path}{'&' if '?' in path else '?'}per_page=100&page={page}")
            found += entries
            if len(entries) < 100:
                break
        return found


class GitHub:
    """Pull requests."""

    def __init__(self) -> None:
        headers = {"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}", "X-GitHub-Api-Version": "2022-11-28"}
        self._repository = f"repos/{os.environ['GITHUB_REPOSITORY']}"
        self._api = Forge(os.environ["GITHUB_API_URL"], headers)

    def comment(self, marker: str, text: str) -> None:
        issue = f"{self._repository}/issues/{int(os.environ['PULL_REQUEST'])}/comments"
        for comment in self._api.pages(issue):
            # Anybody may write a comment with the marker.
            if comment["user"]["login"] == "github-actions[bot]" and comment["body"].startswith(marker):
                self._api.json("PATCH", f"{self._repository}/issues/comments/{comment['id']}", {"body": text})
                return
        self._api.json("POST", issue, {"body": text})

    def newest(self) -> tuple[str, str]:
        branch = self._api.json("GET", f"{self._repository}/branches/{_quoted(os.environ['DEFAULT_BRANCH'])}")
        return os.environ["GITHUB_SHA"], branch["commit"]["sha"]

    def reviewed(self, environment: str) -> tuple[str, str]:
        """The request that the commit merged, and the digest that its last plan had."""
        commit, base = os.environ["GITHUB_SHA"], os.environ["DEFAULT_BRANCH"]
        requests = [
            request
            for request in self._api.pages(f"{self._repository}/commits/{commit}/pulls")
            if request["merged_at"] and request["merge_commit_sha"] == commit and request["base"]["ref"] == base
        ]
        if len(requests) != 1:
            raise RefusedError("This commit is not the merge of a pull request, so that nobody has reviewed a plan.")
        name, head = f"pull request {requests[0]['number']}", requests[0]["head"]["sha"]
        # Of the very commit that was merged: that commit has the scripts that made the plan, and they were reviewed.
        runs = f"{self._repository}/actions/workflows/plan.yml/runs"
        query = f"event=pull_request&status=success&head_sha={head}&per_page=100"
        for run in self._api.json("GET", f"{runs}?{query}")["workflow_runs"]:
            artifacts = f"{self._repository}/actions/runs/{run['id']}/artifacts?name=plan-{environment}"
            found = [a for a in self._api.json("GET", artifacts)["artifacts"] if not a["expired"]]
            if found:
                newest = max(found, key=lambda artifact: artifact["created_at"])
                content = self._api.bytes("GET", f"{self._repository}/actions/artifacts/{newest['id']}/zip")
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    return name, archive.read("digest").decode()
        raise RefusedError(f"There is no plan of the last commit of {name}, or it has expired.")

    def anew(self, environment: str) -> str:
        return f'run the workflow "Apply anew" for {environment}.'

    def guarded(self, environment: str) -> None:
        # GitHub makes an environment that is not there, and then it protects nothing.
        name = f"approve-{environment}"
        rules = self._api.json("GET", f"{self._repository}/environments/{name}").get("protection_rules", [])
        if not any(rule["type"] == "required_reviewers" for rule in rules):
            raise RefusedError(f"The environment {name} has no required reviewers: nobody would be asked.")


class GitLab:
    """Merge requests."""

    def __init__(self) -> None:
        self._project = f"projects/{os.environ['CI_PROJECT_ID']}"

    @property
    def _api(self) -> Forge:
        return Forge(os.environ["CI_API_V4_URL"], {"PRIVATE-TOKEN": os.environ["FORGE_TOKEN"]})

    def comment(self, marker: str, text: str) -> None:
        notes = f"{self._project}/merge_requests/{int(os.environ['CI_MERGE_REQUEST_IID'])}/notes"
        myself = self._api.json("GET", "user")["id"]
        for note in self._api.pages(notes):
            if note["author"]["id"] == myself and note["body"].startswith(marker):
                self._api.json("PUT", f"{notes}/{note['id']}", {"body": text})
                return
        self._api.json("POST", notes, {"body": text})

    def newest(self) -> tuple[str, str]:
        # The job's own clone may ask this; so a job that applies needs no token for the API.
        branch = f"refs/heads/{os.environ['CI_DEFAULT_BRANCH']}"
        command = ["git", "ls-remote", "--exit-code", "origin", branch]
        listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return os.environ["CI_COMMIT_SHA"], listed.split()[0]

    def reviewed(self, environment: str) -> tuple[str, str]:
        """The request that the commit merged, and the digest that its last plan had."""
        commit, base = os.environ["CI_COMMIT_SHA"], os.environ["CI_DEFAULT_BRANCH"]
        requests = [
            request
            for request in self._api.pages(f"{self._project}/repository/commits/{commit}/merge_requests")
            if request["state"] == "merged"
            and request["target_branch"] == base
            # Merge commit, squash and fast-forward.
            and commit in (request["merge_commit_sha"], request["squash_commit_sha"], request["sha"])
        ]
        if len(requests) != 1:
            raise RefusedError("This commit is not the merge of a merge request, so that nobody has reviewed a plan.")
        name = f"merge request {requests[0]['iid']}"
        # The list has no pipelines.
        pipeline = self._api.json("GET", f"{self._project}/merge_requests/{requests[0]['iid']}")["head_pipeline"]
        if pipeline:
            for job in self._api.pages(f"{self._project}/pipelines/{pipeline['id']}/jobs?scope[]=success"):
                if job["name"] == f"plan {environment}":
                    file = f"{self._project}/jobs/{job['id']}/artifacts/plan/{environment}/digest"
                    return name, self._api.bytes("GET", file).decode()
        raise RefusedError(f"There is no plan of the last commit of {name}, or it has expired.")

    def anew(self, environment: str) -> str:
        return f'start a pipeline of the default branch, and in it the job "apply anew {environment}".'

    def guarded(self, environment: str) -> None:
        raise RefusedError(f"GitLab asks by itself: protect the environment {environment}-anew in its settings.")


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _comment(forge: GitHub | GitLab, environment: str) -> None:
    marker = f"<!-- video settings: {environment} -->"
    text = (Path("plan") / environment / "plan.md").read_text(encoding="utf-8")
    forge.comment(marker, f"{marker}\n{text}")


def _reviewed(forge: GitHub | GitLab, environment: str) -> None:
    plan = json.loads((Path("plan") / environment / "plan.json").read_text(encoding="utf-8"))
    if not plan["summary"]["changed"]:
        _say(f"Nothing would change in {environment}, so there is nothing to approve.")
        return
    anew = f"To go on, look at the plan of {environment} as it is now and have it approved: {forge.anew(environment)}"
    try:
        name, reviewed = forge.reviewed(environment)
    except RefusedError as error:
        raise RefusedError(f"{error} {anew}") from error
    reviewed = reviewed.strip()
    if not DIGEST.fullmatch(reviewed) or reviewed != plan["digest"]:
        raise RefusedError(
            f"The plan of {environment} is now {plan['digest']}, but {name} showed {reviewed[:80]!r}: since then the"
            f" inventory or what was last applied has changed. Nothing was applied. {anew}"
        )
    _say(f"{name} showed the plan of {environment} as it is now.")


def _newest(forge: GitHub | GitLab) -> None:
    commit, newest = forge.newest()
    if commit != newest:
        raise RefusedError(
            f"The default branch has moved on from {commit} to {newest}. Only the newest is applied, so nothing was."
        )


def main() -> None:
    command, environment = sys.argv[1:]
    forge = GitLab() if os.environ.get("GITLAB_CI") else GitHub()
    if command == "comment":
        _comment(forge, environment)
    elif command == "reviewed":
        _reviewed(forge, environment)
    elif command == "newest":
        _newest(forge)
    elif command == "guarded":
        forge.guarded(environment)
    else:
        raise RefusedError(f"unknown command: {command}")


if __name__ == "__main__":
    try:
        main()
    except RefusedError as refused:
        sys.exit(str(refused))
