# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random sequences of runs, faults, kills and pauses: how one is drawn from a seed, and what its steps mean.

A sequence is plain data, so that it can be printed, shortened and run again.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.races.run import Timing

# Requests must land within a try's start + timeout + settle; the emulator's own delays come on top of the fault's.
_MARGIN = 0.12
PALETTE = 3
KINDS = ("missing", "foreign", "forbidden", "frozen", "restoring", "backing_up", "no_device")


@dataclass(frozen=True)
class Step:
    """One step. `then` is for how many seconds to let things run before the next one; None: until all runs ended."""

    do: str
    given: dict[str, Any] = field(default_factory=dict)
    then: float | None = 0.0


@dataclass(frozen=True)
class Sequence:
    """`instances` are named by their index; the `timing` is that of all runs but the last, which is calm.

    `regions`: there is "one", there are two and they are "known", or two of which the runs do not know.
    """

    instances: int
    regions: str
    on_refusal: str
    seed: int
    steps: tuple[Step, ...]
    final: tuple[int, ...]
    timing: Timing = field(default_factory=Timing)

    @property
    def ids(self) -> list[str]:
        return [f"i{index:02}" for index in range(self.instances)]

    def region_of(self, instance_id: str) -> str:
        return "cn-north-4" if self.regions != "one" and int(instance_id[1:]) % 3 == 0 else "cn-south-1"

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Sequence:
        steps = tuple(Step(step["do"], step["given"], step["then"]) for step in data["steps"])
        return cls(**{**data, "steps": steps, "final": tuple(data["final"]), "timing": Timing(**data["timing"])})


def draw(seed: int) -> Sequence:
    """The sequence of a seed: always the same one."""
    rng = random.Random(seed)
    timing = Timing()
    instances = rng.randint(2, 9)
    steps: list[Step] = []
    while len(steps) < rng.randint(3, 12):
        if rng.random() < 0.3:
            steps.extend(_duel(rng, instances, timing))
            continue
        if rng.random() < 0.7:
            steps.append(_faults(rng, instances, timing))
        if rng.random() < 0.15:
            steps.append(_kinds(rng, instances))
        if rng.random() < 0.08:
            steps.append(Step("forget", {"instances": _some(rng, instances)}, rng.choice([0.0, 0.03])))
        steps.append(_run(rng, instances, timing))
    return Sequence(
        instances=instances,
        regions=rng.choice(["one", "one", "one", "one", "known", "unknown"]),
        on_refusal=rng.choice(["none", "others", "random"]),
        seed=seed,
        steps=tuple(steps),
        final=tuple(rng.randrange(PALETTE) for _unused in range(instances)),
        timing=timing,
    )


def _some(rng: random.Random, instances: int) -> list[int]:
    return sorted(rng.sample(range(instances), rng.randint(1, instances)))


