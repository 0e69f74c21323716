# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documented error codes, and the one exception that stands for a refused request."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

VIDEO_SETTING = "/v1/instances/video-setting"
BATCH_QUERY = "/v1/instances/batch-query"
BATCH_RESET = "/v1/instances/batch-reset"
BATCH_QUERY_STATUS = "/v1/instances/batch-query-status"
AUTH_TOKENS = "/v3/auth/tokens"

MESSAGES = {
    "0": "ok",
    "KOOPHONE.API.0002": "The request header x-request-id is missing.",
    "KOOPHONE.API.0005": "A request header is missing.",
    "KOOPHONE.API.1000": "A request parameter is wrong.",
    "KOOPHONE.API.1001": "No permission for some of the instances.",
    "KOOPHONE.API.1002": "The instances are not all in one region.",
    "KOOPHONE.API.1012": "Some of the instances do not belong to the tenant.",
    "KOOPHONE.API.2004": "An instance is frozen.",
    "KOOPHONE.API.2005": "An instance is being restored.",
    "KOOPHONE.API.2006": "An instance is being backed up.",
    "KOOPHONE.API.4001": "The instance does not exist.",
    "KOOPHONE.API.9999": "Internal error.",
    "KPAPI.2209": "No device can be assigned.",
    "APIGW.0101": "The API does not exist.",
    "APIGW.0201": "The backend did not answer in time.",
    "APIGW.0301": "Incorrect authentication information.",
    "APIGW.0307": "The token must be updated.",
    "APIGW.0308": "The throttling threshold has been reached.",
}


class RefusalError(Exception):
    """A refusal: the request is answered with an error instead of being carried out."""

    def __init__(
        self, http_status: int, error_code: str, detail: str = "", headers: dict[str, str] | None = None
    ) -> None:
        self.http_status = http_status
        self.error_code = error_code
        self.error_msg = MESSAGES.get(error_code, "refused") + (f" ({detail})" if detail else "")
        self.headers = headers or {}
        super().__init__(f"{http_status} {error_code} {self.error_msg}")


@dataclass
class Answer:
    """What goes back to the client, unless a fault replaces it."""

    http_status: int
    document: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def error_code(self) -> str | None:
        """The answer's ``error_code``; for other shapes (IAM's) "0" on success and None on failure."""
        if isinstance(self.document, dict) and isinstance(self.document.get("error_code"), str):
            return str(self.document["error_code"])
        return "0" if self.http_status < HTTPStatus.BAD_REQUEST else None


def success(data: Any = None) -> Answer:
    """The documented answer of success, with ``data`` where the call has any."""
    document: dict[str, Any] = {"error_code": "0", "error_msg": "ok"}
    if data is not None:
        document["data"] = data
    return Answer(HTTPStatus.OK, document)


def refused(refusal: RefusalError) -> Answer:
    """The documented answer to a refused request. It names no instance, as the real one names none."""
    return Answer(
        refusal.http_status,
        {"error_code": refusal.error_code, "error_msg": refusal.error_msg},
        dict(refusal.headers),
    )
