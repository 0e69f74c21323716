# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates that a change has to pass, on every supported ansible-core for which this machine has a Python.

Prints one line for each gate, the whole log of each gate that failed, and at the end what was skipped and why. The logs
of all gates stay in .cache/ci.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import environments
from environments import CACHE, COLLECTIONS, ROOT, Environment

sys.path.append(str(ROOT))

from tests.emulator.handle import Emulator, EmulatorError

# ansible-core: the oldest that is supported, the one that Python 3.11 gets, and the newest; and the Pythons that each
# of them supports on a controller, the newest last.
CORES = {
    "2.16": ("3.10", "3.11", "3.12"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.21": ("3.12", "3.13", "3.14"),
}

LOGS = CACHE / "ci"
WORK = CACHE / "ansible-test"
SECONDS_FOR_A_GATE = 1200

# ansible-test runs this instead of the script that it would download to put pip into its virtual environments.
GET_PIP = """\
import os
import subprocess
import sys

environment = dict(os.environ)  # ensurepip removes pip's settings from it.
import ensurepip

ensurepip.bootstrap()
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install"] + arguments, env=environment))
"""


class GateError(Exception):
    """A gate failed; its log says why."""


@dataclasses.dataclass(frozen=True)
class Gate:
    """One check. Its action gets a function that runs a command, and raises GateError."""

    name: str
    action: Callable[[Log], None]


class Log:
    """The log of one gate, and the way in which it runs commands."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")

    def write(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)

    def read(self) -> str:
        return self.path.read_text(encoding="utf-8", errors="replace")

    def run(
        self,
        command: Sequence[str | pathlib.Path],
        folder: pathlib.Path = ROOT,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Run a command to its end; a status other than 0 fails the gate."""
        self.write(f"$ {' '.join(str(part) for part in command)}\n")
        inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
        with self.path.open("ab") as file:
            try:
                status = subprocess.run(
                    command,
                    cwd=folder,
                    env=inherited | dict(variables or {}),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    timeout=SECONDS_FOR_A_GATE,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                raise GateError(f"not done after {SECONDS_FOR_A_GATE} s") from None
        if status:
            raise GateError(f"exit status {status}")


@dataclasses.dataclass(frozen=True)
class Pair:
    """An ansible-core on a Python of this machine."""

    core: str
    python_version: str
    python: str
    #: Whether its core is the oldest or the newest one here: what both agree on needs no thorough look at one between.
    outermost: bool = True

    def __str__(self) -> str:
        return f"ansible-core {self.core}, Python {self.python_version}"

    @property
    def environment(self) -> Environment:
        return environments.core(self.core, self.python, self.python_version)

    @property
    def folder(self) -> pathlib.Path:
        """What is kept from run to run: the virtual environments of ansible-test."""
        return WORK / f"core-{self.core}-python-{self.python_version}"

    @property
    def collection(self) -> pathlib.Path:
        return self.folder / "ansible_collections" / "koophone" / "fleet"

    def gates(self, newest_of_core: bool) -> list[Gate]:
        """The gates on this pair, in the order in which they run; they share the copy of the collection."""
        # Most of what sanity finds doesn't depend on the Python that it runs on.
        tests = [] if newest_of_core and self.outermost else ["--test", "compile", "--test", "import"]
        gates = [
            Gate(f"environment ({self})", lambda log: self.prepare()),
            Gate(f"ansible-test sanity ({self})", lambda log: self.ansible_test(log, "sanity", *tests)),
            Gate(f"ansible-test units ({self})", lambda log: self.ansible_test(log, "units", "--local")),
            Gate(f"ansible-test integration ({self})", self.integration),
        ]
        # Playbooks and inventories are where the versions of ansible-core differ most.
        return [*gates, Gate(f"playbooks and inventories ({self})", self.playbooks)] if newest_of_core else gates

    def prepare(self) -> None:
        """Make the environment, a home folder for ansible-test, and a copy of the collection."""
        self.environment.make()
        home = self.folder / "home"
        scripts = home / ".ansible" / "test" / "cache"
        scripts.mkdir(parents=True, exist_ok=True)
        for version in self.pip_versions():
            (scripts / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP, encoding="utf-8")
        # ansible-test hands neither the environment's settings of pip on, nor does pip find the user's file in there.
        settings = environments.pip_settings() | {"cache-dir": str(CACHE / "pip")}
        lines = [f"{name} = {value.strip()}".replace("\n", "\n    ") for name, value in settings.items()]
        configuration = home / ".config" / "pip" / "pip.conf"
        configuration.parent.mkdir(parents=True, exist_ok=True)
        configuration.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
        copy_collection(self.collection)

    def pip_versions(self) -> set[str]:
        """The versions of pip that this ansible-test wants to have."""
        pattern = "lib/python*/site-packages/ansible_test/_internal/python_requirements.py"
        (source,) = self.environment.folder.glob(pattern)
        return set(re.findall(r"""\bpip=['"]([0-9.]+)['"]""", source.read_text(encoding="utf-8")))

    def integration(self, log: Log) -> None:
        targets = {path.name for path in (ROOT / "tests/integration/targets").glob("*")}
        roles = {path.name for path in (ROOT / "roles").glob("*")}
        if targets & roles:
            # ansible-test would run the role in place of the target, which then can't fail.
            raise GateError(f"these targets are named like roles of the collection: {', '.join(targets & roles)}")
        try:
            with Emulator(["--open-fleet"], python=str(self.environment.bin / "python")) as emulator:
                configuration = self.collection / "tests/integration/integration_config.yml"
                configuration.write_text(
                    f"koophone_test_endpoint: {emulator.url}\nkoophone_test_token: {emulator.token}\n", encoding="utf-8"
                )
                self.ansible_test(log, "integration", "--local")
        except EmulatorError as error:
            raise GateError(f"the emulator: {error}") from error

    def playbooks(self, log: Log) -> None:
        """Run what tests start playbooks and inventories with this ansible-core, against the emulator."""
        playbooks = "tests/playbooks" if self.outermost else "tests/playbooks/test_fleet.py"
        log.run(
            [self.environment.bin / "python", "-m", "pytest", "-q", playbooks, "tests/inventory"],
            variables={
                "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
                "HOME": str(self.folder / "home"),
                "PATH": f"{self.environment.bin}:/usr/local/bin:/usr/bin:/bin",
                "PYTHONPATH": f"{ROOT}:{COLLECTIONS}",
            },
        )

    def ansible_test(self, log: Log, command: str, *arguments: str) -> None:
        bin_folder = self.environment.bin
        log.run(
            [bin_folder / "ansible-test", command, "--python", self.python_version, "--color", "no", *arguments],
            self.collection,
            # Only this environment's Python on PATH: ansible-test trips over the shims of version managers.
            {"HOME": str(self.folder / "home"), "PATH": f"{bin_folder}:/usr/local/bin:/usr/bin:/bin"},
        )


def copy_collection(target: pathlib.Path) -> None:
    """Copy the checkout, uncommitted files included: ansible-test takes no symbolic link to it."""
    environments.remove(target)
    target.mkdir(parents=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_symlink() or source.is_file():  # A deleted file may still be listed.
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    # ansible-test asks git for the files. Without a repository of its own, the copy would be ignored by the checkout's.
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)


def types(log: Log) -> None:
    mypy = environments.development().bin / "mypy"
    log.run(
        [mypy, "--package", "ansible_collections.koophone.fleet.plugins.module_utils", "--package", "tests.emulator"]
    )
    log.run([mypy, "scripts", "tests/support", "tests/support_tests"])


def ruff(log: Log, *arguments: str) -> None:
    log.run([environments.development().bin / "ruff", *arguments, "."])


def lint_tool(log: Log, *command: str, folder: pathlib.Path = ROOT) -> None:
    """Run a tool of the environment of linters, which must find the collection and one ansible-core: its own."""
    bin_folder = environments.special("lint").bin
    home = CACHE / "home"  # Some of them leave logs and collections in the user's.
    home.mkdir(exist_ok=True)
    log.run(
        [bin_folder / command[0], *command[1:]],
        folder,
        {
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "HOME": str(home),
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
        },
    )


def shellcheck(log: Log) -> None:
    folders = ("scripts", ".ci", "examples/gitops/ci")
    scripts = [path for folder in folders for path in (ROOT / folder).iterdir() if path.suffix != ".py"]
    shell = [path for path in scripts if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash\n")]
    lint_tool(log, "shellcheck", *sorted(str(path) for path in shell))


def slow_tests(log: Log) -> None:
    """What `make test` leaves out, except for playbooks and inventories, which the pairs run."""
    # Not --ignore, which is without effect on the folders that pytest is configured to begin with.
    left_out = [f"--deselect=tests/{folder}/" for folder in ("inventory", "playbooks")]
    log.run([ROOT / "scripts" / "test", "-m", "slow", *left_out])


def documentation(log: Log) -> None:
    lint_tool(
        log, "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=self", str(ROOT)
    )


def package(log: Log) -> None:
    """Build the tarball and check it as Ansible Galaxy does on upload."""
    folder = CACHE / "package"
    environments.remove(folder)
    copy_collection(folder / "source")
    lint_tool(log, "ansible-galaxy", "collection", "build", "--output-path", str(folder), folder=folder / "source")
    (tarball,) = folder.glob("*.tar.gz")
    lint_tool(log, "python", "-m", "galaxy_importer.main", str(tarball), folder=folder)
    # The importer's exit status is 0, whatever it finds.
    if re.search(r"^(ERROR|WARNING)", log.read(), re.MULTILINE):
        raise GateError("errors or warnings")


def get_pairs() -> tuple[list[Pair], list[str]]:
    """The pairs to run on this machine, and a line for each other one.

    Of each core, those are the oldest and the newest Python that are here: what holds for both holds between them.
    """
    found = environments.interpreters()
    cores = [core for core, versions in CORES.items() if any(version in found for version in versions)]
    pairs, skipped = [], []
    for core, versions in CORES.items():
        here = [version for version in versions if version in found]
        for version in versions:
            if version not in found:
                skipped.append(f"ansible-core {core}, Python {version}: this machine has no Python {version} with venv")
            elif version in (here[0], here[-1]):
                pairs.append(Pair(core, version, found[version], outermost=core in (cores[0], cores[-1])))
            else:
                skipped.append(f"ansible-core {core}, Python {version}: an older and a newer one are run")
    return pairs, skipped


def lint_gates() -> list[list[Gate]]:
    return [
        [
            Gate("environment of linters", lambda log: environments.special("lint").make()),
            Gate("ansible-lint", lambda log: lint_tool(log, "ansible-lint", "--offline", "--strict")),
            Gate("antsibull-docs", documentation),
            Gate("antsibull-changelog", lambda log: lint_tool(log, "antsibull-changelog", "lint")),
            Gate("shellcheck", shellcheck),
        ],
        [
            Gate("ruff check", lambda log: ruff(log, "check")),
            Gate("ruff format", lambda log: ruff(log, "format", "--check")),
        ],
    ]


def get_jobs(wanted: str, pairs: list[Pair]) -> list[list[Gate]]:
    """Lists of gates: those of one list run one after the other, lists side by side. The long ones come first."""
    if wanted == "lint":
        return lint_gates()
    if wanted == "types":
        return [[Gate("mypy", types)]]
    if wanted == "sanity":
        return [pair.gates(newest_of_core=True)[:2] for pair in pairs[-1:]]
    newest_of_core = {pair.core: pair for pair in pairs}
    full = list(newest_of_core.values())
    first, second = lint_gates()
    first.append(Gate("package", package))
    return [
        [Gate("slow tests", slow_tests)],
        *([pair.gates(newest_of_core=True) for pair in reversed(full)]),
        first,
        [*second, Gate("mypy", types)],
        *(pair.gates(newest_of_core=False) for pair in pairs if pair not in full),
    ]


class Runner:
    """Runs jobs side by side and prints what comes of them."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failed: list[str] = []
        self._lock = threading.Lock()

    def run(self, jobs: list[list[Gate]]) -> None:
        lanes = max(1, min(4, os.cpu_count() or 1))
        with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
            for future in [pool.submit(self._run_job, job) for job in jobs]:
                future.result()

    def _run_job(self, gates: list[Gate]) -> None:
        for gate in gates:
            if not self._run_gate(gate) and gate.name.startswith("environment"):
                return  # The gates after it can't run; it counts as the failure.

    def _run_gate(self, gate: Gate) -> bool:
        log = Log(LOGS / (re.sub(r"[^a-z0-9.]+", "-", gate.name.lower()).strip("-") + ".log"))
        started = time.monotonic()
        problem = ""
        try:
            gate.action(log)
        except (GateError, environments.SetupError, OSError, subprocess.CalledProcessError, ValueError) as error:
            problem = f"{error}" or type(error).__name__
        seconds = time.monotonic() - started
        with self._lock:
            if problem:
                self.failed.append(gate.name)
                print(f"FAILED {seconds:6.1f} s  {gate.name}: {problem}")
                print("".join(f"    {line}\n" for line in log.read().splitlines()), end="")
            else:
                self.passed.append(gate.name)
                print(f"ok     {seconds:6.1f} s  {gate.name}")
            sys.stdout.flush()
        return not problem


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gates", nargs="?", default="all", choices=["all", "lint", "types", "sanity"])
    wanted = parser.parse_args().gates

    started = time.monotonic()
    shutil.rmtree(LOGS, ignore_errors=True)
    try:
        environments.development().make()
        environments.collection_tree()
    except (environments.SetupError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    pairs, skipped = get_pairs()
    if not pairs:
        print("This machine has no Python that a supported ansible-core runs on.", file=sys.stderr)
        return 1
    runner = Runner()
    runner.run(get_jobs(wanted, pairs))

    if wanted == "all":
        print("\nRan on:")
        print("".join(f"  {pair}\n" for pair in pairs), end="")
        print("Skipped:" if skipped else "Skipped nothing.")
        print("".join(f"  {line}\n" for line in skipped), end="")
    if runner.failed:
        print("Failed:")
        print("".join(f"  {name}\n" for name in runner.failed), end="")
    print(f"\n{time.monotonic() - started:.0f} s; logs are in {LOGS.relative_to(ROOT)}.")
    print(f"gates: {len(runner.passed)} passed, {len(runner.failed)} failed")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
