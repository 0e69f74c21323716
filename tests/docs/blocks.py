# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the documentation: fenced blocks with a marker before them, and EXAMPLES of modules and filters."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(
    r"^(?:<!-- (?P<kind>[a-z]+): (?P<name>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block; `kind` and `name` are what its marker says.

    file: it is written into the reader's folder. run: a shell runs it there, or in the folder that the name has after
    "in". play: a playbook. vars: variables beside the inventory. sql: statements for a database. inventory: a source
    for the inventory plugin, which is recognised without a marker. repository: commands in a clone of examples/gitops,
    which tests/gitops runs. awx: what tests/awx runs.
    """

    document: Path
    line: int
    language: str
    text: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.document.stem}-{self.line}"

    @property
    def folder(self) -> Path | None:
        """The folder of the project in which it is to be run; None is the reader's own."""
        named = self.name.rpartition("in ")[2] if ", in " in self.name else self.name
        return ROOT / named if "/" in named else None


def _read(document: Path) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        kind, name = match["kind"] or "", match["name"] or ""
        if not kind and match["text"].startswith("plugin: koophone.fleet."):
            kind = "inventory"
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(document, line, match["language"], match["text"], kind, name))
    return found


BLOCKS = [block for document in DOCUMENTS for block in _read(document)]


def of_kind(kind: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind == kind]


def examples(path: str) -> list[dict[str, Any]]:
    """The tasks in EXAMPLES of a module or filter."""
    for node in ast.parse((ROOT / "plugins" / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "EXAMPLES":
            return list(yaml.safe_load(ast.literal_eval(node.value)))
    raise AssertionError(f"{path} has no EXAMPLES")
