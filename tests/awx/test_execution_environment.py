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
from tests.docs.blocks import of_kind


def builder(*arguments: str | Path) -> str:
    pytest.importorskip("ansible_builder")
    process = subprocess.run(
        [Path(sys.executable).with_name("ansible-builder"), *arguments],
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


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Where this collection is installed and no other."""
    (tmp_path / "ansible_collections" / "koophone").mkdir(parents=True)
    (tmp_path / "ansible_collections" / "koophone" / "fleet").symlink_to(ROOT)
    return tmp_path


def test_it_gets_what_is_required_and_all_that_is_optional(installed: Path) -> None:
    found = yaml.safe_load(builder("introspect", installed))
    # Each line says which collection it is from.
    python, system = ({line.partition("  # ")[0] for line in found[kind]} for kind in ("python", "system"))
    assert python == requirements("requirements.txt") | requirements("requirements/optional.txt")
    assert any(line.startswith("requests") for line in python)
    assert any(line.startswith("psycopg") for line in python)
    assert system == requirements("bindep.txt")


def test_what_the_guide_leaves_out_is_left_out(installed: Path) -> None:
    [block] = [block for block in of_kind("awx") if block.name == "without the vendor's library"]
    excluded = yaml.safe_load(block.text)["dependencies"]["exclude"]["python"]
    (installed / "excluded").write_text("\n".join(excluded), encoding="utf-8")
    found = yaml.safe_load(builder("introspect", "--exclude-pip-reqs", installed / "excluded", installed))
    assert [line.partition(">=")[0] for line in found["python"]] == ["requests", "psycopg[binary]"]


def test_the_example_makes_the_files_of_an_image(tmp_path: Path) -> None:
    definition = ROOT / "examples" / "awx" / "execution-environment.yml"
    builder("create", "--file", definition, "--context", tmp_path / "context", "--output-filename", "Dockerfile")
    assert "FROM $EE_BASE_IMAGE" in (tmp_path / "context" / "Dockerfile").read_text(encoding="utf-8")
    galaxy = yaml.safe_load((tmp_path / "context" / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    project = ROOT / "examples" / "awx" / "project" / "collections" / "requirements.yml"
    assert galaxy == yaml.safe_load(project.read_text(encoding="utf-8"))
