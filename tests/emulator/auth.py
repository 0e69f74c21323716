# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may call: tokens, and requests signed with an access key."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from urllib.parse import quote, unquote

from .codes import RefusalError
from .config import Config

ALGORITHM = "SDK-HMAC-SHA256"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
MAX_SKEW = timedelta(minutes=15)
_AUTHORIZATION = re.compile(
    ALGORITHM + r" Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-fA-F]{64})", re.ASCII
)


@dataclass(frozen=True)
class SignedParts:
    """What a signature covers. Header names in lower case; ``query`` decoded."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass
class _Token:
    expires: float | None
    requests_left: int | None
    expired: bool = False


class Tokens:
    """The tokens that are good, and those that were."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self._known: dict[str, _Token] = {}

    def issue(self, config: Config) -> tuple[str, datetime]:
        """A new token and when it expires (UTC)."""
        value = "emulator-issued-" + secrets.token_urlsafe(96)
        self._known[value] = _Token(time.monotonic() + config.token_seconds, config.token_requests)
        self.issued.append(value)
        return value, datetime.now(timezone.utc) + timedelta(seconds=config.token_seconds)

    def use(self, value: str, config: Config) -> None:
        """Spend one request of a token; raises RefusalError where it is unknown or has expired."""
        token = self._find(value, config)
        if token is None:
            raise _rejected("X-Auth-Token")
        if token.expires is not None and time.monotonic() >= token.expires:
            token.expired = True
        if token.requests_left is not None:
            if token.requests_left == 0:
                token.expired = True
            else:
                token.requests_left -= 1
        if token.expired:
            raise RefusalError(HTTPStatus.UNAUTHORIZED, "APIGW.0307")

    def expire(self, value: str | None, config: Config) -> None:
        """Let a token expire now; None lets all do."""
        for name in [value] if value is not None else [*config.static_tokens, *self._known]:
            token = self._find(name, config)
            if token is not None:
                token.expired = True

    def _find(self, value: str, config: Config) -> _Token | None:
        if value in config.static_tokens and value not in self._known:
            self._known[value] = _Token(None, config.static_token_requests)
        elif value not in config.static_tokens and value not in self.issued:
            return None
        return self._known.get(value)


def check_signature(parts: SignedParts, config: Config) -> None:
    """Verify the ``Authorization`` of a signed request; raises RefusalError where anything about it is wrong."""
    match = _AUTHORIZATION.fullmatch(parts.headers.get("authorization", ""))
    if match is None:
        raise _rejected("Authorization")
    access_key, names, signature = match.groups()
    if access_key != config.access_key:
        raise _rejected("access key")
    date = parts.headers.get("x-sdk-date", "")
    _check_date(date)
    if parts.headers.get("x-security-token") != config.security_token:
        raise _rejected("X-Security-Token")
    signed = names.split(";")
    covered = ["host", "x-sdk-date"] + (["x-security-token"] if config.security_token is not None else [])
    if any(name not in signed for name in covered) or any(name not in parts.headers for name in signed):
        raise _rejected("SignedHeaders")
    canonical = hashlib.sha256(_canonical_request(parts, signed).encode()).hexdigest()
    text = f"{ALGORITHM}\n{date}\n{canonical}"
    expected = hmac.new(config.secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature.lower()):
        raise _rejected("signature")


def _canonical_request(parts: SignedParts, signed: list[str]) -> str:
    path = "/".join(_encode(segment) for segment in unquote(parts.path).split("/"))
    return "\n".join(
        (
            parts.method.upper(),
            path if path.endswith("/") else path + "/",
            "&".join(f"{_encode(name)}={_encode(value)}" for name, value in sorted(parts.query)),
            "".join(f"{name}:{parts.headers[name].strip()}\n" for name in signed),
            ";".join(signed),
            # Whatever digest of the body a header may claim, the one that counts is that of what arrived.
            hashlib.sha256(parts.body).hexdigest(),
        )
    )


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")


def _check_date(text: str) -> None:
    try:
        date = datetime.strptime(text, DATE_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise _rejected("X-Sdk-Date") from error
    if abs(datetime.now(timezone.utc) - date) > MAX_SKEW:
        raise _rejected("X-Sdk-Date")


def _rejected(what: str) -> RefusalError:
    return RefusalError(HTTPStatus.UNAUTHORIZED, "APIGW.0301", what)
