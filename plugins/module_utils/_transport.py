# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""One HTTP request, as its users see it; `_http` does the work."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from ansible_collections.koophone.fleet.plugins.module_utils._http import Http

# Asked for, not imported: most runs find everything as desired, and never need it.
REQUESTS_IMPORT_ERROR: str | None = None if find_spec("requests") else "No module named 'requests'"

# An answer of this API has some dozens of bytes, a page of its list some dozens of kilobytes.
MAX_BODY = 8 * 1024 * 1024


class Answer(NamedTuple):
    """What came back: status, headers, and the body, cut off after `MAX_BODY` bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TransportError(Exception):
    """No answer came. `sent` tells whether the service may have seen the request; the text tells why."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class Sender(Protocol):
    """Sends one HTTP request, or raises `TransportError`: the transport as its users see it."""

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send one request. Raises `TransportError` when no answer came."""

    def prepare(self) -> None:
        """Get ready what sending needs, so that whatever is wrong with it is found out before something is begun."""


class Transport:
    """Sends requests over kept connections. Safe for use by up to `connections` threads at once."""

    def __init__(self, *, timeout: float, connections: int, verify: bool | str) -> None:
        """`timeout` bounds one request as a whole, in seconds; `verify` is as in `requests`."""
        self._timeout = timeout
        self._connections = connections
        self._verify = verify
        self._lock = threading.Lock()
        self._http: Http | None = None

    def prepare(self) -> None:
        self._ready()

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send one request, never followed to another address. Raises `TransportError` when no answer came."""
        return self._ready().send(method, url, headers=headers, body=body)

    def close(self) -> None:
        if self._http is not None:
            self._http.close()

    def _ready(self) -> Http:
        with self._lock:
            if self._http is None:
                from ansible_collections.koophone.fleet.plugins.module_utils._http import Http

                self._http = Http(timeout=self._timeout, connections=self._connections, verify=self._verify)
            return self._http
