# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state store in an SQLite file: broken files, rights, full disks, crashes, versions, clocks."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils import _clock
from ansible_collections.koophone.fleet.plugins.module_utils._state import _schema
from ansible_collections.koophone.fleet.plugins.module_utils._state import sqlite as sqlite_module
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import StateError
from ansible_collections.koophone.fleet.plugins.module_utils._state._location import Location, parse_state_url
from ansible_collections.koophone.fleet.plugins.module_utils._state._stores import look_at, records_of
from ansible_collections.koophone.fleet.plugins.module_utils._state.sqlite import SqliteStore
from tests.emulator.handle import Emulator
from tests.races.run import RunSpec, palette
from tests.store.acting import GRACE, LEASE, SERVICE, S, Stores, T, at_once, seen

AB = ["a", "b"]


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "state" / "fleet.sqlite3"


@pytest.fixture
def stores(path: Path) -> Iterator[Stores]:
    made = Stores(Location(path=path), SqliteStore, SqliteStore)
    yield made
    made.close()


@pytest.fixture
def filled(stores: Stores) -> Stores:
    """A store that knows a and b, with no connection open."""
    stores.actor("one").apply(AB, S)
    stores.close()
    return stores


def _look(path: Path) -> dict[str, str | None]:
    return look_at(Location(path=path), SERVICE, AB, lambda reading: seen(reading, AB))


KNOWN = dict.fromkeys(AB, S.digest)


# --- files that are no state store -----------------------------------------------------------------------------------


def _text(path: Path) -> None:
    path.write_text("kiosk-001\nkiosk-002\n" * 200, encoding="utf-8")


def _empty(path: Path) -> None:
    path.touch()


def _another(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE instances (note TEXT)")
        connection.commit()


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(16384))


@pytest.mark.parametrize("make", [_text, _empty, _another, _zeros])
def test_a_file_that_is_no_state_store_is_refused_and_left_as_it_is(path: Path, make: Callable[[Path], None]) -> None:
    path.parent.mkdir()
    make(path)
    before = path.read_bytes()
    for use in (_look, SqliteStore.open):
        with pytest.raises(StateError, match=re.escape(str(path))) as caught:
            use(path)
        assert "nothing was written to it" in str(caught.value)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.9])
