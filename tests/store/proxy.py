# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection in between that breaks on purpose: just before a COMMIT gets through, or just after it was done."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Where = Literal["before", "after"]


class Proxy:
    """Forwards to a PostgreSQL server, and breaks a connection at its next COMMIT when told to."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._break: Where | None = None
        self.breaks = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        port = self._listener.getsockname()[1]
        credentials = self._parts.netloc.rpartition("@")[0]
        netloc = f"{credentials}@127.0.0.1:{port}"
        return urlunsplit((self._parts.scheme, netloc, self._parts.path, "sslmode=disable&gssencmode=disable", ""))

    def break_at_commit(self, where: Where) -> None:
        """Break the connection that commits next: so that the server has not seen it, or that nobody hears of it."""
        self._break = where

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for item in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()
        self._accepting.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((self._parts.hostname, self._parts.port or 5432))
            self._open += [client, server]
            connection = _Connection(self, client, server)
            threading.Thread(target=connection.forth, daemon=True).start()
            threading.Thread(target=connection.back, daemon=True).start()

    def breaks_now(self, data: bytes) -> Where | None:
        if self._break is None or b"COMMIT" not in data:
            return None
        where, self._break = self._break, None
        self.breaks += 1
        return where


class _Connection:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._deaf = False

    def forth(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(65536):
                where = self._proxy.breaks_now(data)
                if where == "before":
                    break
                # The answer of the server is what tells that it has done it; it is heard here, and no further.
                self._deaf = where == "after"
                self._server.sendall(data)
        if not self._deaf:
            self._end()

    def back(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(65536):
                if self._deaf:
                    break
                self._client.sendall(data)
        self._end()

    def _end(self) -> None:
        for item in (self._client, self._server):
            with contextlib.suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
