# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the APIs of GitHub and GitLab: as much of them as the example asks for, and no right too many.

A job's token says which permissions the job has, so that a call which they don't cover is refused as the forge would.
"""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

REPOSITORY, PROJECT = "team/phones", "42"
BOT = "github-actions[bot]"
_PAGE = 100


@dataclass
class Request:
    """A pull or merge request, with the comments under it."""

    number: int
    head: str
    merged: str | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Kept:
    """Files that a job of a run or pipeline left behind, by the artifact's name (GitHub) or the job's (GitLab)."""

    number: int
    run: int
    head: str
    name: str
    files: Mapping[str, bytes]
    of_request: bool
    expired: bool = False


class Forge:
    """The server, for the duration of a `with` block, and what it knows."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.kept: list[Kept] = []
        self.reviewers: dict[str, list[str]] = {}
        self.newest: Callable[[], str] = lambda: ""
        self.tokens: dict[str, Mapping[str, str]] = {}
        self.leaks: list[str] = []
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                status, document, headers = forge.answer(self.command, self.path, dict(self.headers), body)
                content = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_PUT = _answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Forge:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def open(self, head: str) -> Request:
        request = Request(len(self.requests) + 1, head)
        self.requests.append(request)
        return request

    def token(self, permissions: Mapping[str, str]) -> str:
        """A token that may do what a job's `permissions` say; on GitLab, scope and role of a project access token."""
        token = f"token-{len(self.tokens)}-of-the-forge"
        self.tokens[token] = permissions
        return token

    def keep(self, run: int, head: str, name: str, folder: Path, *, of_request: bool) -> None:
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.kept.append(Kept(len(self.kept) + 1, run, head, name, files, of_request))

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: Any
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Status, document and header of the answer."""
        address = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path.startswith("/storage/"):
            self.leaks += [name for name in headers if name.lower() in ("authorization", "private-token")]
            return 200, self._archive(int(address.path.rpartition("/")[2])), {}
        token = headers.get("Authorization", "").removeprefix("Bearer ") or headers.get("Private-Token", "")
        permissions = self.tokens.get(token)
        if permissions is None:
            return 401, {"message": "Bad credentials"}, {}
        for pattern, methods, permission, answer in self._routes():
            if (found := re.fullmatch(pattern, unquote(address.path))) and method in methods:
                name, _colon, level = permission.partition(": ")
                if permissions.get(name) not in ((level, "write") if level == "read" else (level,)):
                    return 403, {"message": f"needs {permission}"}, {}
                status, document = answer(method, found.groups(), query, body)
                if status == 302:
                    return status, {}, {"Location": document}
                if isinstance(document, list):
                    page = int(query.get("page", 1))
                    document = document[(page - 1) * _PAGE : page * _PAGE]
                return status, document, {}
        return 404, {"message": "Not Found"}, {}

    def _routes(self) -> list[tuple[str, tuple[str, ...], str, Callable[..., tuple[int, Any]]]]:
        github, gitlab = f"/repos/{REPOSITORY}", f"/projects/{PROJECT}"
        return [
            (f"{github}/issues/(\\d+)/comments", ("GET", "POST"), "pull-requests: write", self._comments),
            (f"{github}/issues/comments/(\\d+)", ("PATCH",), "pull-requests: write", self._comment),
            (f"{github}/branches/(.+)", ("GET",), "contents: read", self._branch),
            (f"{github}/commits/(\\w+)/pulls", ("GET",), "pull-requests: read", self._pulls),
            (f"{github}/actions/workflows/(.+)/runs", ("GET",), "actions: read", self._runs),
            (f"{github}/actions/runs/(\\d+)/artifacts", ("GET",), "actions: read", self._artifacts),
            (f"{github}/actions/artifacts/(\\d+)/zip", ("GET",), "actions: read", self._zip),
            (f"{github}/environments/(.+)", ("GET",), "actions: read", self._environment),
            ("/user", ("GET",), "api: write", lambda *_call: (200, {"id": 1})),
            (f"{gitlab}/merge_requests/(\\d+)/notes", ("GET", "POST"), "api: write", self._comments),
            (f"{gitlab}/merge_requests/\\d+/notes/(\\d+)", ("PUT",), "api: write", self._comment),
            (f"{gitlab}/repository/commits/(\\w+)/merge_requests", ("GET",), "api: write", self._merge_requests),
            (f"{gitlab}/merge_requests/(\\d+)", ("GET",), "api: write", self._merge_request),
            (f"{gitlab}/pipelines/(\\d+)/jobs", ("GET",), "api: write", self._jobs),
            (f"{gitlab}/jobs/(\\d+)/artifacts/(.+)", ("GET",), "api: write", self._file),
        ]

    def _comments(self, method: str, groups: tuple[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        comments = self.requests[int(groups[0]) - 1].comments
        if method == "GET":
            return 200, comments
        number = 1000 * int(groups[0]) + len(comments)
        comments.append({"id": number, "user": {"login": BOT}, "author": {"id": 1}, "body": body["body"]})
        return 201, comments[-1]

    def _comment(self, method: str, groups: tuple[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        [comment] = [c for request in self.requests for c in request.comments if c["id"] == int(groups[0])]
        comment["body"] = body["body"]
        return 200, comment

    def _branch(self, method: str, groups: tuple[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        return 200, {"name": groups[0], "commit": {"sha": self.newest()}}

    def _pulls(self, method: str, groups: tuple[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        # A commit is in the list of every request that contains it, merged or not.
        return 200, [
            {
                "number": request.number,
                "merged_at": "2026-01-01T00:00:00Z" if request.merged else None,
                "merge_commit_sha": request.merged,
                "base": {"ref": "main"},
                "head": {"sha": request.head},
            }
            for request in self.requests
            if groups[0] in (request.merged, request.head)
        ]

    def _runs(self, method: str, groups: tuple[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        assert groups[0] == "plan.yml"
        assert (query["event"], query["status"]) == ("pull_request", "success")
        runs = {kept.run for kept in self.kept if kept.head == query["head_sha"] and kept.of_request}
        return 200, {"workflow_runs": [{"id": run} for run in sorted(runs, reverse=True)]}

    def _artifacts(self, method: str, groups: tuple[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        found = [kept for kept in self.kept if kept.run == int(groups[0]) and kept.name == query["name"]]
        return 200, {
            "artifacts": [
                {"id": kept.number, "name": kept.name, "expired": kept.expired, "created_at": f"{kept.number:010}"}
                for kept in found
            ]
        }

    def _zip(self, method: str, groups: tuple[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        return 302, f"{self.url}/storage/{groups[0]}"

    def _archive(self, number: int) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for name, text in self.kept[number - 1].files.items():
                archive.writestr(name, text)
        return content.getvalue()

    def _environment(self, method: str, groups: tuple[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        rules = [{"type": "required_reviewers", "reviewers": self.reviewers[groups[0]]}]
        return 200, {"name": groups[0], "protection_rules": rules if self.reviewers[groups[0]] else []}

    def _merge_requests(self, method: str, groups: tuple[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        return 200, [
            {
                "iid": request.number,
                "state": "merged" if request.merged else "opened",
                "target_branch": "main",
                "sha": request.head,
                "merge_commit_sha": request.merged,
                "squash_commit_sha": None,
            }
            for request in self.requests
            if groups[0] in (request.merged, request.head)
        ]

    def _merge_request(self, method: str, groups: tuple[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        head = self.requests[int(groups[0]) - 1].head
        pipelines = [kept.run for kept in self.kept if kept.head == head and kept.of_request]
        return 200, {"iid": int(groups[0]), "head_pipeline": {"id": max(pipelines)} if pipelines else None}

    def _jobs(self, method: str, groups: tuple[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        found = [kept for kept in self.kept if kept.run == int(groups[0]) and not kept.expired]
        return 200, [{"id": kept.number, "name": kept.name} for kept in reversed(found)]

    def _file(self, method: str, groups: tuple[str, str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        return 200, self.kept[int(groups[0]) - 1].files[groups[1]]
