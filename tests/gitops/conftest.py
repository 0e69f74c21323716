# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.blocks import of_kind
from tests.emulator.handle import Emulator
from tests.gitops.forge import Forge
from tests.gitops.github import GitHub
from tests.gitops.gitlab import GitLab, Scoped
from tests.gitops.team import VAULT_PASSWORDS, Machine, Team
from tests.support.emulators import served
from tests.support.postgres import PostgreSQL

ENVIRONMENTS = ("staging", "production")
# What is printed in the guide.
PLANNER, APPLIER = "koophone_plan", "koophone_apply"
# What is in the vault files.
PASSWORD = "the password of fleet-operator"
IAM = {"static_tokens": [], "iam_username": "fleet-operator", "iam_password": PASSWORD, "iam_domain": "my-company"}


@pytest.fixture(scope="session")
def server() -> Iterator[Emulator]:
    """One emulator for all tests of a process; whatever it had to complain about fails the run."""
    yield from served("--open-fleet")


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    """The emulator as new, which knows nobody but the user of the vault files."""
    server.reset()
    server.config(**IAM)
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        for role in (PLANNER, APPLIER):
            server.create_role(role)
        yield server


@dataclass(frozen=True)
class Stores:
    """A database for each environment, set up by the guide's own statements, and the URLs by role."""

    urls: Mapping[str, Mapping[str, str]]

    @property
    def passwords(self) -> list[str]:
        return [url.split(":")[2].split("@")[0] for urls in self.urls.values() for url in urls.values()]


def _set_up(postgres: PostgreSQL) -> str:
    """A database as the guide's own statements make it; its roles are the server's, and exist."""
    [block] = [block for block in of_kind("sql") if block.name == "roles of the repository"]
    database = postgres.create_database()
    for statement in filter(None, (part.strip() for part in block.text.split(";"))):
        if not statement.startswith(("CREATE ROLE", "CREATE DATABASE")):
            postgres.sql(statement.replace("DATABASE phones", f'DATABASE "{database}"'), database=database)
    return database


@pytest.fixture(scope="session")
def applied(postgres: PostgreSQL, server: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """By environment, a database after the first plan was made, approved and applied by hand."""
    folder = tmp_path_factory.mktemp("applied")
    team, machine = Team(folder), Machine(folder / "machine", server)
    server.reset()
    server.config(**IAM)
    checkout = machine.workspace() / "checkout"
    team.check_out(checkout, team.newest())
    databases = {}
    for environment in ENVIRONMENTS:
        databases[environment] = database = _set_up(postgres)
        for command, role in (
            (f"ci/plan.sh {environment}", PLANNER),
            (f'ci/apply.sh {environment} "$(cat plan/{environment}/digest)"', APPLIER),
        ):
            password = {} if role == PLANNER else {"ANSIBLE_VAULT_PASSWORD": VAULT_PASSWORDS[environment]}
            url = postgres.url(database, role)
            status, output = machine.run(command, checkout, {"KOOPHONE_STATE_URL": url, **password})
            assert status == 0, output
    assert len(server.state()) == 8
    return databases


@pytest.fixture
def stores(postgres: PostgreSQL, applied: Mapping[str, str]) -> Stores:
    """Copies of them."""
    urls = {}
    for environment, template in applied.items():
        database = f"{environment}_{secrets.token_hex(6)}"
        postgres.sql(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        urls[environment] = {role: postgres.url(database, role) for role in (PLANNER, APPLIER)}
    return Stores(urls)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


@pytest.fixture
def forge(team: Team) -> Iterator[Forge]:
    with Forge() as forge:
        forge.newest = team.newest
        forge.reviewers = {f"approve-{environment}": ["the leads"] for environment in ENVIRONMENTS}
        yield forge
        assert forge.leaks == [], "a token went to the storage"


@pytest.fixture
def machine(tmp_path: Path, emulator: Emulator) -> Machine:
    folder = tmp_path / "machine"
    folder.mkdir()
    return Machine(folder, emulator)


@pytest.fixture
def github(team: Team, forge: Forge, machine: Machine, stores: Stores) -> GitHub:
    """GitHub with environments and secrets as the guide sets them up."""
    values: dict[str, dict[str, str]] = {}
    for environment in ENVIRONMENTS:
        values[f"plan-{environment}"] = {"KOOPHONE_STATE_URL": stores.urls[environment][PLANNER]}
        values[environment] = {
            "KOOPHONE_STATE_URL": stores.urls[environment][APPLIER],
            "ANSIBLE_VAULT_PASSWORD": VAULT_PASSWORDS[environment],
        }
    return GitHub(team, forge, machine, values)


@pytest.fixture
def gitlab(team: Team, forge: Forge, machine: Machine, stores: Stores) -> GitLab:
    """GitLab with variables as the guide sets them up."""
    variables = [Scoped("FORGE_TOKEN", forge.token({"api": "write"}), "forge", protected=False)]
    for environment in ENVIRONMENTS:
        urls = stores.urls[environment]
        variables += [
            Scoped("KOOPHONE_STATE_URL", urls[PLANNER], f"plan-{environment}", protected=False),
            Scoped("KOOPHONE_STATE_URL", urls[APPLIER], f"{environment}*", protected=True),
            Scoped("ANSIBLE_VAULT_PASSWORD", VAULT_PASSWORDS[environment], f"{environment}*", protected=True),
        ]
    return GitLab(team, forge, machine, variables)
