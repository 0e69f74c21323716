# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.blocks import BLOCKS, ROOT, of_kind
from tests.emulator.handle import Emulator
from tests.support.emulators import served


def printed(variable: str) -> str:
    """The value that the documentation gives a variable in its examples."""
    values = {
        value for block in BLOCKS for value in re.findall(rf'^export {variable}="(.+)"$', block.text, re.MULTILINE)
    }
    [value] = values
    return str(value)


@pytest.fixture(scope="session")
def server() -> Iterator[Emulator]:
    """One emulator for all tests of a process; whatever it had to complain about fails the run."""
    yield from served("--open-fleet")


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    """The emulator as new: any instance is one of its own, and the credentials are those that are printed."""
    server.reset()
    server.config(
        static_tokens=[server.token, printed("KOOPHONE_AUTH_TOKEN")],
        iam_username=printed("KOOPHONE_USERNAME"),
        iam_password=printed("KOOPHONE_PASSWORD"),
        iam_domain=printed("KOOPHONE_DOMAIN_NAME"),
        iam_projects=[printed("KOOPHONE_PROJECT_NAME")],
        access_key=printed("KOOPHONE_ACCESS_KEY"),
        secret_key=printed("KOOPHONE_SECRET_KEY"),
    )
    return server


@dataclass
class Reader:
    """Somebody who tries out what they read, in a folder of their own."""

    folder: Path
    emulator: Emulator

    @property
    def state_file(self) -> Path:
        return self.folder / "state" / "fleet.sqlite3"

    def run(self, *command: str | Path, folder: Path | None = None, **variables: str | None) -> str:
        """Run a command, which must succeed; `variables` are added to the environment, or with None taken from it."""
        if folder is not None:
            # Nothing that is run there may leave anything behind in the project.
            shutil.copytree(folder, self.folder / folder.name, dirs_exist_ok=True)
            folder = self.folder / folder.name
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KOOPHONE_", "CI"))
        }
        environment = {
            **kept,
            "HOME": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".tree")),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
            "KOOPHONE_ENDPOINT": self.emulator.url,
            "KOOPHONE_IAM_ENDPOINT": self.emulator.url,
            "KOOPHONE_AUTH_TOKEN": self.emulator.token,
            "KOOPHONE_STATE_URL": f"sqlite:///{self.state_file}",
            **variables,
        }
        process = subprocess.run(
            command,
            cwd=folder or self.folder,
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stdout
        return process.stdout


@pytest.fixture
def reader(emulator: Emulator, tmp_path: Path) -> Reader:
    """Their folder has every file that the documentation names."""
    for block in of_kind("file"):
        (tmp_path / block.name).write_text(block.text, encoding="utf-8")
    shutil.copy(ROOT / "examples" / "list" / "kiosks.txt", tmp_path)
    return Reader(tmp_path, emulator)
