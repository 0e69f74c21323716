# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control API under ``/_emulator``: how a test arranges the world and looks at it."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from .codes import Answer
from .config import Config
from .rules import MAX_ID_LENGTH
from .world import World

PREFIX = "/_emulator/"


class Control:
    """The current world, and the way to a new one."""

    def __init__(self, config: Config, fleets: list[tuple[list[str], dict[str, Any]]]) -> None:
        self._config = config
        self._fleets = fleets
        self.world = World(config, fleets)

    def reset(self) -> None:
        """Begin anew, as the emulator was started."""
        self.world.end()
        self.world = World(self._config, self._fleets)

    def answer(self, method: str, what: str, query: dict[str, str], document: Any) -> Answer:
        """Carry out one control call; raises ValueError for a mistake in it and KeyError for one that there isn't."""
        world = self.world
        call = f"{method} {what}"
        if call == "POST reset":
            self.reset()
        elif call == "POST instances":
            for ids, attributes in read_instances(document):
                world.fleet.put(ids, attributes)
        elif call == "DELETE instances":
            world.fleet.remove(None)
        elif call == "POST instances/remove":
            world.fleet.remove(_ids(document))
        elif call == "POST instances/forget":
            named = (world.fleet.instances.get(instance_id) for instance_id in _ids(document))
            world.fleet.write([instance for instance in named if instance is not None], None, None)
        elif call == "POST faults":
            for fault in document if isinstance(document, list) else [document]:
                world.faults.append(_mapping(fault))
        elif call == "DELETE faults":
            world.faults.waiting.clear()
        elif call == "POST config":
            world.configure(_mapping(document))
        elif call == "POST tokens/expire":
            world.tokens.expire(_mapping(document).get("token"), world.config)
        elif call == "POST state":
            return Answer(200, self._state(_ids(document)))
        else:
            return Answer(200, self._read(call, query))
        return Answer(200, {"ok": True})

    def _read(self, call: str, query: dict[str, str]) -> Any:
        world = self.world
        if call == "GET health":
            return {"ok": True}
        if call == "GET state":
            return self._state(list(world.fleet.instances))
        if call == "GET requests":
            path = query.get("path")
            return [entry.as_dict() for entry in world.journal.entries if path in (None, entry.path)]
        if call == "GET counts":
            return world.journal.counts()
        if call == "GET settings":
            return world.journal.settings
        if call == "GET conflicts":
            return {
                "conflicts": world.journal.conflicts(),
                "repeated_request_ids": world.journal.repeated_request_ids,
            }
        if call == "GET config":
            return world.config.as_dict()
        if call == "GET tokens":
            return {"static": world.config.static_tokens, "issued": world.tokens.issued}
        if call == "GET faults":
            return [
                {"kind": item.kind, "path": item.path, "times": item.times, "skip": item.skip, "hits": item.hits}
                for item in world.faults.waiting
            ]
        raise KeyError(call)

    def _state(self, ids: list[str]) -> dict[str, Any]:
        # Settings go by digest, once per distinct value: in full, those of a large fleet would be 100 MB of JSON.
        known = (self.world.fleet.instances.get(instance_id) for instance_id in ids)
        return {
            "instances": {item.instance_id: item.as_dict() for item in known if item is not None},
            "settings": self.world.journal.settings,
        }


def read_instances(document: Any) -> list[tuple[list[str], dict[str, Any]]]:
    """Instances in either form.

    A list of objects with ``instance_id`` and attributes (or of bare ids), or, for large fleets, one object with
    ``instance_ids`` and the attributes that they share.
    """
    if isinstance(document, dict):
        attributes = dict(document)
        return [(_ids({"instance_ids": attributes.pop("instance_ids", None)}), attributes)]
    if not isinstance(document, list):
        raise ValueError("instances: neither a list nor an object")
    result: list[tuple[list[str], dict[str, Any]]] = []
    for item in document:
        attributes = {"instance_id": item} if isinstance(item, str) else dict(_mapping(item))
        instance_id = attributes.pop("instance_id", None)
        if not isinstance(instance_id, str) or not 1 <= len(instance_id) <= MAX_ID_LENGTH:
            raise ValueError(f"instances: {instance_id!r} is no instance id")
        result.append(([instance_id], attributes))
    return result


async def serve(request: web.Request, control: Control) -> web.Response:
    """Answer one request of the control API."""
    try:
        document = await request.json() if request.body_exists else {}
        answer = control.answer(request.method, request.match_info["what"], dict(request.query), document)
    except ValueError as error:
        answer = Answer(400, {"error": str(error)})
    except KeyError as error:
        answer = Answer(404, {"error": f"there is no {error.args[0]}"})
    return web.json_response(answer.document, status=answer.http_status)


def _mapping(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ValueError("an object is needed")
    return document


def _ids(document: Any) -> list[str]:
    ids = _mapping(document).get("instance_ids")
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise ValueError("instance_ids is not a list of strings")
    return ids
