# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PostgreSQL server that other tests rely on."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.postgres import PostgreSQL


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL({"synchronous_commit": "off"}) as running:
        yield running


def test_takes_settings_and_answers_on_loopback_only(server: PostgreSQL) -> None:
    assert server.sql("SHOW synchronous_commit") == [("off",)]
    assert server.sql("SHOW listen_addresses") == [("127.0.0.1",)]
    assert server.sql("SHOW unix_socket_directories") == [("",)]


def test_asks_for_the_password(server: PostgreSQL) -> None:
    url = server.url().replace(server._passwords["postgres"], "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_databases_and_roles_are_apart(server: PostgreSQL) -> None:
    role = server.create_role("o'reader")
    first, second = server.create_database(), server.create_database(owner=role)
    server.sql("CREATE TABLE notes (text text)", database=first)
    assert server.sql("SELECT to_regclass('notes')", database=second) == [(None,)]
    assert server.sql("SELECT current_user, %s::int", [7], database=second, user=role) == [(role, 7)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        server.sql("CREATE TABLE more (text text)", database=first, user=role)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_keeps_data_and_port_over_a_restart(server: PostgreSQL, mode: str) -> None:
    url = server.url()
    database = server.create_database()
    server.sql("CREATE TABLE notes AS SELECT 'kept' AS text", database=database)
    server.sql("CHECKPOINT")
    server.stop("immediate" if mode == "immediate" else "fast")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    server.start()
    assert server.url() == url
    assert server.sql("SELECT text FROM notes", database=database) == [("kept",)]


def test_leaves_nothing_behind() -> None:
    with PostgreSQL() as running:
        folder, url = running.folder, running.url()
        assert running.pid
    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    running.close()
