# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on demand: which request is hit, and by what."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .codes import BATCH_QUERY, VIDEO_SETTING
from .config import is_integer, is_number

EFFECTS = ("none", "full", "partial")
THEN = ("drop", "answer", "hang", "error")

Check = Callable[[Any], bool]


def _status(value: object) -> bool:
    return is_integer(value) and 200 <= value <= 599  # type: ignore[operator]


def _text(value: object) -> bool:
    return isinstance(value, str)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _headers(value: object) -> bool:
    return isinstance(value, dict) and all(_text(item) for item in (*value.keys(), *value.values()))


def _optional_number(value: object) -> bool:
    return value is None or is_number(value)


def _count(value: object) -> bool:
    return is_integer(value) and is_number(value)


def _effect(value: object) -> bool:
    return value in EFFECTS


_EFFECT: tuple[Any, Check] = ("none", _effect)
_REQUIRED = object()

# Per kind its fields, each with its default and its check.
KINDS: dict[str, dict[str, tuple[Any, Check]]] = {
    "latency": {"seconds": (_REQUIRED, is_number)},
    "error": {
        "http_status": (500, _status),
        "error_code": ("KOOPHONE.API.9999", _text),
        "error_msg": ("Internal error.", _text),
        "headers": ({}, _headers),
        "echo_headers": (False, _flag),
        "effect": _EFFECT,
    },
    "drop": {"effect": _EFFECT},
    "html": {"http_status": (502, _status), "echo_headers": (False, _flag), "effect": _EFFECT},
    "throttle": {
        "retry_after": (None, lambda value: _optional_number(value) or _text(value)),
        "retry_after_date": (None, _optional_number),
        "effect": _EFFECT,
    },
    "late": {
        "seconds": (_REQUIRED, is_number),
        "then": ("drop", lambda value: value in THEN),
        "http_status": (504, _status),
        "error_code": ("APIGW.0201", _text),
        "error_msg": ("The backend did not answer in time.", _text),
        "effect": ("full", _effect),
    },
    "drip": {
        "seconds_per_byte": (_REQUIRED, is_number),
        "head": (False, _flag),
        "effect": ("full", _effect),
    },
    "empty": {"http_status": (200, _status), "effect": _EFFECT},
    "text": {
        "body": (_REQUIRED, _text),
        "http_status": (200, _status),
        "content_type": ("application/json", _text),
        "effect": _EFFECT,
    },
    "huge": {"bytes": (_REQUIRED, _count), "http_status": (200, _status), "effect": _EFFECT},
    "redirect": {"location": (_REQUIRED, _text), "status": (307, _status), "effect": _EFFECT},
    "shuffle_pages": {"by": (None, lambda value: value is None or _count(value))},
    "total_count": {"value": (None, lambda value: value is None or _count(value)), "delta": (0, is_integer)},
}
LISTING_KINDS = ("shuffle_pages", "total_count")
# These change how an ordinary answer comes about, so that several of them and one other can hit the same request.
ADDITIVE_KINDS = ("latency", *LISTING_KINDS)

_SELECTORS: dict[str, tuple[Any, Check]] = {
    "times": (1, lambda value: value is None or _count(value)),
    "skip": (0, _count),
    "probability": (1.0, lambda value: is_number(value) and value <= 1),
    "seed": (0, is_integer),
    "path": (None, lambda value: value is None or _text(value)),
    "ids": (None, lambda value: value is None or (isinstance(value, list) and all(_text(item) for item in value))),
}


@dataclass
class Fault:
    """One fault with its selectors; ``times`` is how often it will still strike, None for ever."""

    kind: str
    values: dict[str, Any]
    path: str
    ids: frozenset[str] | None
    times: int | None
    skip: int
    probability: float
    rng: random.Random
    hits: int = 0

    def strikes(self, path: str, ids: frozenset[str]) -> bool:
        """Whether this request is one of the fault's; counts it towards ``skip``."""
        if self.path not in ("*", path) or (self.ids is not None and not self.ids & ids):
            return False
        if self.skip:
            self.skip -= 1
            return False
        return self.times != 0 and self.rng.random() < self.probability

    def use(self) -> None:
        """Count a strike."""
        self.hits += 1
        if self.times is not None:
            self.times -= 1

    def coin(self) -> bool:
        """One toss of the fault's own seeded coin."""
        return self.rng.random() < 0.5


@dataclass
class Hit:
    """What strikes one request: at most one fault that replaces the answer, and any that merely colour it."""

    main: Fault | None = None
    additive: list[Fault] = field(default_factory=list)

    @property
    def latency(self) -> float:
        """Additional seconds before the effect."""
        return sum(float(fault.values["seconds"]) for fault in self.additive if fault.kind == "latency")

    @property
    def names(self) -> str | None:
        """The kinds for the journal, joined by a plus sign."""
        kinds = [fault.kind for fault in self.additive] + ([self.main.kind] if self.main else [])
        return "+".join(kinds) or None

    def of_kind(self, kind: str) -> Fault | None:
        """The additive fault of a kind."""
        return next((fault for fault in self.additive if fault.kind == kind), None)


class Faults:
    """The faults that wait for requests, in the order in which they were asked for."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def append(self, document: dict[str, Any]) -> None:
        """Add one fault; raises ValueError for a mistake in it."""
        self.waiting.append(parse(document))

    def draw(self, path: str, ids: frozenset[str]) -> Hit:
        """What strikes a request that has just arrived. Every matching fault counts it towards its ``skip``."""
        hit = Hit()
        for fault in self.waiting:
            if not fault.strikes(path, ids):
                continue
            if fault.kind in ADDITIVE_KINDS:
                hit.additive.append(fault)
                fault.use()
            elif hit.main is None:
                hit.main = fault
                fault.use()
        return hit


def parse(document: dict[str, Any]) -> Fault:
    """A fault from its JSON form ``{"kind": …, fields and selectors}``."""
    given = dict(document)
    kind = given.pop("kind", None)
    if kind not in KINDS:
        raise ValueError(f"faults: kind {kind!r} is none of {', '.join(KINDS)}")
    selectors = {name: _take(kind, given, name, *rule) for name, rule in _SELECTORS.items()}
    values = {name: _take(kind, given, name, *rule) for name, rule in KINDS[kind].items()}
    if given:
        raise ValueError(f"faults: {kind} does not know {', '.join(sorted(given))}")
    ids = selectors["ids"]
    return Fault(
        kind=kind,
        values=values,
        path=selectors["path"] or (BATCH_QUERY if kind in LISTING_KINDS else VIDEO_SETTING),
        ids=None if ids is None else frozenset(ids),
        times=selectors["times"],
        skip=selectors["skip"],
        probability=float(selectors["probability"]),
        rng=random.Random(selectors["seed"]),
    )


def _take(kind: str, given: dict[str, Any], name: str, default: Any, check: Check) -> Any:
    value = given.pop(name, default)
    if value is _REQUIRED:
        raise ValueError(f"faults: {kind} needs {name}")
    if not check(value):
        raise ValueError(f"faults: {name} of {kind} cannot be {value!r}")
    return value
