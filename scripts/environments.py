# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python environments that the project's commands run in. Needs nothing but the standard library.

Each environment carries a key made from the requirement files that it was filled from. As long as the key is right, the
environment is used as it is, so that everything works without a network from the second time on.

    scripts/python scripts/environments.py NAME    makes the environment where needed and prints its folder
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
COLLECTIONS = ROOT / ".tree"
COLLECTION = COLLECTIONS / "ansible_collections" / "koophone" / "fleet"

UV_REQUIREMENT = "uv>=0.7"

# pip's settings that tell where packages come from, and uv's names for them.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


class SetupError(Exception):
    """An environment could not be made; the message says why."""


@dataclasses.dataclass(frozen=True)
class Environment:
    """A virtual environment: where it stands, and what it is filled from."""

    folder: pathlib.Path
    requirements: tuple[str, ...]
    extra: tuple[str, ...] = ()
    python: str = sys.executable

    @property
    def bin(self) -> pathlib.Path:
        return self.folder / "bin"

    def key(self) -> str:
        """What the environment depends on, as a digest."""
        digest = hashlib.sha256(f"{self.folder}\n{self.python}\n{sys.version}\n{self.extra}\n".encode())
        for name in self.requirements:
            for line in requirement_lines(ROOT / name):
                digest.update(f"{line}\n".encode())
        return digest.hexdigest()

    def ready(self) -> bool:
        try:
            return (self.folder / ".key").read_text() == self.key() and works(self.bin / "python")
        except OSError:
            return False

    def make(self) -> None:
        """Make the environment, unless it is there and up to date."""
        if self.ready():
            return
        with locked(self.folder.name):
            if self.ready():  # Made by another process in the meantime.
                return
            uv, settings = get_uv(), uv_settings()
            print(f"Setting up {self.folder.relative_to(ROOT)} …", file=sys.stderr, flush=True)
            remove(self.folder)
            run([uv, "venv", "--quiet", "--python", self.python, self.folder], settings)
            files = [argument for name in self.requirements for argument in ("--requirement", ROOT / name)]
            run([uv, "pip", "install", "--quiet", "--python", self.bin / "python", *files, *self.extra], settings)
            (self.folder / ".key").write_text(self.key())


def development() -> Environment:
    """The environment of tests and of the developer's editor."""
    return Environment(ROOT / ".venv", ("requirements-dev.txt",))


def special(name: str) -> Environment:
    """The environment of a single purpose, named by its file in requirements/."""
    return Environment(CACHE / "environments" / name, (f"requirements/{name}.txt",))


def core(version: str, python: str, python_version: str) -> Environment:
    """The tests' environment on a given ansible-core and a given Python."""
    return Environment(
        CACHE / "environments" / f"core-{version}-python-{python_version}",
        ("requirements/core.txt",),
        (f"ansible-core=={version}.*",),
        python,
    )


def interpreters() -> dict[str, str]:
    """The Pythons of this machine that can create virtual environments, by version; of equal ones the first found."""
    folders = [pathlib.Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    # Version managers keep more Pythons than they put on PATH.
    managed = [folder.parent / "versions" for folder in folders if folder.name == "shims"]
    managed += [pathlib.Path.home() / ".pyenv/versions", pathlib.Path.home() / ".local/share/uv/python"]
    folders += [folder for manager in managed for folder in sorted(manager.glob("*/bin"), reverse=True)]
    probe = (
        "import ensurepip, os, sys, venv;"
        "base = getattr(sys, '_base_executable', '') or sys.executable;"
        "print('%d.%d' % sys.version_info[:2], os.path.realpath(base))"
    )
    found: dict[str, str] = {}
    for program in dict.fromkeys(p for folder in folders for p in sorted(folder.glob("python3.[0-9]*"))):
        version = program.name.removeprefix("python")
        if re.fullmatch(r"3\.\d+", version) and version not in found:
            with contextlib.suppress(OSError):
                # A name proves nothing: it may be a shim of a version that is switched off.
                result = subprocess.run([program, "-c", probe], capture_output=True, text=True, check=False)
                if result.returncode == 0 and result.stdout.startswith(f"{version} "):
                    found[version] = result.stdout.split(" ", 1)[1].strip()
    return found


def collection_tree() -> None:
    """Make the symbolic link by which most tools find the checkout as an installed collection."""
    COLLECTION.parent.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(ROOT, COLLECTION.parent)  # Relative, so that a checkout can be moved.
    if not COLLECTION.is_symlink() or str(COLLECTION.readlink()) != target:
        with locked("tree"):
            COLLECTION.unlink(missing_ok=True)
            COLLECTION.symlink_to(target)


def requirement_lines(path: pathlib.Path) -> Iterator[str]:
    """The requirements of a file and of the files that it includes, without comments."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition(" #")[0].strip()
        if text.startswith("-r "):
            yield from requirement_lines(path.parent / text.removeprefix("-r ").strip())
        elif text and not text.startswith("#"):
            yield text


def get_uv() -> pathlib.Path:
    """uv, in an environment of its own that the standard library makes."""
    folder = CACHE / "environments" / "uv"
    uv, key = folder / "bin" / "uv", folder / ".key"
    wanted = f"{folder}\n{UV_REQUIREMENT}\n{sys.version}"
    if not (key.is_file() and key.read_text() == wanted and works(uv)):
        with locked("uv"):
            if not (key.is_file() and key.read_text() == wanted and works(uv)):
                remove(folder)
                run([sys.executable, "-m", "venv", folder])
                run([folder / "bin" / "python", "-m", "pip", "--quiet", "install", UV_REQUIREMENT])
                key.write_text(wanted)
    return uv


def pip_settings() -> dict[str, str]:
    """Where the user's pip takes packages from; the environment wins over files, as it does in pip."""
    pip = CACHE / "environments" / "uv" / "bin" / "python"
    lines = subprocess.run([pip, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    settings: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        for line in lines.splitlines():
            name, separator, value = line.partition("=")
            if separator and name.startswith(section):
                with contextlib.suppress(SyntaxError, ValueError):
                    settings[name.removeprefix(section)] = str(ast.literal_eval(value))
    return settings


def uv_settings() -> dict[str, str]:
    """The environment for uv: it doesn't read pip's configuration, so a mirror set there is handed on."""
    settings = {"UV_PYTHON_DOWNLOADS": "never"}
    for name, value in pip_settings().items():
        variable = PIP_TO_UV.get(name)
        if variable and variable not in os.environ:
            settings[variable] = value
    return settings


def works(program: pathlib.Path) -> bool:
    """Whether a program starts: the Python below an environment may have been removed or replaced."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def remove(folder: pathlib.Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Keep two commands that start at once from making the same thing."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name.lstrip('.')}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(command: list[str | pathlib.Path], variables: dict[str, str] | None = None) -> None:
    # A virtual environment that the user has activated must not become the target.
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")}
    result = subprocess.run(
        command, env=environment | (variables or {}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if result.returncode:
        shown = " ".join(str(part) for part in command)
        raise SetupError(f"{result.stdout.decode(errors='replace')}\nThis command failed: {shown}")


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    name = sys.argv[1]
    try:
        environment = development() if name == "dev" else special(name)
        environment.make()
        collection_tree()
    except (SetupError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(environment.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
