# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Where the state store is: `state_url`, or the default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from ansible_collections.koophone.fleet.plugins.module_utils._mistakes import shown

STATE_URL_FORMS = "sqlite:////absolute/path or postgresql://user:password@host/database"


class Location(NamedTuple):
    """An SQLite file at `path`, or a PostgreSQL database at `dsn` (secret)."""

    path: Path | None = None
    dsn: str | None = None


def parse_state_url(state_url: str, mistakes: list[str]) -> Location | None:
    """Read `state_url`. A relative path is refused: a module's working folder can be inside the collection."""
    # Not taken apart any further: a password may hold what `urlsplit` stumbles over, and libpq judges by itself.
    scheme, _colon, rest = state_url.partition("://")
    if scheme.lower() in ("postgresql", "postgres"):
        return Location(dsn=state_url)
    if scheme.lower() != "sqlite":
        # Never shown: it may hold a password.
        mistakes.append(f"state_url: it is not of the form {STATE_URL_FORMS}")
        return None
    path = unquote(rest)
    # As everybody writes it, three slashes begin a relative path and four an absolute one.
    if not path.startswith("//") or not path.strip("/") or path.endswith("/") or "\0" in path:
        mistakes.append(
            f"state_url: {shown(state_url)} does not name a file by its absolute path; write sqlite:////absolute/path"
        )
        return None
    return Location(path=Path("/" + path.lstrip("/")))


def default_location(environment: Mapping[str, str] | None = None) -> Location:
    """`$XDG_STATE_HOME/koophone/fleet.sqlite3`, as the XDG base directory specification has it.

    Raises `RuntimeError` where the user has no home folder.
    """
    state_home = (os.environ if environment is None else environment).get("XDG_STATE_HOME", "")
    # That specification has a relative path ignored.
    base = Path(state_home) if state_home.startswith("/") else Path("~/.local/state").expanduser()
    return Location(path=base / "koophone" / "fleet.sqlite3")


def vanishing_because(environment: Mapping[str, str] | None = None) -> str | None:
    """Why files written here do not outlive the run, or None where they do."""
    for name in ("AWX_PRIVATE_DATA_DIR", "CI"):
        if (os.environ if environment is None else environment).get(name):
            return f"{name} is set"
    for path in ("/.dockerenv", "/run/.containerenv"):
        if Path(path).exists():
            return f"{path} exists"
    return None