def _run(rng: random.Random, instances: int, timing: Timing) -> Step:
    # One wish for all is what makes a run take over from another; several are what makes it wait.
    wishes = [rng.randrange(PALETTE) for _unused in range(rng.choice([1, 1, 1, 2, 3]))]
    given: dict[str, Any] = {
        "desired": {str(index): rng.choice(wishes) for index in _some(rng, instances)}
        if rng.random() < 0.3
        else {str(index): rng.choice(wishes) for index in range(instances)},
        "batch_size": rng.choice([1, 2, 3, 4, 100]),
        "concurrency": rng.choice([1, 2, 3]),
        "retries": rng.choice([0, 1, 2, 4]),
        "claim_timeout": rng.choice([0.0, 0.2, 1.5]),
        "force": rng.random() < 0.1,
    }
    chance = rng.random()
    if chance < 0.25:
        given["strikes"] = [[*_moment(rng), "SIGKILL"]]
    elif chance < 0.45:
        given["strikes"] = [[*_moment(rng), "SIGSTOP"]]
        given["pause"] = _pause(rng, timing)
        given["killed"] = rng.random() < 0.3
    elif chance < 0.6:
        given["kill_after"] = rng.uniform(0.0, 0.3)
    elif chance < 0.7:
        given["stop_after"] = rng.uniform(0.0, 0.25)
        given["pause"] = _pause(rng, timing)
        given["killed"] = rng.random() < 0.3
    elif chance < 0.75:
        given["tell_after"] = rng.uniform(0.02, 0.25)
    # Overlapping runs are what claims are for; but a chain of them only is none.
    then = None if rng.random() < 0.4 else rng.choice([0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
    return Step("run", given, then)


def _duel(rng: random.Random, instances: int, timing: Timing) -> list[Step]:
    """Two runs with different wishes, the first of which leaves something behind that the second must not overlook."""
    first, second = rng.sample(range(PALETTE), 2)
    long = timing.lease + timing.grace + 0.4
    given = _plain_run(instances, first)
    given.update(retries=rng.choice([0, 0, 1]), batch_size=rng.choice([1, 3, 100]))
    late = {**_late(rng, timing.grace - _MARGIN), "seconds": timing.grace - _MARGIN, "times": rng.choice([1, 3])}
    late["then"] = rng.choice(["drop", "error", "hang"])
    faults = [late]
    how = rng.choice(["late", "killed", "taken over", "paused in flight", "paused before", "forgotten"])
    if how == "killed" or (how == "taken over" and rng.random() < 0.5):
        given["strikes"] = [[rng.choice(["send", "sent"]), rng.randint(1, 2), "SIGKILL"]]
        given["kill_after"] = rng.uniform(0.1, 0.4)
    elif how == "paused in flight":
        faults = []
        given.update(strikes=[["sent", 1, "SIGSTOP"]], pause=long)
    elif how == "paused before":
        faults = []
        given.update(pause=long)
        # The mark is the second or the third thing that is written: a new SQLite file comes first.
        given["strikes"] = [["committed", rng.choice([2, 3]), "SIGSTOP"], ["sent", 1, "SIGKILL"]]
    steps = [Step("faults", {"faults": faults}), Step("run", given, rng.choice([None, 0.05, 0.2]))]
    if "paused" in how:
        steps[-1] = Step("run", given, 0.1)
    if how == "forgotten":
        steps.append(Step("forget", {"instances": _some(rng, instances)}, 0.02))
    if how == "taken over":
        # Somebody else wants the same, gets it confirmed at once, and is gone before the first request is carried out.
        steps[-1] = Step("run", given, 0.08)
        steps.append(Step("faults", {"faults": []}))
        steps.append(Step("run", _plain_run(instances, first), 0.12))
    elif rng.random() < 0.7:
        steps.append(Step("faults", {"faults": []}))
    wishes = _plain_run(instances, second)
    if rng.random() < 0.3:
        wishes["desired"].update({str(index): first for index in _some(rng, instances)})
    steps.append(Step("run", wishes, rng.choice([None, None, 0.3])))
    return steps


def _plain_run(instances: int, number: int) -> dict[str, Any]:
    return {
        "desired": {str(index): number for index in range(instances)},
        "batch_size": 3,
        "concurrency": 2,
        "retries": 1,
        "claim_timeout": 1.5,
        "force": False,
    }


def _moment(rng: random.Random) -> tuple[str, int]:
    event = rng.choice(["open", "sql", "sql", "commit", "committed", "committed", "send", "send", "sent", "sent"])
    most = {"open": 1, "sql": 60, "commit": 8, "committed": 8, "send": 5, "sent": 5}[event]
    return event, rng.randint(1, most)


def _pause(rng: random.Random, timing: Timing) -> float:
    """Shorter than a heartbeat, about as long as a claim, longer than claim and doubt together."""
    return rng.choice([0.05, timing.lease, timing.lease + timing.grace / 2, timing.lease + timing.grace + 0.15])


def _kinds(rng: random.Random, instances: int) -> Step:
    given = {}
    for index in rng.sample(range(instances), rng.randint(1, min(3, instances))):
        kind = rng.choice(KINDS)
        passes = rng.randint(1, 3) if kind in ("restoring", "backing_up") else None
        given[str(index)] = [kind, passes]
    return Step("kinds", given)


def _faults(rng: random.Random, instances: int, timing: Timing) -> Step:
    return Step("faults", {"faults": [_fault(rng, instances, timing) for _unused in range(rng.randint(1, 4))]})


def _fault(rng: random.Random, instances: int, timing: Timing) -> dict[str, Any]:
    effect = rng.choice(["none", "full", "full", "partial"])
    longest = timing.grace - _MARGIN
    fault: dict[str, Any] = rng.choice(
        [
            {"kind": "latency", "seconds": rng.choice([0.02, 0.05, longest])},
            {"kind": "error", "effect": effect},
            {"kind": "error", "effect": effect, "http_status": 400, "error_code": "KOOPHONE.API.1000"},
            {"kind": "error", "effect": effect, "http_status": 503, "error_code": "APIG.0201"},
            {"kind": "drop", "effect": effect},
            {"kind": "html", "effect": effect, "http_status": rng.choice([502, 503, 408, 403])},
            {"kind": "throttle", "retry_after": 0},
            _late(rng, longest),
            _late(rng, longest),
            _late(rng, longest),
            {"kind": "drip", "effect": "full", "seconds_per_byte": rng.choice([0.001, 0.02]), "head": False},
            {"kind": "empty", "effect": effect},
            {"kind": "text", "effect": effect, "body": rng.choice(["{", "[]", '{"error_code": null}', "null"])},
            {"kind": "huge", "effect": effect, "bytes": 100_000, "http_status": 502},
            {"kind": "redirect", "effect": effect, "location": "http://127.0.0.1:9/"},
        ]
    )
    fault["times"] = rng.choice([1, 1, 2, 4])
    if rng.random() < 0.3:
        fault["skip"] = rng.randint(1, 3)
    if rng.random() < 0.3:
        fault["ids"] = [f"i{index:02}" for index in _some(rng, instances)]
    fault["seed"] = rng.randrange(1000)
    return fault


def _late(rng: random.Random, longest: float) -> dict[str, Any]:
    then = rng.choice(["drop", "drop", "hang", "error", "answer"])
    return {
        "kind": "late",
        "seconds": rng.choice([0.02, rng.uniform(0.02, longest), longest]),
        "then": then,
        # The API's "done" is no lie.
        "effect": "full" if then == "answer" else rng.choice(["full", "full", "partial", "none"]),
    }
