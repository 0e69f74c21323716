# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.koophone.fleet.plugins.module_utils._state import _location
from ansible_collections.koophone.fleet.plugins.module_utils._state._location import (
    Location,
    default_location,
    parse_state_url,
    vanishing_because,
)


@pytest.mark.parametrize(
    ("state_url", "path"),
    [
        ("sqlite:////var/lib/koophone/fleet.sqlite3", "/var/lib/koophone/fleet.sqlite3"),
        ("SQLite:////var/lib/fleet.sqlite3", "/var/lib/fleet.sqlite3"),
        ("sqlite:////var/lib/two%20words.sqlite3", "/var/lib/two words.sqlite3"),
        ("sqlite:////var/lib/two words.sqlite3", "/var/lib/two words.sqlite3"),
        ("sqlite:////var/lib/Büro.sqlite3", "/var/lib/Büro.sqlite3"),
    ],
)
def test_sqlite_at_an_absolute_path(state_url: str, path: str) -> None:
    mistakes: list[str] = []
    assert parse_state_url(state_url, mistakes) == Location(path=Path(path))
    assert mistakes == []


@pytest.mark.parametrize(
    "state_url",
    [
        "postgresql://fleet:secret@db.example.com/koophone",
        "postgres://fleet:secret@db.example.com:5432/koophone?sslmode=verify-full",
        "postgresql:///koophone?host=/run/postgresql",
        "postgresql://fleet:s[cret@db.example.com/koophone",
    ],
)
def test_postgresql_is_handed_on_as_it_is(state_url: str) -> None:
    mistakes: list[str] = []
    assert parse_state_url(state_url, mistakes) == Location(dsn=state_url)
    assert mistakes == []


@pytest.mark.parametrize(
    "state_url",
    [
        "sqlite:fleet.sqlite3",
        "sqlite://fleet.sqlite3",
        "sqlite:///fleet.sqlite3",
        "sqlite://./fleet.sqlite3",
    ],
)
def test_relative_path_is_refused_with_the_right_form(state_url: str) -> None:
    mistakes: list[str] = []
    assert parse_state_url(state_url, mistakes) is None
    (mistake,) = mistakes
    assert mistake.startswith("state_url: ")
    assert "sqlite:////" in mistake


@pytest.mark.parametrize(
    "state_url",
    ["sqlite:", "sqlite://", "sqlite:///", "sqlite:////", "sqlite:////a%00b"],
)
def test_path_that_cannot_be_a_file_is_refused(state_url: str) -> None:
    mistakes: list[str] = []
    assert parse_state_url(state_url, mistakes) is None
    assert [mistake.partition(": ")[0] for mistake in mistakes] == ["state_url"]


@pytest.mark.parametrize(
    "state_url",
    [
        "/var/lib/fleet.sqlite3",
        "mysql://fleet:secret@db/koophone",
        "secret",
        "",
        "fleet:secret@db/koophone",
        "https://fleet:secret@[db/koophone",
    ],
)
def test_other_url_is_refused_without_showing_it(state_url: str) -> None:
    mistakes: list[str] = []
    assert parse_state_url(state_url, mistakes) is None
    (mistake,) = mistakes
    assert mistake.startswith("state_url: ")
    assert "postgresql://" in mistake
    assert "secret" not in mistake


@given(st.text(max_size=40) | st.text(max_size=40).map(lambda rest: f"sqlite:{rest}"))
def test_whatever_is_given_is_a_location_or_a_mistake(state_url: str) -> None:
    mistakes: list[str] = []
    assert (parse_state_url(state_url, mistakes) is None) == (len(mistakes) == 1)


def test_default_is_below_the_state_folder_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/operator")
    at_home = Location(path=Path("/home/operator/.local/state/koophone/fleet.sqlite3"))
    assert default_location({}) == at_home
    assert default_location({"XDG_STATE_HOME": ""}) == at_home
    assert default_location({"XDG_STATE_HOME": "relative"}) == at_home
    assert default_location({"XDG_STATE_HOME": "/state"}) == Location(path=Path("/state/koophone/fleet.sqlite3"))


class NowherePath(type(Path())):  # type: ignore[misc]
    """A path on a machine where the files in `there` are the only ones."""

    there: frozenset[str] = frozenset()

    def exists(self) -> bool:
        return str(self) in self.there


@pytest.mark.parametrize(
    ("environment", "files", "because"),
    [
        ({}, (), None),
        ({"CI": "", "AWX_PRIVATE_DATA_DIR": ""}, (), None),
        ({"CI": "true"}, (), "CI is set"),
        ({"AWX_PRIVATE_DATA_DIR": "/runner"}, (), "AWX_PRIVATE_DATA_DIR is set"),
        ({}, ("/.dockerenv",), "/.dockerenv exists"),
        ({}, ("/run/.containerenv",), "/run/.containerenv exists"),
        ({}, ("/elsewhere/.dockerenv",), None),
    ],
)
def test_where_files_do_not_outlive_the_run(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], files: tuple[str, ...], because: str | None
) -> None:
    monkeypatch.setattr(NowherePath, "there", frozenset(files))
    monkeypatch.setattr(_location, "Path", NowherePath)
    assert vanishing_because(environment) == because
