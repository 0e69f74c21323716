# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The web application: which path goes where."""

from __future__ import annotations

from aiohttp import web

from . import control, service
from .control import PREFIX, Control

# A control call may bring a hundred thousand instances.
MAX_BODY_BYTES = 64 * 1024 * 1024


def make_app(state: Control) -> web.Application:
    """The emulator as an aiohttp application."""

    async def on_control(request: web.Request) -> web.StreamResponse:
        return await control.serve(request, state)

    async def on_call(request: web.Request) -> web.StreamResponse:
        return await service.serve(request, state.world)

    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_route("*", PREFIX + "{what:.+}", on_control)
    app.router.add_route("*", "/{path:.*}", on_call)
    return app
