# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide works as it is printed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.awx.running import PROJECT, ROOT
from tests.awx.setting_up import EXAMPLE, Admin, Setup
from tests.docs.blocks import Block, of_kind

GUIDE = ROOT / "docs" / "awx.md"


def printed(name: str) -> Block:
    [block] = [block for block in of_kind("awx") if block.name == name]
    return block


def test_every_example_is_run_here_or_for_the_execution_environment() -> None:
    assert {block.name for block in of_kind("awx")} == {
        "without the vendor's library",
        "project",
        "setup",
        "new secrets",
    }


def test_the_project_is_begun_as_printed(tmp_path: Path) -> None:
    installed = tmp_path / ".ansible" / "collections" / "ansible_collections" / "koophone"
    installed.mkdir(parents=True)
    (installed / "fleet").symlink_to(ROOT)
    (tmp_path / ".gitconfig").write_text("[user]\nname = Reader\nemail = reader@example.com\n", encoding="utf-8")
    process = subprocess.run(
        ["bash", "-euc", printed("project").text],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout
    files = {str(path.relative_to(PROJECT)) for path in PROJECT.rglob("*") if path.is_file()}
    begun = tmp_path / "koophone-fleet"
    assert {
        str(path.relative_to(begun)) for path in begun.rglob("*") if path.is_file() and ".git" not in path.parts
    } == files
    assert (tmp_path / EXAMPLE.name).read_bytes() == EXAMPLE.read_bytes()


def test_the_setup_runs_as_printed(admin: Admin, setup: Setup) -> None:
    (admin.folder / EXAMPLE.name).write_bytes(EXAMPLE.read_bytes())
    first = admin.shell(printed("setup").text)
    assert first.status == 0, first.output
    assert [call.module for call in first.calls] == [call.module for call in setup.calls]
    exports = "\n".join(line for line in printed("setup").text.splitlines() if line.startswith("export "))
    again = admin.shell(f"{exports}\n{printed('new secrets').text}")
    assert again.status == 0, again.output
    assert first.arguments("credential")["update_secrets"] is False
    assert again.arguments("credential")["update_secrets"] is True


def test_names_and_questions_are_those_that_the_setup_makes(setup: Setup) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for call in setup.calls:
        if call.module != "schedule":
            assert f"`{call.arguments['name']}`" in text or call.module in ("project", "inventory", "inventory_source")
    rows = dict(re.findall(r"^\| ([^|`]+) \| `(video_setting_\w+)` \|$", text, re.MULTILINE))
    asked = {
        question["question_name"]: question["variable"]
        for questions in setup.questions.values()
        for question in questions
    }
    assert rows == asked


def test_plays_of_the_project_are_those_that_the_guide_names() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for play in PROJECT.glob("*.yml"):
        assert f"`{play.name}`" in text
        assert "import_playbook" not in play.read_text(encoding="utf-8")
