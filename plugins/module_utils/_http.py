# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""HTTP with `requests`: TLS, proxies, and a bound on the time of a request as a whole.

Imported only by who really sends something: `requests` takes longer to import than most runs take to find out that
nothing is to be changed.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

try:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.exceptions import HTTPError, LocationParseError
except ImportError as error:  # pragma: no cover - there is no `requests`, or it is broken
    IMPORT_ERROR: ImportError | None = error
    if not TYPE_CHECKING:
        HTTPAdapter = HTTPConnection = HTTPSConnection = HTTPConnectionPool = HTTPSConnectionPool = HTTPError = object
else:
    IMPORT_ERROR = None

from ansible_collections.koophone.fleet.plugins.module_utils._transport import MAX_BODY, Answer, TransportError


class Http:
    """See `_transport.Transport`."""

    def __init__(self, *, timeout: float, connections: int, verify: bool | str) -> None:
        if IMPORT_ERROR is not None:
            raise IMPORT_ERROR
        self._timeout = timeout
        self._verify = verify
        self._session = requests.Session()
        # Otherwise `requests` would take an Authorization header from ~/.netrc, and go through the whole environment
        # for each request, in a sixth of its time.
        self._session.trust_env = False
        self._environment: dict[tuple[str, str], dict[str, Any]] = {}
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _BoundAdapter(pool_connections=2, pool_maxsize=connections)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send one request, never followed to another address. Raises `TransportError` when no answer came."""
        # urllib3's own time-outs count from one byte to the next, so that a server which drips could hold a
        # request for ever: the watch closes its connection when the time is up.
        with _Watch(self._timeout) as watch:
            try:
                with self._session.request(
                    method,
                    url,
                    headers=dict(headers),
                    data=body,
                    timeout=self._timeout,
                    allow_redirects=False,
                    **self._environment_for(url),
                ) as response:
                    content = response.raw.read(MAX_BODY, decode_content=True)
                    answer = Answer(response.status_code, response.headers, content)
            except (requests.RequestException, OSError, HTTPError, TypeError, ValueError) as error:
                # The latter two come of a proxy's address that `requests` cannot take apart.
                if watch.expired or any(isinstance(cause, TimeoutError) for cause in _chain(error)):
                    raise TransportError(
                        f"no complete answer within {self._timeout:g} seconds", sent=watch.sent
                    ) from error
                raise TransportError(_reason(error), sent=watch.sent) from error
        if watch.expired:
            # A connection closed from this side can look like the regular end of a body without a length.
            raise TransportError(f"no complete answer within {self._timeout:g} seconds", sent=True)
        return answer

    def close(self) -> None:
        self._session.close()

    def _environment_for(self, url: str) -> dict[str, Any]:
        """What the environment says of requests to this host: proxies, and authorities where none are given."""
        scheme, host, *_rest = urlsplit(url)
        if (scheme, host) not in self._environment:
            found = requests.Session().merge_environment_settings(url, {}, True, self._verify, None)
            self._environment[scheme, host] = dict(found)
        return self._environment[scheme, host]


class _Watch:
    """The time limit of the request that this thread is sending, and whether any of it may have gone out."""

    _of_thread = threading.local()

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self.sent = False
        self._connection: Any = None
        self._sock: Any = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> _Watch:
        _Watch._of_thread.current = self
        self._timer.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._timer.cancel()
        _Watch._of_thread.current = None

    @classmethod
    def current(cls) -> _Watch | None:
        return getattr(cls._of_thread, "current", None)

    def attach(self, connection: Any) -> None:
        """Watch this connection from now on: it was just opened, or is about to carry the request."""
        self._connection = connection
        # Kept as well: the connection forgets its socket as soon as the server says that it will close it.
        self._sock = getattr(connection, "sock", None)
        if self.expired:
            self._close()

    def _expire(self) -> None:
        self.expired = True
        self._close()

    def _close(self) -> None:
        sock = getattr(self._connection, "sock", None) or self._sock
        if sock is not None:
            # The plain socket's method: that of a TLS socket takes state away from under the thread that reads.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _BoundMixin:
    """A connection that tells the watch of its thread when it opens and when the request goes out."""

    def connect(self) -> None:
        watch = _Watch.current()
        if watch is not None:
            watch.attach(self)
        super().connect()  # type: ignore[misc]
        if watch is not None:
            watch.attach(self)

    def request(self, *args: Any, **kwargs: Any) -> Any:
        watch = _Watch.current()
        if watch is not None:
            watch.attach(self)
            if getattr(self, "sock", None) is None:
                # Opened here, not by the first write, so that a failure to connect is known to have sent nothing.
                self.connect()
            if watch.expired:
                raise TimeoutError("the time was up before the request could be sent")
            watch.sent = True
        return super().request(*args, **kwargs)  # type: ignore[misc]


class _BoundHTTPConnection(_BoundMixin, HTTPConnection):
    pass


class _BoundHTTPSConnection(_BoundMixin, HTTPSConnection):
    pass


class _BoundHTTPConnectionPool(HTTPConnectionPool):
    ConnectionCls = _BoundHTTPConnection


class _BoundHTTPSConnectionPool(HTTPSConnectionPool):
    ConnectionCls = _BoundHTTPSConnection


class _BoundAdapter(HTTPAdapter):
    """An adapter, direct and through proxies, whose connections are watched."""

    _POOLS: ClassVar[dict[str, Any]] = {"http": _BoundHTTPConnectionPool, "https": _BoundHTTPSConnectionPool}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._POOLS
        return manager


def _reason(error: BaseException) -> str:
    """The innermost cause in words: the outer layers only repeat the address."""
    *_outer, innermost = _chain(error)
    text = getattr(innermost, "strerror", None) or str(innermost) or type(innermost).__name__
    if isinstance(innermost, requests.exceptions.InvalidProxyURL | LocationParseError):
        # Its text repeats the address of the proxy, which may hold a password. (Endpoints are checked beforehand.)
        text = "the address of the proxy is not valid; see the environment variables http_proxy and https_proxy"
    elif isinstance(innermost, ssl.SSLCertVerificationError):
        text += "; if an authority of your own has signed it, give its certificate as ca_path"
    return text.strip()


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        inner = getattr(current, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in current.args if isinstance(arg, BaseException)), None)
        current = inner or current.__cause__ or current.__context__
