# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._errors import Fate, Kind, KooPhoneError
from tests.emulator.handle import Emulator
from tests.wire.certificates import Authority, Server
from tests.wire.running import Api, was_abandoned


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "company")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def secure_server(authority: Authority) -> Iterator[Emulator]:
    server = authority.server("server")
    with Emulator(["--tls-cert", str(server.certificate), "--tls-key", str(server.key)]) as emulator:
        yield emulator


def failed_handshake(server: Server, authority: Authority) -> str:
    """Why the client does not talk to a server with such a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server.certificate, server.key)

    def shake_hands() -> bytes:
        with contextlib.suppress(OSError):
            connection, _address = listener.accept()
            with connection, context.wrap_socket(connection, server_side=True) as secured:
                return secured.recv(65536)
        return b""

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        received = pool.submit(shake_hands)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with Api(url, "emulator-token", timeout=10.0, verify=str(authority.path)) as api:
            error = api.fail()
        assert received.result() == b""
    assert (error.kind, error.fate) == (Kind.UNREACHABLE, Fate.NOT_PROCESSED)
    return error.error_msg


@pytest.fixture
def secure(secure_server: Emulator) -> Emulator:
    secure_server.reset()
    secure_server.add(["a", "b"], region="cn-north-4")
    return secure_server


def refusal(emulator: Emulator, verify: bool | str) -> KooPhoneError:
    """The error of a request that must not be sent."""
    with Api(emulator.url, emulator.token, timeout=10.0, verify=verify) as api:
        error = api.fail()
    assert (error.kind, error.fate) == (Kind.UNREACHABLE, Fate.NOT_PROCESSED)
    assert emulator.count() == 0
    return error


def test_server_of_a_private_authority_is_verified_with_ca_path(secure: Emulator, authority: Authority) -> None:
    with Api(secure.url, secure.token, verify=str(authority.path)) as api:
        api.put()
        api.put()
    assert len({request["peer"] for request in secure.requests()}) == 1


def test_server_of_an_unknown_authority_never_sees_the_token(secure: Emulator) -> None:
    assert "certificate verify failed" in refusal(secure, True).error_msg.lower()


def test_other_authority_than_the_servers_is_not_enough(secure: Emulator, stranger: Authority) -> None:
    assert "certificate verify failed" in refusal(secure, str(stranger.path)).error_msg.lower()


def test_any_server_is_accepted_without_verification(secure: Emulator) -> None:
    with Api(secure.url, secure.token, verify=False) as api, pytest.warns(match="certificate verification"):
        api.put()
    assert secure.count() == 1


def test_ca_path_wins_over_the_environment(
    secure: Emulator, authority: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stranger.path))
    with Api(secure.url, secure.token, verify=str(authority.path)) as api:
        api.put()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
    secure.reset()
    refusal(secure, str(stranger.path))


def test_no_verification_wins_over_the_environment(
    secure: Emulator, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stranger.path))
    with Api(secure.url, secure.token, verify=False) as api, pytest.warns(match="certificate verification"):
        api.put()


def test_authorities_of_the_environment_are_trusted_where_none_are_given(
    secure: Emulator, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
    with Api(secure.url, secure.token) as api:
        api.put()


def test_ca_path_that_holds_no_certificate_is_an_error_in_words(secure: Emulator, tmp_path: Path) -> None:
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("no certificate at all\n")
    assert refusal(secure, str(nonsense)).error_msg


def test_certificate_for_another_address_is_refused(authority: Authority) -> None:
    assert "127.0.0.1" in failed_handshake(authority.server("elsewhere", address="127.0.0.99"), authority)


def test_expired_certificate_is_refused(authority: Authority) -> None:
    assert "expired" in failed_handshake(authority.server("expired", days=-1), authority)


def test_certificate_that_is_as_it_should_be_is_not_refused_there(authority: Authority) -> None:
    # What the two before it rely on: that nothing else is wrong with such a server.
    with pytest.raises(AssertionError, match="PUT "):
        failed_handshake(authority.server("fine"), authority)


def test_plain_server_where_tls_is_expected_never_sees_the_token(emulator: Emulator) -> None:
    with Api(emulator.url.replace("http:", "https:"), emulator.token, timeout=10.0) as api:
        error = api.fail()
    assert (error.kind, error.fate) == (Kind.UNREACHABLE, Fate.NOT_PROCESSED)
    assert emulator.count() == 0


@pytest.mark.parametrize("head", [False, True])
def test_dripping_server_is_given_up_as_a_whole_over_tls_too(
    secure: Emulator, authority: Authority, head: bool
) -> None:
    secure.fault("drip", seconds_per_byte=0.04, head=head)
    with Api(secure.url, secure.token, timeout=0.8, verify=str(authority.path)) as api:
        error = api.fail()
        assert (error.kind, error.fate) == (Kind.PASSING, Fate.IN_DOUBT)
        assert "0.8 seconds" in error.error_msg
        api.put()
    assert was_abandoned(secure)


def test_connection_dropped_over_tls_leaves_the_request_in_doubt(secure: Emulator, authority: Authority) -> None:
    secure.fault("drop", effect="full")
    with Api(secure.url, secure.token, verify=str(authority.path)) as api:
        error = api.fail()
        assert (error.kind, error.fate) == (Kind.PASSING, Fate.IN_DOUBT)
        api.put()
