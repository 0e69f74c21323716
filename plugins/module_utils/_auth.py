# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Credentials: how a request proves whose it is."""

from __future__ import annotations

from typing import Protocol


class CredentialsError(Exception):
    """The credentials are missing, contradict each other, or were refused."""


class Authenticator(Protocol):
    """Adds what proves the sender's identity to each request."""

    def headers(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """The headers to add to this request. Raises `CredentialsError`."""
        ...

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown, in case a server echoes it."""
        ...


class TokenAuthenticator:
    """Token authentication with a given token (https://support.huaweicloud.com/api-koophone/, Authentication)."""

    def __init__(self, token: str) -> None:
        # A line break at the end is what a token read from a file most often has.
        self._token = token.strip()
        if not self._token.isascii() or not self._token.isprintable():
            raise CredentialsError("auth_token has characters that no token has; was it copied whole?")

    def headers(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        return {"X-Auth-Token": self._token}

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._token,)


def authenticator_of(*, auth_token: str | None) -> Authenticator:
    """The authenticator for the credentials given. Raises `CredentialsError` when there are none."""
    if auth_token and auth_token.strip():
        return TokenAuthenticator(auth_token)
    raise CredentialsError("no credentials: give auth_token, or set KOOPHONE_AUTH_TOKEN where the module runs")
