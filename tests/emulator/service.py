# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of one request through the emulator."""

from __future__ import annotations

import asyncio

from aiohttp import ClientError, web

from . import delivery
from .auth import SignedParts
from .calls import Call, Coin
from .codes import RefusalError, refused
from .faults import Fault
from .world import World


async def serve(request: web.Request, world: World) -> web.StreamResponse:
    """Take in one request of the API: journal it, let the faults at it, carry it out, answer."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    entry = world.journal.open(
        request.method, request.path, f"{peer[0]}:{peer[1]}" if peer else None, request.headers.get("Host")
    )
    try:
        body = await request.read()
    except (OSError, ClientError):
        # The client went away in the middle of its request.
        return delivery.drop(request, entry)
    try:
        parts = SignedParts(
            method=request.method,
            path=request.path,
            query=list(request.query.items()),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
        )
        return await _serve(request, Call(world, entry, parts))
    finally:
        # Whatever ends the handler early, a shutdown or a mistake in here, the request is over.
        entry.finish()


async def _serve(request: web.Request, call: Call) -> web.StreamResponse:
    entry = call.entry
    call.hit = call.world.faults.draw(call.parts.path, frozenset(entry.instance_ids or ()))
    entry.fault = call.hit.names
    fault = call.hit.main
    if fault is None:
        refusal = call.pass_gateway()
        if refusal is not None:
            return delivery.plain(request, entry, refused(refusal))
        await _wait(call)
        return delivery.plain(request, entry, call.carry_out())
    if fault.kind == "late":
        return await _late(request, call, fault)
    answer = None
    if fault.values["effect"] == "none":
        await _wait(call)
    else:
        refusal = call.pass_gateway()
        await _wait(call)
        answer = refused(refusal) if refusal is not None else call.carry_out(_coin(fault))
    if fault.kind == "drip":
        return await delivery.drip(request, entry, answer or refused(RefusalError(500, "KOOPHONE.API.9999")), fault)
    return await delivery.faulty(request, entry, fault)


async def _late(request: web.Request, call: Call, fault: Fault) -> web.StreamResponse:
    then, entry = fault.values["then"], call.entry
    refusal = call.pass_gateway()
    done: asyncio.Task[None] | None = None
    answer = refused(refusal) if refusal is not None else None

    async def effect() -> None:
        nonlocal answer
        await asyncio.sleep(fault.values["seconds"])
        if answer is None:
            answer = call.carry_out(_coin(fault))

    if fault.values["effect"] != "none":
        entry.effect_pending = refusal is None
        done = call.world.later(effect())
    if then == "drop":
        return delivery.drop(request, entry)
    if then == "error":
        return await delivery.faulty(request, entry, fault)
    if then == "answer" and done is not None:
        await done
        if answer is not None:
            return delivery.plain(request, entry, answer)
    await delivery.until_gone(request)
    return delivery.drop(request, entry)


async def _wait(call: Call) -> None:
    seconds = call.world.config.latency + call.hit.latency
    if seconds:
        await asyncio.sleep(seconds)


def _coin(fault: Fault) -> Coin | None:
    return fault.coin if fault.values["effect"] == "partial" else None