def test_a_truncated_file_is_refused_before_it_is_written(filled: Stores, path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    before = path.read_bytes()
    for use in (_look, lambda path: Stores(Location(path=path), SqliteStore, SqliteStore).actor("x").apply(AB, T)):
        with pytest.raises(StateError, match=r"malformed|not a database"):
            use(path)
    assert path.read_bytes() == before


def test_a_folder_in_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    for use in (_look, SqliteStore.open):
        with pytest.raises(StateError, match=re.escape(str(path))):
            use(path)
    assert list(path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b?c#d%e.sqlite3", "ünï=&.sqlite3", "line\nbreak", ":memory:", "file:x"])
def test_any_name_of_a_file_will_do(folder: Path, name: str) -> None:
    stores = Stores(Location(path=folder / name), SqliteStore, SqliteStore)
    stores.actor("one").apply(AB, S)
    stores.close()
    assert [entry.name for entry in folder.iterdir()] == [name]
    assert _look(folder / name) == KNOWN


def test_the_file_may_be_a_link(filled: Stores, path: Path, folder: Path) -> None:
    link = folder / "link.sqlite3"
    link.symlink_to(path)
    assert _look(link) == KNOWN
    through = Stores(Location(path=link), SqliteStore, SqliteStore)
    through.actor("two").apply(AB, T)
    through.close()
    assert _look(path) == dict.fromkeys(AB, T.digest)


# --- rights ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _unprivileged(*owned: Path) -> Iterator[None]:
    """Be somebody whom the rights of files concern, and the owner of these."""
    if os.geteuid() != 0:
        yield
        return
    nobody = pwd.getpwnam("nobody")
    for entry in owned:
        os.chown(entry, nobody.pw_uid, nobody.pw_gid)
    os.setegid(nobody.pw_gid)
    os.seteuid(nobody.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_a_folder_that_cannot_be_written_is_reported_before_anything_is_sent(folder: Path, path: Path) -> None:
    folder.chmod(0o500)
    with _unprivileged(folder):
        assert _look(path) == dict.fromkeys(AB)
        with pytest.raises(StateError, match=r"(?i)permission denied"):
            SqliteStore.open(path)
    folder.chmod(0o700)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("read_only", ["file", "folder"])
def test_a_store_that_cannot_be_written_can_be_read_and_is_refused_for_writing(
    filled: Stores, path: Path, folder: Path, read_only: str
) -> None:
    before = path.read_bytes()
    if read_only == "file":
        path.chmod(0o400)
    else:
        path.parent.chmod(0o500)
    with _unprivileged(folder, path.parent, path):
        assert _look(path) == KNOWN
        with pytest.raises(StateError, match=r"readonly|unable to open") as caught:
            Stores(Location(path=path), SqliteStore, SqliteStore).actor("two").claim_all(AB, T)
    path.parent.chmod(0o700)
    assert str(path.parent) in str(caught.value)
    assert path.read_bytes() == before


def test_a_store_that_cannot_be_read_says_so(filled: Stores, path: Path, folder: Path) -> None:
    path.chmod(0o000)
    with _unprivileged(folder, path.parent, path):
        for use in (_look, SqliteStore.open):
            with pytest.raises(StateError, match="unable to open"):
                use(path)


def test_everything_that_is_created_is_its_owners_alone(folder: Path) -> None:
    path = folder / "new" / "newer" / "state" / "fleet.sqlite3"
    before = os.umask(0)
    seen_files: dict[str, int] = {}
    try:
        store = SqliteStore.open(path)

        def work(tx: Any) -> None:
            tx.change("UPDATE services SET name = name")
            tx.change("INSERT INTO services (name) VALUES ('x')")
            for entry in folder.rglob("*"):
                seen_files[entry.name] = stat.S_IMODE(entry.stat().st_mode)

        store._writing(work)
        store.close()
    finally:
        os.umask(before)
    assert seen_files == {
        "new": 0o700,
        "newer": 0o700,
        "state": 0o700,
        "fleet.sqlite3": 0o600,
        "fleet.sqlite3-journal": 0o600,
    }


def test_nothing_is_left_beside_the_store_between_runs(filled: Stores, path: Path) -> None:
    assert list(path.parent.iterdir()) == [path]


# --- full disks ------------------------------------------------------------------------------------------------------


def test_a_full_database_is_an_error_that_loses_nothing(
    filled: Stores, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite_module._connect

    def full(*args: Any) -> sqlite3.Connection:
        connection = connect(*args)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(sqlite_module, "_connect", full)
    many = [f"instance-{number:05}" for number in range(5000)]
    with pytest.raises(StateError, match="full; make room"):
        filled.actor("two").claim_all([*AB, *many], T)
    monkeypatch.undo()
    filled.close()
    assert _look(path) == KNOWN


_FILL = """
import resource, signal, sys
from pathlib import Path
from tests.store.acting import *
from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import StateError
from ansible_collections.koophone.fleet.plugins.module_utils._state.sqlite import SqliteStore
path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
actor = Stores(Location(path=path), SqliteStore, SqliteStore).actor("two")
actor.claim_all(["a", "b"], T)
if sys.argv[2] != "0":
    size = path.stat().st_size + int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
many = [f"instance-{number:05}" for number in range(20000)]
try:
    actor.claim_all(["a", "b", *many], T)
except StateError as error:
    print(error)
"""


def test_a_limit_on_the_size_of_files_is_an_error_that_loses_nothing(filled: Stores, path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FILL, path, "20000"], capture_output=True, text=True, env=_environment(), check=False
    )
    assert str(path) in done.stdout
    assert done.stderr == ""
    assert _look(path) == KNOWN


def test_a_full_disk_is_an_error_that_loses_nothing(filled: Stores, path: Path, folder: Path) -> None:
    small = folder / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        moved = small / "fleet.sqlite3"
        shutil.copy(path, moved)
        done = subprocess.run(
            [sys.executable, "-c", _FILL, moved, "0"], capture_output=True, text=True, env=_environment(), check=False
        )
        assert "full; make room" in done.stdout
        assert done.stderr == ""
        assert _look(moved) == KNOWN
        (small / "rest").write_bytes(b"")
        with contextlib.suppress(OSError), (small / "rest").open("ab", buffering=0) as rest:
            while rest.write(bytes(1024)):
                pass
        with pytest.raises(StateError, match=re.escape(str(small))):
            SqliteStore.open(small / "new" / "fleet.sqlite3")
        assert not (small / "new" / "fleet.sqlite3").exists()
        assert _look(moved) == KNOWN
    finally:
        subprocess.run(["umount", str(small)], check=True)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


# --- versions --------------------------------------------------------------------------------------------------------


def _set_version(path: Path, version: int) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


def test_a_newer_store_is_refused_and_left_as_it_is(filled: Stores, path: Path) -> None:
    _set_version(path, _schema.VERSION + 1)
    before = path.read_bytes()
    for use in (_look, SqliteStore.open):
        with pytest.raises(StateError, match=r"newer koophone\.fleet") as caught:
            use(path)
        assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_an_older_store_is_migrated_once_by_whoever_writes_first(
    filled: Stores, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = _schema.VERSION
    monkeypatch.setattr(_schema, "VERSION", older + 1)
    # Were it done twice, the second would fail.
    monkeypatch.setitem(_schema.MIGRATIONS, older, ("ALTER TABLE {schema}instances ADD COLUMN added TEXT",))
    with pytest.raises(StateError, match=r"older koophone\.fleet"):
        _look(path)
    at_once(8, lambda: SqliteStore.open(path).close())
    assert _look(path) == KNOWN
    filled.actor("two").apply(AB, T)
    assert filled.rows("instances", "added") == [(None,), (None,)]


def test_a_migration_that_fails_leaves_the_older_store_whole(
    filled: Stores, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = _schema.VERSION
    before = path.read_bytes()
    with monkeypatch.context() as newer:
        newer.setattr(_schema, "VERSION", older + 1)
        statements = ("ALTER TABLE {schema}instances ADD COLUMN added TEXT", "DROP TABLE {schema}absent")
        newer.setitem(_schema.MIGRATIONS, older, statements)
        with pytest.raises(StateError, match="no such table"):
            SqliteStore.open(path)
    assert path.read_bytes() == before
    assert _look(path) == KNOWN


def test_a_store_is_made_once_by_whoever_comes_first(path: Path) -> None:
    def open_and_apply() -> None:
        name = threading.current_thread().name
        actor = Stores(Location(path=path), SqliteStore, SqliteStore).actor(name)
        actor.apply([name], S)
        actor.store.close()

    names = at_once(8, open_and_apply)
    assert list(path.parent.iterdir()) == [path]
    found = records_of(Location(path=path), SERVICE, None, history=False)
    assert [record.instance_id for record in found] == sorted(names)


# --- crashes ---------------------------------------------------------------------------------------------------------

_DIE_WHILE_WRITING = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE instances SET known = 0, settings = NULL, instance_id = instance_id || 'x'")
connection.execute("CREATE TABLE big (text TEXT)")
connection.executemany("INSERT INTO big VALUES (?)", (("x" * 2000,) for _ in range(200)))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def torn(filled: Stores, path: Path) -> Path:
    """A file that a killed process has written half of a transaction to; what undoes it is in the journal."""
    whole = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", _DIE_WHILE_WRITING, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.with_name(path.name + "-journal").stat().st_size > 0
    assert path.read_bytes() != whole
    return path


def test_what_a_killed_writer_left_is_rolled_back_also_in_check_mode(torn: Path) -> None:
    assert _look(torn) == KNOWN
    assert list(torn.parent.iterdir()) == [torn]


def test_what_a_killed_writer_left_is_rolled_back_by_the_next_run(torn: Path) -> None:
    stores = Stores(Location(path=torn), SqliteStore, SqliteStore)
    stores.actor("two").apply(["a"], T)
    stores.close()
    assert _look(torn) == {"a": T.digest, "b": S.digest}
    assert list(torn.parent.iterdir()) == [torn]


def test_what_a_killed_writer_left_is_not_believed_by_who_cannot_roll_it_back(torn: Path, folder: Path) -> None:
    torn.chmod(0o400)
    torn.parent.chmod(0o500)
    journal = torn.with_name(torn.name + "-journal")
    with _unprivileged(folder, torn.parent, torn, journal), pytest.raises(StateError, match=re.escape(str(torn))):
        _look(torn)
    torn.parent.chmod(0o700)


def test_a_store_that_somebody_keeps_locked_is_waited_for_and_then_named(
    filled: Stores, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "BUSY_TIMEOUT", 0.05)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        for use in (_look, SqliteStore.open):
            with pytest.raises(StateError, match="locked; another run"):
                use(path)
        connection.execute("ROLLBACK")
    assert _look(path) == KNOWN


def test_commits_are_made_to_survive_a_power_cut(filled: Stores) -> None:
    connection = filled.open()._connection  # type: ignore[attr-defined]
    # A rollback journal, and EXTRA, which is 3: https://www.sqlite.org/pragma.html#pragma_synchronous
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (3,)


# --- the mark comes before the first byte ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(["--open-fleet"]) as running:
        yield running


def _run(spec: RunSpec, folder: Path, *prefix: str) -> int:
    command = [*prefix, sys.executable, "-m", "tests.races.run", str(folder / "log"), str(folder / "result")]
    return subprocess.run(command, input=spec.as_json(), text=True, env=_environment(), check=False).returncode


def test_the_mark_is_committed_before_the_first_byte_is_sent(emulator: Emulator, folder: Path, path: Path) -> None:
    def spec(name: str, number: int, *strikes: tuple[str, int, str]) -> RunSpec:
        return RunSpec(
            name=name,
            service=SERVICE,
            endpoint=emulator.url,
            state_url=f"sqlite:///{path}",
            desired=dict.fromkeys(AB, number),
            strikes=strikes,
        )

    emulator.reset()
    assert _run(spec("one", 0), folder) == 0
    assert _look(path) == dict.fromkeys(AB, palette(0).digest)
    assert _run(spec("two", 1, ("send", 1, "SIGKILL")), folder) == -signal.SIGKILL
    assert emulator.count() == 1
    assert _look(path) == dict.fromkeys(AB, None)


_BEGUN = re.compile(r"^(?P<process>\d+) +(?P<name>\w+)\((?P<arguments>.*?)(?: <unfinished \.\.\.>|\) += .*)$")
_RESUMED = re.compile(r"^(?P<process>\d+) +<\.\.\. (?P<name>\w+) resumed>")
_TRACED = "unlink,fsync,fdatasync,pwrite64,write,ftruncate,sendto,sendmsg"


def _calls(trace: str) -> Iterator[tuple[str, str]]:
    """Name and arguments of each call of the system: when it returns, or of what sends, when it begins."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        call = _BEGUN.match(line)
        if call is not None:
            if line.endswith("<unfinished ...>") and not call["name"].startswith("send"):
                begun[call["process"]] = call["arguments"]
            else:
                yield call["name"], call["arguments"]
        elif (resumed := _RESUMED.match(line)) is not None and resumed["process"] in begun:
            yield resumed["name"], begun.pop(resumed["process"])


def test_everything_that_is_written_is_synced_before_the_first_byte_is_sent(
    emulator: Emulator, folder: Path, path: Path
) -> None:
    """In the order of the system's calls: database synced, journal removed, folder synced, and only then a request."""
    strace = shutil.which("strace")
    if (
        strace is None
        or subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("strace is not there, or not allowed to look on")
    emulator.reset()
    traced = folder / "trace"
    spec = RunSpec(
        name="traced",
        service=SERVICE,
        endpoint=emulator.url,
        state_url=f"sqlite:///{path}",
        desired=dict.fromkeys(AB, 1),
    )
    # So that claim and mark are all that is written.
    SqliteStore.open(path).close()
    prefix = [strace, "-f", "-y", "-s", "40", "-e", f"trace={_TRACED}", "-o", str(traced)]
    assert _run(spec, folder, *prefix) == 0
    synced: dict[str, bool] = {}
    transactions = 0
    for name, arguments in _calls(traced.read_text(encoding="utf-8", errors="replace")):
        if name in ("sendto", "sendmsg") and "PUT /v1" in arguments:
            break
        if f"<{path}>" in arguments:
            synced["database"] = name in ("fsync", "fdatasync")
        elif f"{path}-journal" in arguments and name == "unlink":
            # Until the folder is synced, a power cut could bring the journal back, and that would undo the commit.
            synced["folder"] = False
            transactions += 1
        elif f"<{path.parent}>" in arguments and name in ("fsync", "fdatasync"):
            synced["folder"] = True
    else:
        pytest.fail("no request was sent")
    assert synced == {"database": True, "folder": True}
    # What was written first is who runs and what it claims, and then the mark.
    assert transactions == 2


# --- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_no_setting_of_the_wall_clock_ends_a_claim_or_keeps_one(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    first, other = stores.actors("first", "other")
    first.claim_all(AB, S)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    other.held(AB, T)
    assert first.renew()
    first.mark(["a"], S)
    stores.let_pass(LEASE)
    held = other.try_claim(dict.fromkeys(AB, T)).held
    assert set(held) == {"a"}
    assert 0 < held["a"].seconds <= GRACE


@pytest.mark.parametrize("wall_clock", [0.0, -365 * 86400.0])
@pytest.mark.parametrize("named", [True, False])
def test_time_goes_on_after_the_machine_was_started_again(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, named: bool, wall_clock: float
) -> None:
    """Whether or not the system has a name for each start, and if the wall clock was lost over it as well."""
    monkeypatch.setattr(_clock, "boot_id", lambda: "one" if named else "")
    real_now, real_time = _clock.now, time.time
    monkeypatch.setattr(_clock, "now", lambda: real_now() + 100_000)
    first, other, later = stores.actors("first", "other", "later")
    first.claim_all(AB, S)
    first.mark(AB, S)
    monkeypatch.setattr(_clock, "boot_id", lambda: "another" if named else "")
    monkeypatch.setattr(_clock, "now", real_now)
    monkeypatch.setattr(time, "time", lambda: real_time() + wall_clock)
    held = other.held(AB, T)
    assert all(0 < holder.seconds <= LEASE for holder in held.values())
    stores.let_pass(LEASE + GRACE)
    later.claim_all(AB, T)


# --- where it is -----------------------------------------------------------------------------------------------------


def test_a_network_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, "shared_by_machines", lambda _path: "nfs4")
    with pytest.raises(StateError, match=r"network file system \(nfs4\)"):
        SqliteStore.open(path)
    assert not path.exists()


def test_a_url_says_where_the_file_is() -> None:
    mistakes: list[str] = []
    location = parse_state_url("sqlite:////var/lib/a%20b/fleet.sqlite3", mistakes)
    assert location == Location(path=Path("/var/lib/a b/fleet.sqlite3"))
    assert mistakes == []


def test_limits_of_this_process_are_as_they_were() -> None:
    """The tests above that take rights and room away do so elsewhere."""
    assert os.geteuid() == os.getuid()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
