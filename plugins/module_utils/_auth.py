# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Credentials: which kind was given, and what proves whose a request is.

Kinds and headers are those of the API reference (https://support.huaweicloud.com/api-koophone/, Authentication).
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from ansible_collections.koophone.fleet.plugins.module_utils._address import split_address

DEFAULT_IAM_ENDPOINT = "https://iam.myhuaweicloud.com"


class CredentialsError(Exception):
    """The credentials are missing, or were refused."""


class Authenticator(Protocol):
    """Adds what proves the sender's identity to each request. Safe for use by several threads."""

    def prepare(self) -> None:
        """Get what the next request needs and is not there yet, such as a token. Raises `CredentialsError`."""

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """The headers to add to this request."""

    def expired(self, headers: Mapping[str, str]) -> bool:
        """Told that the token sent in these headers has expired; returns whether `prepare` can get a new one."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown, in case a server echoes it."""


@dataclass(frozen=True)
class Credentials:
    """The credentials given; None where something was not."""

    auth_token: str | None = None
    username: str | None = None
    password: str | None = None
    domain_name: str | None = None
    project_name: str | None = None
    iam_endpoint: str = DEFAULT_IAM_ENDPOINT
    access_key: str | None = None
    secret_key: str | None = None
    security_token: str | None = None


_LOGIN = ("username", "password", "domain_name", "project_name")
_KEYS = ("access_key", "secret_key")


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, also where a server wrote them in the manner of JSON, HTML or a URL."""
    for secret in secrets:
        in_json = [json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)]
        slashed = [spelling.replace("/", "\\/") for spelling in in_json]
        spellings = {secret, secret.strip(), *in_json, *slashed, html.escape(secret), quote(secret), quote(secret, "")}
        for spelling in sorted(filter(None, spellings), key=len, reverse=True):
            text = text.replace(spelling, "********")
    return text


def parse_credentials(params: Mapping[str, Any], mistakes: list[str]) -> Credentials:
    """Read the credentials; '' counts as not given. What is incomplete is a mistake, unless it is not needed.

    A token is enough; else what belongs to a user name, else a pair of keys; else the vendor's provider chain is asked.
    """
    given = {name: params.get(name) or None for name in (*_LOGIN, *_KEYS, "auth_token", "security_token")}
    iam_endpoint: str = params.get("iam_endpoint") or DEFAULT_IAM_ENDPOINT
    if given["auth_token"] is not None:
        _strip(given, ("auth_token",), mistakes)
    elif any(given[name] for name in ("username", "password", "domain_name")):
        _require(given, _LOGIN, mistakes)
        _check_iam_endpoint(iam_endpoint, mistakes)
    elif any(given[name] for name in (*_KEYS, "security_token")):
        _require(given, _KEYS, mistakes)
        _strip(given, (*_KEYS, "security_token"), mistakes)
    return Credentials(**given, iam_endpoint=iam_endpoint)


def _strip(given: dict[str, str | None], names: tuple[str, ...], mistakes: list[str]) -> None:
    for name in names:
        # A line break at the end is what a token or key read from a file most often has.
        value = given[name] = (given[name] or "").strip() or None
        if value is not None and (not value.isascii() or not value.isprintable() or " " in value):
            mistakes.append(f"{name}: it has characters that none has; was it copied whole?")


def _check_iam_endpoint(iam_endpoint: str, mistakes: list[str]) -> None:
    parts = split_address(iam_endpoint)
    if parts is None:
        # Never shown: it may hold a password all the same.
        mistakes.append("iam_endpoint: it is not of the form https://host")
    elif parts.username or parts.password:
        mistakes.append("iam_endpoint: it must not hold a user name or password; see username")


def _require(given: Mapping[str, str | None], names: tuple[str, ...], mistakes: list[str]) -> None:
    some = " and ".join(name for name in names if given[name]) or "security_token"
    mistakes.extend(
        f"{name}: is missing; {some} alone cannot authenticate (or KOOPHONE_{name.upper()})"
        for name in names
        if not given[name]
    )
