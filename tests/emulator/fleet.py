# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instances and the truth about them: what each was set to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from .codes import RefusalError
from .config import Config, is_integer
from .rules import MAX_ID_LENGTH

# In this order, because the page does not say which code wins: first what concerns the right to the instance, then
# what concerns its condition. The mix of regions stands between them (None).
PRECEDENCE: tuple[str | None, ...] = (
    "missing",
    "foreign",
    "forbidden",
    None,
    "frozen",
    "restoring",
    "backing_up",
    "no_device",
)
OWNERSHIP = frozenset({"missing", "foreign", "forbidden"})
KINDS = ("ok", *(kind for kind in PRECEDENCE if kind))
_CODES = {
    "missing": (0, "KOOPHONE.API.4001"),
    "foreign": (HTTPStatus.OK, "KOOPHONE.API.1012"),
    "forbidden": (HTTPStatus.UNAUTHORIZED, "KOOPHONE.API.1001"),
    "frozen": (HTTPStatus.OK, "KOOPHONE.API.2004"),
    "restoring": (HTTPStatus.OK, "KOOPHONE.API.2005"),
    "backing_up": (HTTPStatus.OK, "KOOPHONE.API.2006"),
    "no_device": (0, "KPAPI.2209"),
}


@dataclass
class Instance:
    """One cloud phone. ``passes_after`` is how many requests naming it are still refused before it is ``ok``."""

    __slots__ = (
        "attributes",
        "instance_id",
        "kind",
        "last_request_id",
        "name",
        "passes_after",
        "region",
        "settings_digest",
        "writes",
    )
    instance_id: str
    region: str | None
    name: str | None
    kind: str
    passes_after: int | None
    attributes: dict[str, Any]
    settings_digest: str | None
    writes: int
    last_request_id: str | None

    def as_dict(self) -> dict[str, Any]:
        """The truth about the instance."""
        return {
            "region": self.region,
            "kind": self.kind,
            "settings_digest": self.settings_digest,
            "writes": self.writes,
            "last_request_id": self.last_request_id,
        }


@dataclass
class Verdict:
    """Which of the named instances a request may touch, and why it is refused if it is."""

    good: list[Instance] = field(default_factory=list)
    refusal: RefusalError | None = None


class Fleet:
    """All instances by id, in the order in which they were added."""

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}

    def put(self, ids: Iterable[str], attributes: dict[str, Any]) -> None:
        """Add instances, or change those that are there; what they were set to stays as it is."""
        given = _checked(attributes)
        extra = {name: value for name, value in given.items() if name not in _OWN}
        names = list(ids)
        for instance_id in names:
            if not 1 <= len(instance_id) <= MAX_ID_LENGTH:
                raise ValueError(f"instances: {instance_id!r} does not have 1 to {MAX_ID_LENGTH} characters")
        for instance_id in names:
            known = self.instances.get(instance_id)
            if known is None:
                known = Instance(instance_id, None, None, "ok", None, {}, None, 0, None)
                self.instances[instance_id] = known
            if "kind" in given:
                known.kind, known.passes_after = given["kind"], given.get("passes_after")
            known.region = given.get("region", known.region)
            known.name = given.get("name", known.name)
            if extra:
                known.attributes = {**known.attributes, **extra} if known.attributes else extra

    def remove(self, ids: Iterable[str] | None) -> None:
        """Take instances away; None takes all."""
        if ids is None:
            self.instances.clear()
        else:
            for instance_id in ids:
                self.instances.pop(instance_id, None)

    def examine(self, ids: list[str], config: Config, *, ownership_only: bool = False) -> Verdict:
        """Judge a request's instances; unless only whose they are matters, it counts towards their ``passes_after``."""
        verdict = Verdict()
        bad: set[str] = set()
        regions: set[str] = set()
        for instance_id in dict.fromkeys(ids):
            instance = self._find(instance_id, config)
            if instance is None:
                bad.add("missing")
                continue
            kind = instance.kind if ownership_only else _meet(instance)
            if kind == "ok" or (ownership_only and kind not in OWNERSHIP):
                verdict.good.append(instance)
            else:
                bad.add(kind)
            if instance.region is not None and kind not in OWNERSHIP:
                regions.add(instance.region)
        if ownership_only:
            regions.clear()
        for kind_or_mix in PRECEDENCE:
            if kind_or_mix is None and len(regions) > 1:
                verdict.refusal = RefusalError(HTTPStatus.BAD_REQUEST, "KOOPHONE.API.1002")
                break
            if kind_or_mix in bad:
                verdict.refusal = _refusal(kind_or_mix, config)
                break
        if len(regions) > 1 and config.on_refusal == "others":
            # In a mix of regions no instance is the good one.
            verdict.good.clear()
        return verdict

    def write(
        self,
        instances: Iterable[Instance],
        digest: str | None,
        request_id: str | None,
        keep: Callable[[], bool] | None = None,
    ) -> int:
        """Set instances (None: make them forget), all or those for which ``keep`` says so; returns how many."""
        written = 0
        for instance in instances:
            if keep is None or keep():
                instance.settings_digest = digest
                instance.writes += 1
                instance.last_request_id = request_id
                written += 1
        return written

    def _find(self, instance_id: str, config: Config) -> Instance | None:
        instance = self.instances.get(instance_id)
        if instance is None and config.open_fleet:
            self.put([instance_id], {"region": config.open_region})
            instance = self.instances[instance_id]
        return instance


def _meet(instance: Instance) -> str:
    kind = instance.kind
    if kind != "ok" and instance.passes_after is not None:
        if instance.passes_after == 0:
            instance.kind, instance.passes_after = "ok", None
            return "ok"
        instance.passes_after -= 1
    return kind


def _refusal(kind: str, config: Config) -> RefusalError:
    status, code = _CODES[kind]
    return RefusalError(
        {"missing": config.missing_status, "no_device": config.no_device_status}.get(kind, status), code
    )


_OWN = ("kind", "passes_after", "region", "name")
LISTED_ATTRIBUTES = frozenset(
    {
        "instance_sku",
        "frozen_status",
        "running_status",
        "login_status",
        "assign_status",
        "assign_user",
        "billing_mode",
        "project_id",
        "project_name",
        "phone_id",
        "member_name",
        "account_name",
        "region_name",
        "region_name_en",
        "backup_status",
        "backup_time",
        "restore_status",
        "restore_time",
        "created_at",
        "pool_scene_tag",
        "pool_name",
    }
)


def _checked(attributes: dict[str, Any]) -> dict[str, Any]:
    given = dict(attributes)
    if "sku" in given:
        given["instance_sku"] = given.pop("sku")
    if "instance_name" in given:
        given["name"] = given.pop("instance_name")
    unknown = sorted(set(given) - set(_OWN) - LISTED_ATTRIBUTES)
    if unknown:
        raise ValueError(f"instances: {', '.join(unknown)} unknown")
    if given.get("kind", "ok") not in KINDS:
        raise ValueError(f"instances: kind is none of {', '.join(KINDS)}")
    passes_after = given.get("passes_after")
    if passes_after is not None and (not is_integer(passes_after) or passes_after < 0 or "kind" not in given):
        raise ValueError("instances: passes_after is a number of requests, and goes with a kind")
    for name in ("region", "name"):
        if given.get(name) is not None and not isinstance(given[name], str):
            raise ValueError(f"instances: {name} is not a string")
    return given
