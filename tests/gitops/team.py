# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A team with the example as its repository, and a machine on which the jobs of their CI run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.emulator.handle import Emulator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "gitops"
# The passwords of the vault files as they are shipped.
VAULT_PASSWORDS = {"staging": "staging-example", "production": "production-example"}
# What would bring the collection and its libraries from the network. Here the checkout stands in for it.
INSTALL = "ci/setup.sh"
_GIT = {
    "GIT_AUTHOR_NAME": "A member",
    "GIT_AUTHOR_EMAIL": "member@example.com",
    "GIT_COMMITTER_NAME": "A member",
    "GIT_COMMITTER_EMAIL": "member@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True)
class Job:
    """How a job ended."""

    name: str
    status: int
    output: str

    @property
    def ok(self) -> bool:
        return self.status == 0


class Team:
    """Whose repository it is: `origin` is the forge's copy, `laptop` a member's clone."""

    def __init__(self, folder: Path) -> None:
        self.origin, self.laptop = folder / "origin.git", folder / "laptop"
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.origin), folder=folder)
        self.git("clone", "--quiet", str(self.origin), str(self.laptop), folder=folder)
        shutil.copytree(EXAMPLE, self.laptop, dirs_exist_ok=True, ignore=shutil.ignore_patterns("plan", "__pycache__"))
        self.git("checkout", "--quiet", "-b", "main")
        self.commit()
        self.git("push", "--quiet", "origin", "main")

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        process = subprocess.run(
            ["git", *arguments],
            cwd=folder or self.laptop,
            env={**os.environ, **_GIT},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stdout
        return process.stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "A change")
        return self.git("rev-parse", "HEAD")

    def newest(self) -> str:
        return self.git("rev-parse", "main", folder=self.origin)

    def propose(self, branch: str, file: str, old: str, new: str) -> str:
        """Push a branch from the newest main with one change, and return its commit."""
        self.git("fetch", "--quiet", "origin")
        self.git("checkout", "--quiet", "-B", branch, "origin/main")
        path = self.laptop / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        head = self.commit()
        self.git("push", "--quiet", "--force", "origin", branch)
        return head

    def merge(self, head: str) -> str:
        """What the forge's button does; returns the merge commit."""
        self.git("fetch", "--quiet", "origin")
        self.git("checkout", "--quiet", "-B", "main", "origin/main")
        self.git("merge", "--quiet", "--no-ff", "-m", "Merge the request", head)
        self.git("push", "--quiet", "origin", "main")
        return self.git("rev-parse", "HEAD")

    def check_out(self, folder: Path, commit: str, *, merged_into_main: bool = False) -> None:
        """A fresh clone, as jobs have it; that of a pull request is of what merging it would make."""
        self.git("clone", "--quiet", str(self.origin), str(folder), folder=folder.parent)
        if merged_into_main:
            self.git("merge", "--quiet", "--no-ff", "-m", "Try the merge", commit, folder=folder)
        else:
            self.git("checkout", "--quiet", commit, folder=folder)


@dataclass
class Machine:
    """Runs the commands of jobs, and keeps all that they print."""

    folder: Path
    emulator: Emulator
    log: str = ""
    # What happens just before a command that begins like this, once.
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    _workspaces: int = 0

    def workspace(self) -> Path:
        """A new place for a job; nothing is in it."""
        self._workspaces += 1
        path = self.folder / f"job-{self._workspaces}"
        path.mkdir(parents=True)
        return path

    def run(self, command: str, folder: Path, variables: Mapping[str, str]) -> tuple[int, str]:
        """Run what a step says, by the shell and with the options that both forges use for it."""
        assert INSTALL not in command, "this is not to be run here"
        if happens := self.before.pop(command.split(maxsplit=1)[0], None):
            happens()
        kept = ("PATH", "LANG", "TMPDIR")
        environment = {
            **{name: os.environ[name] for name in kept if name in os.environ},
            **_GIT,
            "HOME": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CI": "true",
            "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".tree")),
            "ANSIBLE_NOCOLOR": "1",
            "KOOPHONE_ENDPOINT": self.emulator.url,
            "KOOPHONE_IAM_ENDPOINT": self.emulator.url,
            **variables,
        }
        process = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.log += process.stdout
        return process.returncode, process.stdout
