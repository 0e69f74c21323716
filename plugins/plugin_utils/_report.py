# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The outcome of a run in words. Pure: what the module returned goes in, lines for a human come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import unified_diff
from typing import Any

from ansible_collections.koophone.fleet.plugins.plugin_utils._course import ADOPT, DRIFT, PLAN
from ansible_collections.koophone.fleet.plugins.plugin_utils._input import no_instance
from ansible_collections.koophone.fleet.plugins.plugin_utils._values import counted

_MOST_GROUPS = 20
_MOST_FAILED = 20
_MOST_DIFFERENCES = 200


def report(result: Mapping[str, Any], given: Mapping[str, Any], diff_mode: bool) -> dict[str, Any]:
    """The `lines` to show, whether the role has `failed` or `drifted`, and the `stats` to publish.

    `result` is what the module returned, `given` what `read_input` did. In diff mode Ansible itself shows the
    differences of a task, provided that it changed something. The stats are empty where nothing is to be published.
    """
    mistakes = given["mistakes"] or result.get("mistakes") or []
    if mistakes:
        heading = f"{counted(len(mistakes), 'mistake')} in the variables; nothing was sent:"
        return {"lines": [heading, *mistakes], "failed": True, "drifted": False, "stats": {}}
    summary = result.get("summary")
    failure = ""
    if result.get("msg") or summary is None:
        failure = str(result.get("msg") or "the module returned no summary")
    elif not summary["instances"] and not given["may_be_empty"]:
        failure = no_instance(given["hosts"])
    lines = [] if summary is None else _summary_lines(result, summary, given)
    if failure:
        lines += _failed_lines(result)
        if not (diff_mode and result.get("changed")):
            lines += _difference_lines(result.get("diff"))
        lines.append(failure)
    on_demand = given.get("purpose") == DRIFT and given.get("fail_on_drift")
    drifted = bool(on_demand and summary and summary["changed"])
    stats = {} if failure or given.get("part") else _stats(result, given.get("purpose"))
    return {"lines": lines, "failed": bool(failure), "drifted": drifted, "stats": stats}


def _stats(result: Mapping[str, Any], purpose: Any) -> dict[str, Any]:
    """What the next job of a workflow, or a notification, is to know."""
    counts: Mapping[str, int] = result["summary"]
    if purpose == PLAN:
        shown = {name: counts[name] for name in ("instances", "changed", "unchanged", "unknown", "not_attempted")}
        return {"video_setting_approved_plan": result["plan_digest"], "video_setting_plan": shown}
    if purpose == DRIFT:
        drift = {
            "instances": counts["instances"],
            "differing": counts["changed"] - counts["unknown"],
            "unknown": counts["unknown"],
            "oldest_applied_at": result.get("oldest_applied_at") or "",
        }
        return {"video_setting_drift": drift}
    return {}


def _summary_lines(result: Mapping[str, Any], summary: Mapping[str, int], given: Mapping[str, Any]) -> list[str]:
    check_mode = bool(result.get("check_mode"))
    groups: Sequence[Mapping[str, Any]] = result.get("instance_groups") or []
    requests = "check mode, nothing sent" if check_mode else f"{counted(result.get('requests') or 0, 'request')} sent"
    scope = f"{counted(summary['instances'], 'instance')} in {counted(len(groups), 'group')}"
    always = ("changed", "unchanged", "failed")
    lines = [f"{scope}: {_counts(summary, check_mode, always)}; {requests}"]
    lines += [
        f"  {group['name']}: {counted(group['instances'], 'instance')}, {_counts(group, check_mode)}"
        for group in groups[:_MOST_GROUPS]
    ]
    if len(groups) > _MOST_GROUPS:
        lines.append(f"  and {len(groups) - _MOST_GROUPS} more groups")
    if given["hosts_without_id"]:
        lines.append(f"{counted(given['hosts_without_id'], 'host')} without koophone_instance_id left out")
    lines += result.get("waves") or []
    if given.get("purpose") == ADOPT:
        lines.append("adopted: this is now taken for what was last applied; nothing was sent")
    if given.get("purpose") == DRIFT:
        lines.append(_drift_line(result, summary))
    elif check_mode and result.get("plan_digest"):
        lines.append(f"plan digest: {result['plan_digest']}")
        if given.get("purpose") == PLAN and given.get("part"):
            lines.append(f"It is not published: this is {given['part']}, and an approval is of one plan for all")
    return lines


def _drift_line(result: Mapping[str, Any], summary: Mapping[str, int]) -> str:
    oldest = result.get("oldest_applied_at")
    memory = f"the oldest that is remembered was applied at {oldest}" if oldest else "nothing is remembered of any"
    differing = summary["changed"] - summary["unknown"]
    return f"drift: {differing} differ from what is desired, {summary['unknown']} are unknown; {memory}"


def _counts(counts: Mapping[str, int], check_mode: bool, always: Sequence[str] = ()) -> str:
    """The counts where there is something to count, and those that are always of interest."""
    words = {
        "changed": "would change" if check_mode else "changed",
        "unchanged": "unchanged",
        "failed": "failed",
        "not_attempted": "not attempted",
        # Of those to be changed, those of which nobody knew what they had.
        "unknown": "unknown before",
    }
    return ", ".join(f"{counts[name]} {text}" for name, text in words.items() if counts[name] or name in always)


def _failed_lines(result: Mapping[str, Any]) -> list[str]:
    failed: Sequence[Mapping[str, Any]] = result.get("failed_instances") or []
    lines = []
    for instance in failed[:_MOST_FAILED]:
        status = f"HTTP {instance['http_status']}" if instance.get("http_status") else ""
        why = " ".join(str(part) for part in (status, instance.get("error_code"), instance.get("error_msg")) if part)
        request = f" (request {instance['request_id']})" if instance.get("request_id") else ""
        lines.append(f"failed: {instance['instance_id']} in {instance['group']}: {why}{request}")
    more = (result.get("failed_instances_total") or len(failed)) - len(lines)
    if more > 0:
        lines.append(f"failed: {more} more")
    return lines


def _difference_lines(diff: Any) -> list[str]:
    """The differences as Ansible shows them in diff mode, without the line numbers."""
    lines: list[str] = []
    entries: Sequence[Mapping[str, str]] = [diff] if isinstance(diff, Mapping) else diff or []
    for entry in entries:
        lines += entry.get("prepared", "").splitlines()
        changed = unified_diff(
            entry.get("before", "").splitlines(),
            entry.get("after", "").splitlines(),
            entry.get("before_header", "before"),
            entry.get("after_header", "after"),
            n=0,
            lineterm="",
        )
        lines += [line for line in changed if not line.startswith("@@")]
    if len(lines) > _MOST_DIFFERENCES:
        lines[_MOST_DIFFERENCES:] = [f"and {len(lines) - _MOST_DIFFERENCES} more lines of differences"]
    return lines
