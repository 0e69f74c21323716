# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Waves: a fleet is changed in growing parts, each a run of the module, until one of them fails too often. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ansible_collections.koophone.fleet.plugins.module_utils._diff import Room
from ansible_collections.koophone.fleet.plugins.module_utils._limits import Portion, parse_portion
from ansible_collections.koophone.fleet.plugins.module_utils._report import LISTED_AT_MOST
from ansible_collections.koophone.fleet.plugins.plugin_utils._values import counted, is_unset, to_list, to_text


def parse_waves(value: Any, place: str, mistakes: list[str]) -> list[str]:
    """Read a list of growing parts of the fleet, such as `[1%, 10%, 100%]`; as text, with commas between them."""
    if is_unset(value):
        return []
    if isinstance(value, str) and not value.lstrip().startswith("["):
        value = value.split(",")
    elif isinstance(value, int):
        value = [value]
    waves: list[Portion] = []
    for number, given in enumerate(to_list(value, "waves", place, mistakes)):
        if is_unset(given):
            mistakes.append(f"{place}[{number}]: is empty")
        wave = _portion(given, f"{place}[{number}]", mistakes)
        if wave is not None:
            if wave.number or wave.percent:
                waves.append(wave)
            else:
                mistakes.append(f"{place}[{number}]: {wave.text} is no instance at all")
    for before, after in pairwise(waves):
        if (before.percent is None) != (after.percent is None):
            if after.percent != 100:
                mistakes.append(
                    f"{place}: {before.text} and {after.text} cannot be compared; give numbers or shares, up to 100%"
                )
        elif (before.percent or before.number or 0) >= (after.percent or after.number or 0):
            mistakes.append(f"{place}: {after.text} comes after {before.text}; each wave has to reach further")
    return [wave.text for wave in waves]


def parse_max_failures(value: Any, place: str, mistakes: list[str]) -> str:
    """Read how many of a wave's instances (`3`), or which share of them (`5%`), may fail; none if not given."""
    portion = _portion(value, place, mistakes)
    return "0" if portion is None else portion.text


def _portion(value: Any, place: str, mistakes: list[str]) -> Portion | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = to_text(value, place, mistakes)
    return None if text is None else parse_portion(text, place, mistakes)


def after_wave(
    done: Mapping[str, Any] | None, wave: str, result: Mapping[str, Any], max_failures: str
) -> dict[str, Any]:
    """The result of all waves so far, as the module would have returned it for all of them together.

    `waves` has a line for each, and `ended` says why no other is to follow; it is empty while one is.
    """
    summary = result.get("summary")
    if summary is None and done is not None:
        # What the waves before did is no less done.
        why = f"wave {wave} did not begin: {result.get('msg') or 'the module returned no summary'}"
        return {**done, "failed": True, "msg": why, "waves": [*done["waves"], why], "ended": why}
    if summary is None:
        return {**result, "waves": [], "ended": "the first wave did not begin"}
    # In check mode nothing moves: each prediction includes those of the waves before.
    merged = dict(result) if done is None or result.get("check_mode") else _together(done, result)
    total = merged["summary"]
    right = total["instances"] - total["failed"] - total["not_attempted"]
    changed, are = ("would change", "would be") if result.get("check_mode") else ("changed", "are")
    line = (
        f"wave {wave}: {summary['changed']} {changed}, {summary['failed']} failed;"
        f" {right} of {counted(total['instances'], 'instance')} {are} as desired"
    )
    merged["ended"] = _end(wave, summary, result, max_failures)
    merged["waves"] = [*(done or {}).get("waves", []), line + (f"; {merged['ended']}" if merged["ended"] else "")]
    return merged


def _end(wave: str, summary: Mapping[str, int], result: Mapping[str, Any], max_failures: str) -> str:
    attempted, failed = summary["changed"] + summary["failed"], summary["failed"]
    limit = parse_portion(max_failures, "", [])
    if result.get("ended_by"):
        return f"the run ended early: {result['ended_by']}"
    if limit is None or failed > limit.at_most(attempted):
        return (
            f"stopped after this wave: {failed} of {counted(attempted, 'instance')} failed, and"
            f" video_setting_max_failures is {max_failures}"
        )
    if not summary["failed"] and not summary["not_attempted"]:
        return "all is as desired"
    return ""


def _together(done: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """Two results as one: changes add up; what failed or was left is as the later wave, which tried it all, has it."""
    before = {group["name"]: group for group in done["instance_groups"]}
    changed: Sequence[str] = [*done["changed_instances"], *result["changed_instances"]]
    last = {"msg": f"In the last wave: {result['msg']}"} if result.get("msg") else {}
    return {
        **result,
        **last,
        "changed": done["changed"] or result["changed"],
        # What was planned at first was the whole.
        "plan_digest": done["plan_digest"],
        "oldest_applied_at": done.get("oldest_applied_at"),
        "requests": done["requests"] + result["requests"],
        "summary": _counts(done["summary"], result["summary"]),
        "instance_groups": [
            {"name": group["name"], **_counts(before[group["name"]], group)} for group in result["instance_groups"]
        ],
        "changed_instances": changed[:LISTED_AT_MOST],
        "changed_instances_total": done["changed_instances_total"] + result["changed_instances_total"],
        **_differences(done, result),
    }


def _counts(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    # With max_age, what an early wave applied may be applied again by a late one.
    changed = min(before["changed"] + after["changed"], after["instances"] - after["failed"] - after["not_attempted"])
    return {
        "instances": after["instances"],
        "changed": changed,
        "unchanged": after["instances"] - changed - after["failed"] - after["not_attempted"],
        "failed": after["failed"],
        "unknown": before["unknown"],
        "not_attempted": after["not_attempted"],
    }


def _differences(done: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """As many as one run would show, and a line about the rest; all of them were shown wave by wave."""
    left_out = done.get("differences_left_out") or 0
    before: Sequence[Mapping[str, str]] = done.get("diff") or []
    kept = list(before[:-1] if left_out else before)
    room = Room()
    for entry in kept:
        room.takes(entry)
    for entry in result.get("diff") or []:
        if left_out or not room.takes(entry):
            left_out += 1
        else:
            kept.append(entry)
    if left_out:
        kept.append({"prepared": f"... and {left_out} more differences\n"})
    return {"diff": kept, "differences_left_out": left_out}
