# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The listing of instances, page by page."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timezone
from http import HTTPStatus
from typing import Any

from .codes import Answer, RefusalError, success
from .config import Config
from .faults import Hit
from .fleet import Fleet, Instance
from .rules import wrong

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
SCENE_TAGS = ("CLOUD_APP", "CLOUD_PHONE")
DEFAULT_SKU = "Professional edition | 8 vCPUs | 16 GB | 128 GB | 1080P"
DEFAULT_CREATED_AT = "2023-08-15 14:30:45"
_PARAMETERS = frozenset(
    {
        "x-request-id",
        "page_no",
        "page_size",
        "instance_id",
        "instance_name",
        "query_start_time",
        "query_end_time",
        "pool_scene_tag",
        "pool_name",
        "order",
        "order_by",
    }
)
_ELEMENT_DEFAULTS: dict[str, Any] = {
    "instance_sku": DEFAULT_SKU,
    "frozen_status": 0,
    "running_status": 2,
    "login_status": 0,
    "assign_status": 0,
    "assign_user": "",
    "billing_mode": "",
    "project_id": "emulator-project-id",
    "project_name": "emulator-project",
    "phone_id": "",
    "member_name": "",
    "account_name": "emulator-account",
    "region_name": "",
    "region_name_en": "",
    "backup_status": 0,
    "backup_time": "",
    "restore_status": 0,
    "restore_time": "",
}


def element_of(instance: Instance) -> dict[str, Any]:
    """An instance as the listing shows it, with every documented field."""
    region = instance.region or ""
    element = {
        "instance_id": instance.instance_id,
        "instance_name": instance.name if instance.name is not None else f"phone-{instance.instance_id}",
        "region": region,
        **_ELEMENT_DEFAULTS,
        "region_name": region,
        "region_name_en": region,
        "frozen_status": int(instance.kind == "frozen"),
        "restore_status": int(instance.kind == "restoring"),
        "backup_status": int(instance.kind == "backing_up"),
    }
    element.update((name, value) for name, value in instance.attributes.items() if name in _ELEMENT_DEFAULTS)
    return element


def list_instances(query: Mapping[str, str], fleet: Fleet, config: Config, hit: Hit) -> Answer:
    """Answer ``GET /v1/instances/batch-query``."""
    unknown = sorted(set(query) - _PARAMETERS)
    if unknown:
        raise wrong(", ".join(unknown))
    page_no = _page_number(query, "page_no", None)
    page_size = _page_number(query, "page_size", config.max_page_size)
    _check_filters(query)
    found = [
        instance
        for instance in fleet.instances.values()
        if instance.kind not in ("missing", "foreign") and _matches(instance, query)
    ]
    _sort(found, query)
    total = len(found)
    shift = hit.of_kind("shuffle_pages")
    if shift is not None:
        by = shift.values["by"]
        if by is None:
            random.Random(shift.rng.random()).shuffle(found)
        elif found:
            offset = by * shift.hits % total
            found = found[offset:] + found[:offset]
    lie = hit.of_kind("total_count")
    if lie is not None:
        stated = lie.values["value"]
        total = stated if stated is not None else max(0, total + lie.values["delta"])
    start = (page_no - 1) * page_size
    return success(
        {
            "result": [element_of(instance) for instance in found[start : start + page_size]],
            "page_no": page_no,
            "page_size": page_size,
            "total_count": total,
        }
    )


def list_statuses(instances: list[Instance]) -> Answer:
    """Answer ``POST /v1/instances/batch-query-status``. The page does not show its shape; this is the listing's."""
    names = ("instance_id", "running_status", "frozen_status", "login_status", "backup_status", "restore_status")
    elements = (element_of(instance) for instance in instances)
    return success({"result": [{name: element[name] for name in names} for element in elements]})


def check_request_id(query: Mapping[str, str]) -> None:
    """The request id of this call is a query parameter; its lack is answered as that of the header."""
    if not query.get("x-request-id"):
        raise RefusalError(HTTPStatus.OK, "KOOPHONE.API.0002")


def _page_number(query: Mapping[str, str], name: str, most: int | None) -> int:
    text = query.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise wrong(name)
    number = int(text)
    if number < 1 or (most is not None and number > most):
        raise wrong(name)
    return number


def _matches(instance: Instance, query: Mapping[str, str]) -> bool:
    attributes = instance.attributes
    if "instance_id" in query and instance.instance_id != query["instance_id"]:
        return False
    # The page does not say whether a name has to match as a whole; a part is the answer that a client survives
    # only if it looks for itself.
    if "instance_name" in query and query["instance_name"] not in element_of(instance)["instance_name"]:
        return False
    if "pool_scene_tag" in query and attributes.get("pool_scene_tag", "CLOUD_PHONE") != query["pool_scene_tag"]:
        return False
    if "pool_name" in query and attributes.get("pool_name", "") != query["pool_name"]:
        return False
    created = str(attributes.get("created_at", DEFAULT_CREATED_AT))
    return query.get("query_start_time", created) <= created <= query.get("query_end_time", created)


def _check_filters(query: Mapping[str, str]) -> None:
    for name in ("query_start_time", "query_end_time"):
        if name in query and not _is_time(query[name]):
            raise wrong(name)
    if query.get("pool_scene_tag", SCENE_TAGS[0]) not in SCENE_TAGS:
        raise wrong("pool_scene_tag")
    # The page names these two without their values: the usual words, and the fields of an element.
    if query.get("order", "asc").lower() not in ("asc", "desc"):
        raise wrong("order")
    if query.get("order_by", "instance_id") not in {"instance_id", "instance_name", "region", *_ELEMENT_DEFAULTS}:
        raise wrong("order_by")


def _is_time(text: str) -> bool:
    try:
        return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=timezone.utc).strftime(TIME_FORMAT) == text
    except ValueError:
        return False


def _sort(found: list[Instance], query: Mapping[str, str]) -> None:
    if "order" in query or "order_by" in query:
        key = query.get("order_by", "instance_id")
        descending = query.get("order", "asc").lower() == "desc"
        found.sort(key=lambda instance: str(element_of(instance)[key]), reverse=descending)
