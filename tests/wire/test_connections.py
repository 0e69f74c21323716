# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._errors import Fate, Kind, KooPhoneError
from tests.emulator.handle import Emulator
from tests.wire.running import PATH, Api

TOKEN = "emulator-token"


@contextlib.contextmanager
def listening(answer: bytes | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A server that gives every connection this answer, or lets it wait; its port, and what was sent to it."""
    received: list[bytes] = []
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = server.accept()
                    held.append(connection)
                    if answer is not None:
                        received.append(connection.recv(65536))
                        connection.sendall(answer)
                        connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], received
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else can take."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def failure(url: str, timeout: float = 10.0) -> KooPhoneError:
    with Api(url, TOKEN, timeout=timeout) as api:
        return api.fail()


def assert_nothing_sent(error: KooPhoneError) -> None:
    assert (error.kind, error.fate, error.meaning) == (Kind.UNREACHABLE, Fate.NOT_PROCESSED, "no connection")
    assert error.http_status is None
    assert error.error_msg
    assert TOKEN not in str(error)


def test_refused_connection_is_known_not_to_have_been_sent(closed_port: int) -> None:
    error = failure(f"http://127.0.0.1:{closed_port}")
    assert_nothing_sent(error)
    assert error.error_msg == "Connection refused"


def test_unknown_host_is_known_not_to_have_been_sent() -> None:
    assert_nothing_sent(failure("http://koophone.invalid"))


def test_server_that_never_shakes_hands_is_given_up_and_nothing_was_sent() -> None:
    with listening() as (port, _received):
        error = failure(f"https://127.0.0.1:{port}", timeout=0.5)
    assert_nothing_sent(error)
    assert "0.5 seconds" in error.error_msg


def test_server_that_hangs_up_in_the_handshake_got_nothing() -> None:
    with listening(b"") as (port, _received):
        assert_nothing_sent(failure(f"https://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\x01\x02\x03",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
    ids=lambda answer: repr(answer[:50]),
)
def test_answer_that_is_not_http_leaves_the_request_in_doubt(answer: bytes) -> None:
    with listening(answer) as (port, received):
        error = failure(f"http://127.0.0.1:{port}")
    assert received[0].startswith(b"PUT ")
    assert error.fate is Fate.IN_DOUBT
    assert len(str(error)) < 1000


# --- proxies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_proxy_of_the_environment_is_used(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    if variable == "HTTP_PROXY":
        # By its upper-case name a CGI script could be tricked; requests takes it outside of one.
        monkeypatch.delenv("REQUEST_METHOD", raising=False)
    monkeypatch.setenv(variable, emulator.url)
    with Api("http://koophone.test", emulator.token) as api:
        request_id = api.put()
    (request,) = emulator.requests()
    assert (request["request_id"], request["host"], request["path"]) == (request_id, "koophone.test", PATH)


def test_no_proxy_of_the_environment_is_honoured(
    emulator: Emulator, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Api(emulator.url, emulator.token) as api:
        api.put()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_is_not_there_got_nothing(closed_port: int, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("all_proxy", f"http://somebody:secret@127.0.0.1:{closed_port}")
    error = failure(f"{scheme}://koophone.test")
    assert_nothing_sent(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("status", [b"403 Forbidden", b"407 Proxy Authentication Required", b"502 Bad Gateway"])
def test_proxy_that_refuses_the_tunnel_never_sees_the_token(monkeypatch: pytest.MonkeyPatch, status: bytes) -> None:
    with listening(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n") as (port, received):
        monkeypatch.setenv("https_proxy", f"http://somebody:secret@127.0.0.1:{port}")
        error = failure("https://koophone.test")
    assert_nothing_sent(error)
    assert status.split()[0].decode() in error.error_msg
    assert "secret" not in str(error)
    assert received[0].startswith(b"CONNECT koophone.test:443 ")
    assert TOKEN.encode() not in b"".join(received)


def test_proxy_that_never_answers_is_given_up_and_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as (port, _received):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        error = failure("https://koophone.test", timeout=0.5)
    assert_nothing_sent(error)
    assert "0.5 seconds" in error.error_msg


@pytest.mark.parametrize(
    "proxy",
    [
        "http://somebody:secret@",
        "http://somebody:secret@:3128",
        "http:///somebody:secret",
        "http:somebody:secret@127.0.0.1:3128",
        "http://somebody:secret@[::1",
        "http://somebody:secret@host:port",
        "somebody:secret@host:port",
        "socks5://somebody:secret@127.0.0.1:1",
        "nonsense://somebody:secret@127.0.0.1:1",
    ],
)
def test_bad_address_of_a_proxy_is_an_error_in_words_that_hides_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    error = failure("http://koophone.test")
    assert_nothing_sent(error)
    assert "secret" not in str(error)
