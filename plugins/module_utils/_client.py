# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""One API call: headers, the answer's verdict, typed errors. It knows neither plans nor the state store."""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from ansible_collections.koophone.fleet.plugins.module_utils._auth import Authenticator, masked
from ansible_collections.koophone.fleet.plugins.module_utils._errors import Fate, Kind, KooPhoneError, explain
from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from ansible_collections.koophone.fleet.plugins.module_utils._transport import Answer, Sender, TransportError

_VIDEO_SETTING_PATH = "/v1/instances/video-setting"
_LIST_PATH = "/v1/instances/batch-query"
_SHOWN_OF_BODY = 200
_SHOWN_OF_MESSAGE = 200
_SHOWN_OF_CODE = 100


class Page(NamedTuple):
    """One page of the list of instances, as the API shows them; `total` is what it says that all pages hold."""

    instances: list[dict[str, Any]]
    total: int


class Client:
    """Calls of the KooPhone API at one endpoint. Safe for use by several threads."""

    def __init__(self, endpoint: str, transport: Sender, authenticator: Authenticator) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._transport = transport
        self._authenticator = authenticator

    def prepare(self) -> None:
        """Get ready what a request needs, such as a token. Raises `CredentialsError`."""
        self._transport.prepare()
        self._authenticator.prepare()

    def set_video_settings(self, instance_ids: Sequence[str], settings: Settings) -> str:
        """Send settings to at most 100 instances, in one try; returns the request id of the confirmed request.

        Raises `KooPhoneError`, which tells whether to try again and what is certain about the effect.
        """
        body = {"instance_ids": list(instance_ids), "instance_settings": settings.api()}
        # The one thing that the vendor's support can trace, so a new one for every HTTP request.
        request_id = str(uuid.uuid4())
        self._call("PUT", self._endpoint + _VIDEO_SETTING_PATH, request_id, body)
        return request_id

    def list_instances(self, page_no: int, page_size: int) -> Page:
        """Ask for one page of the list of instances, in one try; the first page is 1. Raises `KooPhoneError`."""
        url = f"{self._endpoint}{_LIST_PATH}?page_no={page_no}&page_size={page_size}"
        request_id = str(uuid.uuid4())
        page = _page(self._call("GET", url, request_id).get("data"), page_no)
        if isinstance(page, Page):
            return page
        raise KooPhoneError(
            method="GET",
            url=url,
            request_id=request_id,
            meaning=f"the answer is no page of a list of instances: {page}",
            kind=Kind.REQUEST,
            fate=Fate.ENDED,
            http_status=200,
            error_code="0",
        )

    def _call(self, method: str, url: str, request_id: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request that changes something with a body, else one whose request id is a parameter of the query."""
        headers = {"Accept": "application/json"}
        address, body = url, b""
        if payload is None:
            address = f"{url}&x-request-id={request_id}"
        else:
            headers.update({"Content-Type": "application/json", "x-request-id": request_id})
            body = json.dumps(payload, separators=(",", ":")).encode()
        headers.update(self._authenticator.headers(method, address, headers, body))
        try:
            answer = self._transport.send(method, address, headers=headers, body=body or None)
        except TransportError as error:
            raise KooPhoneError(
                method=method,
                url=url,
                request_id=request_id,
                meaning="no answer" if error.sent else "no connection",
                kind=Kind.PASSING if error.sent else Kind.UNREACHABLE,
                fate=Fate.IN_DOUBT if error.sent else Fate.NOT_PROCESSED,
                error_msg=self._without_secrets(str(error)),
            ) from error
        try:
            return self._check(answer, method, url, request_id)
        except KooPhoneError as error:
            if error.kind is Kind.TOKEN_EXPIRED and not self._authenticator.expired(headers):
                error.kind = Kind.RUN
                error.meaning += "; get a new one"
            raise

    def _check(self, answer: Answer, method: str, url: str, request_id: str) -> dict[str, Any]:
        """Success is HTTP 200 and `error_code` "0"; everything else raises `KooPhoneError`."""
        data = _json_object(answer.body)
        error_code = _code(data.get("error_code")) if data is not None else None
        if data is not None and answer.status == 200 and error_code == "0":
            return data
        explained = explain(answer.status, error_code)
        meaning, error_msg = explained.meaning, _text(data.get("error_msg")) if data is not None else ""
        fate = explained.fate
        if 200 <= answer.status < 300 and not error_code:
            # Half an answer, or that of something on the way: it says nothing of what the API does.
            fate = Fate.IN_DOUBT
        if data is None:
            error_msg = self._beginning(answer.body)
            if answer.status == 200:
                meaning = "the answer is not JSON of this API; is something else answering at the endpoint?"
        elif not error_code and answer.status == 200:
            meaning, error_msg = "the answer has no error_code", self._beginning(answer.body)
        if 300 <= answer.status < 400:
            error_msg = f"to {answer.headers.get('Location', 'nowhere')}"
        raise KooPhoneError(
            method=method,
            url=url,
            request_id=request_id,
            meaning=meaning,
            kind=explained.kind,
            fate=fate,
            http_status=answer.status,
            error_code=self._without_secrets(error_code or "")[:_SHOWN_OF_CODE] or None,
            error_msg=self._without_secrets(error_msg)[:_SHOWN_OF_MESSAGE],
            retry_after=_retry_after(answer.headers.get("Retry-After")),
        )

    def _beginning(self, body: bytes) -> str:
        """The first characters of a body on one line, as an error shows them."""
        # Secrets go first: cut off in the middle, they would be recognised no more.
        text = self._without_secrets(html.unescape(body.decode("utf-8", "replace")))
        text = re.sub(r"\s+", " ", text[: 4 * _SHOWN_OF_BODY]).strip()
        return f"it begins with {text[:_SHOWN_OF_BODY]!r}" if text else "the body is empty"

    def _without_secrets(self, text: str) -> str:
        return masked(text, self._authenticator.secrets)


def _page(data: Any, page_no: int) -> Page | str:
    """What an answer holds, or what is wrong with it."""
    if not isinstance(data, dict) or not isinstance(data.get("result"), list):
        return "it has no data.result"
    instances, total = data["result"], data.get("total_count")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        return "its data.total_count is no number"
    if data.get("page_no") not in (None, page_no):
        return f"its data.page_no is not {page_no}"
    for instance in instances:
        instance_id = instance.get("instance_id") if isinstance(instance, dict) else None
        if not isinstance(instance_id, str) or not instance_id.strip():
            return "an element of its data.result has no instance_id"
    return Page(instances, total)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _code(value: Any) -> str | None:
    """An error code; anything but a text or a whole number is none."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _retry_after(value: str | None) -> float | None:
    """`Retry-After`: a number of seconds or an HTTP date (RFC 9110, 10.2.3); the result is in seconds."""
    if value is None:
        return None
    if re.fullmatch(r"\d{1,6}", value.strip()):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    return max(0.0, (at - datetime.now(timezone.utc)).total_seconds())
