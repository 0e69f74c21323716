# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Token authentication: with a given token, or with one that IAM gives for a user name and password."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping

from ansible_collections.koophone.fleet.plugins.module_utils._auth import Credentials, CredentialsError, masked
from ansible_collections.koophone.fleet.plugins.module_utils._pace import backoff
from ansible_collections.koophone.fleet.plugins.module_utils._transport import Answer, Sender, TransportError

_HEADER = "X-Auth-Token"
_TOKENS_PATH = "/v3/auth/tokens"
_SHOWN_OF_MESSAGE = 200


class GivenToken:
    """A token that the user brought; when it has expired, only the user can bring another."""

    def __init__(self, token: str) -> None:
        self._token = token

    def prepare(self) -> None:
        pass

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        return {_HEADER: self._token}

    def expired(self, headers: Mapping[str, str]) -> bool:
        return False

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._token,)


class IamToken:
    """A token scoped to a project, from IAM; kept for the run, and renewed when the service says it has expired."""

    def __init__(
        self, credentials: Credentials, sender: Sender, *, retries: int, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._credentials = credentials
        self._sender = sender
        self._retries = retries
        self._pause = pause
        self._lock = threading.Lock()
        self._token: str | None = None
        self._earlier: tuple[str, ...] = ()

    def prepare(self) -> None:
        self._current()

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        return {_HEADER: self._current()}

    def expired(self, headers: Mapping[str, str]) -> bool:
        with self._lock:
            # Several requests bring the same news; only the first is about the token that is in use.
            if self._token is not None and headers.get(_HEADER) == self._token:
                self._earlier = (*self._earlier, self._token)
                self._token = None
        return True

    @property
    def secrets(self) -> tuple[str, ...]:
        tokens = (*self._earlier, self._token) if self._token else self._earlier
        return (*tokens, self._credentials.password or "")

    def _current(self) -> str:
        # One thread asks; the others wait for what it gets.
        with self._lock:
            if self._token is None:
                self._token = self._new_token()
            return self._token

    def _new_token(self) -> str:
        url = self._credentials.iam_endpoint.rstrip("/") + _TOKENS_PATH
        failure = ""
        for tries in range(self._retries + 1):
            try:
                answer = self._sender.send("POST", url, headers=_HEADERS, body=self._request())
            except TransportError as error:
                failure = f"no answer from {url}: {error}"
            else:
                token = answer.headers.get("X-Subject-Token", "")
                if answer.status == 201 and token:
                    return token
                failure = self._explained(answer, url)
                if answer.status < 500 and answer.status != 429:
                    raise CredentialsError(failure)
            if tries < self._retries:
                self._pause(backoff(tries))
        raise CredentialsError(f"{failure}; given up after {self._retries + 1} tries")

    def _request(self) -> bytes:
        """Password authentication with a scope, as in IAM's reference of `POST /v3/auth/tokens`."""
        given = self._credentials
        user = {"name": given.username, "password": given.password, "domain": {"name": given.domain_name}}
        return json.dumps(
            {
                "auth": {
                    "identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": {"name": given.project_name}},
                }
            }
        ).encode()

    def _explained(self, answer: Answer, url: str) -> str:
        given = self._credentials
        text = f"POST {url}: HTTP {answer.status}"
        message = _message(answer.body)
        if message:
            text += f" ({masked(message, self.secrets)[:_SHOWN_OF_MESSAGE]})"
        if answer.status in (401, 403, 404):
            text += (
                f"; IAM refuses user {given.username} of domain {given.domain_name} for project {given.project_name}:"
                " check username, password, domain_name and project_name"
            )
        elif answer.status < 400:
            text += ": the answer has no token; is iam_endpoint right?"
        return text


_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}


def _message(body: bytes) -> str:
    """IAM's own words, where it has some."""
    try:
        data = json.loads(body)
        error = data.get("error", data)
        return str(error.get("message") or error.get("error_msg") or "")
    except (ValueError, AttributeError, RecursionError):
        return ""
