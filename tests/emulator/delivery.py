# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How answers reach the client, and all the ways in which they don't."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from aiohttp import web

from .codes import Answer, RefusalError, refused
from .faults import Fault
from .journal import Entry

_POLL_SECONDS = 0.02
_CHUNK = 65536


def is_gone(request: web.Request) -> bool:
    """Whether the client has closed the connection."""
    return request.transport is None or request.transport.is_closing()


async def until_gone(request: web.Request) -> None:
    """Say nothing until the client has had enough."""
    # aiohttp has no event for a client that leaves, short of cancelling every handler whose client does.
    while not is_gone(request):  # noqa: ASYNC110
        await asyncio.sleep(_POLL_SECONDS)


def drop(request: web.Request, entry: Entry) -> web.Response:
    """Abort the connection without an answer."""
    entry.finish()
    if request.transport is not None:
        request.transport.abort()
    # The server wants a response from every handler; this one has nowhere to go.
    return web.Response()


def plain(request: web.Request, entry: Entry, answer: Answer) -> web.Response:
    """The ordinary answer as JSON."""
    return _response(
        request, entry, answer.http_status, json.dumps(answer.document), answer.error_code, headers=answer.headers
    )


async def faulty(request: web.Request, entry: Entry, fault: Fault) -> web.StreamResponse:
    """The answer that a fault puts in place of the ordinary one."""
    values = fault.values
    if fault.kind == "drop":
        return drop(request, entry)
    if fault.kind == "huge":
        return await _huge(request, entry, values["http_status"], values["bytes"])
    if fault.kind == "throttle":
        refusal = RefusalError(HTTPStatus.TOO_MANY_REQUESTS, "APIGW.0308", headers=_retry_after(values))
        return plain(request, entry, refused(refusal))
    if fault.kind in ("error", "late"):
        document = {"error_code": values["error_code"], "error_msg": values["error_msg"]}
        if values.get("echo_headers"):
            document["request"] = _echo(request)
        return plain(request, entry, Answer(values["http_status"], document, dict(values.get("headers", {}))))
    if fault.kind == "html":
        status = HTTPStatus(values["http_status"])
        echo = f"<pre>{_echo(request)}</pre>" if values["echo_headers"] else ""
        title = f"{status.value} {status.phrase}"
        page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{echo}</body></html>"
        return _response(request, entry, status, page, None, content_type="text/html")
    if fault.kind == "redirect":
        return _response(request, entry, values["status"], "", None, headers={"Location": values["location"]})
    if fault.kind == "empty":
        return _response(request, entry, values["http_status"], "", None)
    return _response(request, entry, values["http_status"], values["body"], None, content_type=values["content_type"])


async def drip(request: web.Request, entry: Entry, answer: Answer, fault: Fault) -> web.Response:
    """The ordinary answer byte by byte, its body or with ``head`` all of it."""
    body = json.dumps(answer.document).encode()
    head = (
        f"HTTP/1.1 {answer.http_status} {HTTPStatus(answer.http_status).phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    # Past the web framework, which has no notion of a header that arrives bit by bit.
    slow = head + body if fault.values["head"] else body
    if slow is body and request.transport is not None:
        request.transport.write(head)
    for position in range(len(slow)):
        await asyncio.sleep(fault.values["seconds_per_byte"])
        if is_gone(request) or request.transport is None:
            return drop(request, entry)
        if position == len(slow) - 1:
            entry.finish(answer.http_status, answer.error_code)
        request.transport.write(slow[position : position + 1])
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def _huge(request: web.Request, entry: Entry, http_status: int, size: int) -> web.StreamResponse:
    prefix, suffix = b'{"error_code": "0", "error_msg": "', b'"}'
    response = web.StreamResponse(status=http_status)
    response.content_type = "application/json"
    entry.finish(http_status, None)
    try:
        await response.prepare(request)
        await response.write(prefix)
        left = max(0, size - len(prefix) - len(suffix))
        while left:
            chunk = min(left, _CHUNK)
            await response.write(b"x" * chunk)
            left -= chunk
        await response.write(suffix)
        await response.write_eof()
    except ConnectionError:
        # It was too much for the client, which is what this fault is for.
        pass
    return response


def _response(
    request: web.Request,
    entry: Entry,
    http_status: int,
    text: str,
    error_code: str | None,
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    if is_gone(request):
        entry.finish()
    else:
        entry.finish(http_status, error_code)
    merged = {"Content-Type": content_type, **(headers or {})}
    return web.Response(status=http_status, body=text.encode(), headers=merged)


def _retry_after(values: Mapping[str, Any]) -> dict[str, str]:
    if values["retry_after_date"] is not None:
        return {"Retry-After": formatdate(time.time() + values["retry_after_date"], usegmt=True)}
    if values["retry_after"] is None:
        return {}
    return {"Retry-After": str(values["retry_after"])}


def _echo(request: web.Request) -> str:
    return "\n".join(f"{name}: {value}" for name, value in request.headers.items())
