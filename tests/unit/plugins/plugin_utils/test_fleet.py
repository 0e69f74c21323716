# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection as the inventory plugin takes it from file, environment and defaults; and whose list it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._arguments import Connection, connection_spec
from ansible_collections.koophone.fleet.plugins.plugin_utils._fleet import FleetError, connection_of, identity

FOLDER = Path("/inventory")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in connection_spec():
        monkeypatch.delenv(f"KOOPHONE_{name.upper()}", raising=False)
    monkeypatch.delenv("HUAWEICLOUD_SDK_AK", raising=False)


def connection(**given: Any) -> Connection:
    return connection_of(given, FOLDER, lambda value: value, [])


def test_the_defaults_are_the_modules() -> None:
    spec = connection_spec()
    found = connection()
    for name in ("endpoint", "timeout", "retries", "concurrency"):
        assert getattr(found, name) == spec[name]["default"]
    assert found.verify is True


def test_the_file_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOOPHONE_TIMEOUT", "7.5")
    monkeypatch.setenv("KOOPHONE_RETRIES", "")
    monkeypatch.setenv("KOOPHONE_INSECURE_SKIP_TLS_VERIFY", "False")
    monkeypatch.setenv("KOOPHONE_AUTH_TOKEN", "of the environment")
    found = connection(auth_token="of-the-file", plugin="x", endpoint="")
    assert (found.timeout, found.retries, found.verify) == (7.5, 5, True)
    assert found.credentials.auth_token == "of-the-file"
    monkeypatch.setenv("KOOPHONE_INSECURE_SKIP_TLS_VERIFY", "1")
    assert connection(auth_token="x").verify is False


def test_all_mistakes_at_once() -> None:
    with pytest.raises(FleetError) as caught:
        connection_of({"retries": -1, "ca_path": "ca.pem"}, FOLDER, lambda value: value, ["regoin: no such option"])
    text = str(caught.value)
    assert text.startswith("3 mistakes in the input; nothing was sent:\n- regoin: no such option\n")
    assert 'ca_path: "/inventory/ca.pem" does not exist' in text


def test_identity() -> None:
    login = {"username": "u", "password": "p", "domain_name": "d", "project_name": "j"}
    different = [
        connection(auth_token="a"),
        connection(auth_token="b"),
        connection(auth_token="a", endpoint="https://other"),
        connection(**login),
        connection(**{**login, "project_name": "k"}),
        connection(access_key="k", secret_key="s"),
        connection(),
    ]
    assert len({identity(one) for one in different}) == len(different)
    # Whom it is shown by doesn't change whose list it is; nor does how the address is spelt.
    assert identity(connection(**{**login, "password": "q"})) == identity(connection(**login))
    assert identity(connection(endpoint="HTTPS://Other:443/")) == identity(connection(endpoint="https://other"))
