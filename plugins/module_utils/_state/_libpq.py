# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What psycopg and libpq need and say: the URL that they connect with, and which of their errors are final."""

from __future__ import annotations

import re
import sys
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import StateError

CONNECT_TIMEOUT = 10
# While connecting, psycopg gives only the server's text, or libpq's own. What the next try won't change.
_FINAL = re.compile(
    r"authentication failed|does not exist|no pg_hba\.conf entry|not permitted|permission denied"
    r"|invalid port|invalid integer value|Name or service not known|does not support SSL|certificate verify failed"
)


def is_refusal(error: Exception) -> bool:
    """Whether the server answered and will answer the same again: wrong password, no such database, no rights."""
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is None:
        return bool(_FINAL.search(str(error)))
    # 57P01 to 57P03: shutting down, crashed, starting up. 25P03: `SILENCE`. 08: connection. 53: too many connections.
    return not (sqlstate in ("57P01", "57P02", "57P03", "25P03") or sqlstate[:2] in ("08", "53", "40"))


def import_psycopg() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise StateError(
            "a state store in PostgreSQL needs the Python library psycopg (3.1 or newer) where the module runs"
            f" ({sys.executable}): pip install 'psycopg[binary]' ({error})"
        ) from error
    return psycopg


def parse(psycopg: Any, dsn: str) -> tuple[str, tuple[str, ...], str]:
    """What to connect with, what to keep secret, and how to name the database in messages."""
    # libpq ends user name and password at the first @, and there are none if a / comes before it: the rest of a
    # password that is not encoded would be taken for a host or a database, and be shown.
    before_query = dsn.partition("://")[2].partition("?")[0]
    credentials, _at, rest = before_query.partition("@")
    try:
        if "@" in rest or ("/" in credentials and "@" in before_query):
            raise psycopg.ProgrammingError
        given = psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.Error:
        # Its text quotes the URL, with the password.
        raise StateError(
            "state_url: it is not a PostgreSQL URL as libpq reads it; in user name and password, characters such as"
            " @ : / % have to be percent-encoded"
        ) from None
    given.setdefault("connect_timeout", CONNECT_TIMEOUT)
    given.setdefault("application_name", "koophone.fleet")
    # A peer that vanished is noticed within a claim's life, not after the hours of the system's default.
    given.setdefault("keepalives_idle", 5)
    given.setdefault("tcp_user_timeout", 10_000)
    secrets = tuple(str(given[name]) for name in ("password", "sslpassword") if given.get(name))
    name = f"PostgreSQL database {given.get('dbname', '')} on {given.get('host', 'the local socket')}"
    return psycopg.conninfo.make_conninfo(**given), (dsn, *secrets), name
