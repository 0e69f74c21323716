# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-builder would put into an execution environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.awx.running import ROOT


def builder(*arguments: str | Path, folder: Path = ROOT) -> str:
    pytest.importorskip("ansible_builder")
    process = subprocess.run(
        [Path(sys.executable).with_name("ansible-builder"), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def requirements(name: str) -> set[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def test_it_gets_what_is_required_and_all_that_is_optional(tmp_path: Path) -> None:
    # Of an installation with this collection and no other.
    installed = tmp_path / "ansible_collections" / "koophone"
    installed.mkdir(parents=True)
    (installed / "fleet").symlink_to(ROOT)
    found = yaml.safe_load(builder("introspect", tmp_path))
    # Each line says which collection it is from.
    python, system = ({line.partition("  # ")[0] for line in found[kind]} for kind in ("python", "system"))
    assert python == requirements("requirements.txt") | requirements("requirements/optional.txt")
    assert any(line.startswith("requests") for line in python)
    assert any(line.startswith("psycopg") for line in python)
    assert system == requirements("bindep.txt")


def test_the_example_makes_the_files_of_an_image(tmp_path: Path) -> None:
    definition = ROOT / "examples" / "awx" / "execution-environment.yml"
    builder("create", "--file", definition, "--context", tmp_path / "context", "--output-filename", "Dockerfile")
    assert "FROM $EE_BASE_IMAGE" in (tmp_path / "context" / "Dockerfile").read_text(encoding="utf-8")
    galaxy = yaml.safe_load((tmp_path / "context" / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    project = ROOT / "examples" / "awx" / "project" / "collections" / "requirements.yml"
    assert galaxy == yaml.safe_load(project.read_text(encoding="utf-8"))
