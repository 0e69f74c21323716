"""usage: ci/render.py ENVIRONMENT - turns plan/ENVIRONMENT/plan.json into plan.md, for people, and digest."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

# GitHub takes 65,536 characters in a comment. The whole plan is in the log of the job.
MOST_CHARACTERS = 60_000


def render(environment: str, commit: str, plan: dict[str, Any]) -> str:
    """The plan as Markdown, with the differences cut to what a comment may hold."""
    summary = plan["summary"]
    lines = [f"### Video settings: {environment}", ""]
    if not summary["changed"]:
        lines.append(f"Nothing would change; {summary['instances']} instances are as the inventory wants them.")
    else:
        lines.append(
            f"**{summary['changed']} of {summary['instances']} instances would change**,"
            f" {summary['unknown']} of them unknown before."
        )
    differences = "\n".join(_difference(entry) for entry in plan["diff"])
    # Names of groups may hold anything, such as the end of the block.
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", differences))])
    end = [f"Plan `{plan['digest']}` of commit {commit}."]
    if differences:
        room = MOST_CHARACTERS - len("\n".join([*lines, *end])) - 2 * len(fence) - 200
        if len(differences) > room:
            differences = differences[:room].rpartition("\n")[0]
            end.insert(0, "The differences are longer than a comment may be: **this is only their beginning.**")
            end.insert(1, "The log of the plan's job has all of them.\n")
        lines += ["", f"{fence}diff", differences, fence]
    return "\n".join([*lines, "", *end, ""])


def _difference(entry: dict[str, str]) -> str:
    if "prepared" in entry:
        return entry["prepared"].rstrip("\n")
    removed = [f"-{line}" for line in entry["before"].splitlines()]
    added = [f"+{line}" for line in entry["after"].splitlines()]
    return "\n".join([f"--- {entry['before_header']}", f"+++ {entry['after_header']}", *removed, *added])


def main() -> None:
    environment = sys.argv[1]
    folder = Path("plan") / environment
    commit = os.environ.get("PLANNED_COMMIT") or os.environ.get("CI_COMMIT_SHA") or "(not committed)"
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    (folder / "plan.md").write_text(render(environment, commit, plan), encoding="utf-8")
    (folder / "digest").write_text(f"{plan['digest']}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
