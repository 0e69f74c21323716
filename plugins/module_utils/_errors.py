# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""What can go wrong with one API call, and what that means for the call, the run and the memory. Pure.

The table is that of the API's error code reference; a code that is not in it is judged by its HTTP status.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """Whom a failure concerns, and whether trying again can help."""

    RUN = "whole run, final"
    TOKEN_EXPIRED = "whole run, until the token is renewed"  # noqa: S105 - no password
    REQUEST = "whole request, final"
    INSTANCE = "some instance, final"
    INSTANCE_PASSING = "some instance, passes with time"
    MIX = "the mix of instances"
    THROTTLED = "passes: too many requests"
    PASSING = "passes: trouble on the way"
    UNREACHABLE = "passes: no connection"

    @property
    def passes(self) -> bool:
        """Whether the very same request may succeed later."""
        return self in (Kind.INSTANCE_PASSING, Kind.THROTTLED, Kind.PASSING, Kind.UNREACHABLE)

    @property
    def concerns_some_instance(self) -> bool:
        """Whether the request may succeed without one of its instances."""
        return self in (Kind.INSTANCE, Kind.INSTANCE_PASSING)


class Fate(Enum):
    """What is certain about the effect of a request that was not confirmed."""

    NOT_PROCESSED = "it had no effect"
    ENDED = "it is over, with an unknown effect"
    IN_DOUBT = "it may still be carried out"


class ErrorCode(NamedTuple):
    """A documented error code: its meaning in words, whom it concerns, and the request's fate."""

    meaning: str
    kind: Kind
    fate: Fate = Fate.ENDED


ERROR_CODES: dict[str, ErrorCode] = {
    "KOOPHONE.API.0000": ErrorCode("the tenant does not exist", Kind.RUN),
    "KOOPHONE.API.0001": ErrorCode("the request header x-tenant-id is missing", Kind.RUN),
    "KOOPHONE.API.0002": ErrorCode("the request header x-request-id is missing", Kind.RUN),
    "KOOPHONE.API.0004": ErrorCode("the project does not exist", Kind.RUN),
    "KOOPHONE.API.0005": ErrorCode("a request header is missing", Kind.RUN),
    "KOOPHONE.API.1000": ErrorCode("a request parameter is wrong", Kind.REQUEST),
    "KOOPHONE.API.1001": ErrorCode("no permission for some instance", Kind.INSTANCE),
    "KOOPHONE.API.1002": ErrorCode("the instances are not all in one region", Kind.MIX),
    "KOOPHONE.API.1004": ErrorCode("the tenant has not subscribed to the service", Kind.RUN),
    "KOOPHONE.API.1012": ErrorCode("some instances are not the tenant's", Kind.INSTANCE),
    "KOOPHONE.API.2004": ErrorCode("an instance is frozen", Kind.INSTANCE),
    "KOOPHONE.API.2005": ErrorCode("an instance is being restored", Kind.INSTANCE_PASSING),
    "KOOPHONE.API.2006": ErrorCode("an instance is being backed up", Kind.INSTANCE_PASSING),
    "KOOPHONE.API.4001": ErrorCode("the instance does not exist", Kind.INSTANCE),
    "KOOPHONE.API.9999": ErrorCode("internal error of the service", Kind.PASSING, Fate.IN_DOUBT),
    "KPAPI.2209": ErrorCode("no device can be assigned", Kind.INSTANCE),
    "APIGW.0301": ErrorCode("the gateway rejects the credentials", Kind.RUN, Fate.NOT_PROCESSED),
    "APIGW.0307": ErrorCode("the token has expired", Kind.TOKEN_EXPIRED, Fate.NOT_PROCESSED),
    "APIGW.0308": ErrorCode("throttled", Kind.THROTTLED, Fate.NOT_PROCESSED),
}


def explain(http_status: int, error_code: str | None) -> ErrorCode:
    """What a failed answer means: by its code if the reference lists it, else by its HTTP status."""
    # The gateway's codes are also written with this prefix.
    code = (error_code or "").replace("APIG.", "APIGW.", 1) if (error_code or "").startswith("APIG.") else error_code
    listed = ERROR_CODES.get(code or "")
    if listed is not None:
        return listed
    if http_status >= 500:
        return ErrorCode("trouble at the gateway or the service", Kind.PASSING, Fate.IN_DOUBT)
    if http_status == 429:
        # Only the gateway's own code promises that the request was not processed.
        return ErrorCode("too many requests", Kind.THROTTLED)
    if http_status in (401, 403, 407):
        return ErrorCode("the credentials are refused", Kind.RUN)
    if http_status == 408:
        return ErrorCode("the request took too long", Kind.PASSING, Fate.IN_DOUBT)
    if 300 <= http_status < 400:
        return ErrorCode("a redirect, which is not followed: check the endpoint", Kind.RUN)
    return ErrorCode("refused", Kind.REQUEST)


class KooPhoneError(Exception):
    """One failed HTTP request, with everything that its reader or the vendor's support can use.

    `http_status` and `error_code` are None where no answer came; `retry_after` is in seconds.
    """

    def __init__(
        self,
        *,
        method: str,
        url: str,
        request_id: str,
        meaning: str,
        kind: Kind,
        fate: Fate,
        http_status: int | None = None,
        error_code: str | None = None,
        error_msg: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(meaning)
        self.method = method
        self.url = url
        self.request_id = request_id
        self.meaning = meaning
        self.kind = kind
        self.fate = fate
        self.http_status = http_status
        self.error_code = error_code
        self.error_msg = error_msg
        self.retry_after = retry_after

    def __str__(self) -> str:
        answer = [f"HTTP {self.http_status}"] if self.http_status is not None else []
        if self.error_code:
            answer.append(self.error_code)
        answer.append(self.meaning)
        text = f"{self.method} {self.url}: {', '.join(answer)}"
        if self.error_msg:
            text += f" ({self.error_msg})"
        return f"{text}; request id {self.request_id}"
