# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each call does once it has come through the gateway."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from . import listing, rules
from .auth import SignedParts, check_signature
from .codes import (
    AUTH_TOKENS,
    BATCH_QUERY,
    BATCH_QUERY_STATUS,
    BATCH_RESET,
    VIDEO_SETTING,
    Answer,
    RefusalError,
    refused,
    success,
)
from .faults import Hit
from .fleet import Verdict
from .iam import issue_token
from .journal import Entry
from .world import World

Coin = Callable[[], bool]
METHODS = {
    AUTH_TOKENS: "POST",
    VIDEO_SETTING: "PUT",
    BATCH_QUERY: "GET",
    BATCH_RESET: "POST",
    BATCH_QUERY_STATUS: "POST",
}


class Call:
    """One request: what arrived, its place in the journal, and how it is carried out."""

    def __init__(self, world: World, entry: Entry, parts: SignedParts) -> None:
        self.world = world
        self.entry = entry
        self.parts = parts
        self.query = dict(parts.query)
        self.hit = Hit()
        self.known = METHODS.get(parts.path) == parts.method
        self._identify()

    @cached_property
    def document(self) -> Any:
        """The body as JSON; raises RefusalError where it is none."""
        return rules.parse_json(self.parts.body)

    def _identify(self) -> None:
        journal = self.world.journal
        if self.parts.path == BATCH_QUERY:
            journal.identify(self.entry, self.query.get("x-request-id"))
        elif self.parts.path != AUTH_TOKENS:
            journal.identify(self.entry, self.parts.headers.get("x-request-id"))
        headers = self.parts.headers
        kinds = [kind for name, kind in (("x-auth-token", "token"), ("authorization", "signature")) if name in headers]
        self.entry.auth = "+".join(kinds) or "none"
        if self.parts.path not in (VIDEO_SETTING, BATCH_RESET, BATCH_QUERY_STATUS):
            return
        try:
            body = self.document
            ids = body.get("instance_ids") if isinstance(body, dict) else None
            if isinstance(ids, list):
                self.entry.instance_ids = [item for item in ids if isinstance(item, str)]
            if self.parts.path == VIDEO_SETTING and isinstance(body, dict):
                self.entry.settings_digest = journal.keep_settings(rules.read_settings(body))
        except RefusalError:
            pass

    def pass_gateway(self) -> RefusalError | None:
        """The gateway's part: throttling, then credentials."""
        if self.parts.path == AUTH_TOKENS or not self.known:
            return None
        headers, config = self.parts.headers, self.world.config
        try:
            self.world.admit()
            if self.entry.auth == "none":
                raise RefusalError(401, "APIGW.0301", "no credentials")
            # Whatever credentials are sent have to be right, though one kind would be enough.
            if "authorization" in headers:
                check_signature(self.parts, config)
            if "x-auth-token" in headers:
                self.world.tokens.use(headers["x-auth-token"], config)
        except RefusalError as refusal:
            return refusal
        return None

    def carry_out(self, coin: Coin | None = None) -> Answer:
        """The service's part, all at one instant; with a coin only for the instances for which it says so."""
        try:
            if not self.known:
                raise RefusalError(404, "APIGW.0101")
            return self._dispatch(coin)
        except RefusalError as refusal:
            return refused(refusal)
        finally:
            self.entry.effect_pending = False

    def _dispatch(self, coin: Coin | None) -> Answer:
        world, path = self.world, self.parts.path
        content_type = self.parts.headers.get("content-type")
        if path == AUTH_TOKENS:
            return issue_token(self.parts.body, content_type, world.tokens, world.config)
        if path == BATCH_QUERY:
            listing.check_request_id(self.query)
        elif path == VIDEO_SETTING and not self.parts.headers.get("x-request-id"):
            # For the other calls the page does not name this header, so that its lack is no mistake there.
            raise RefusalError(200, "KOOPHONE.API.0002")
        if self.entry.violation:
            raise rules.wrong("x-request-id is not unique")
        if path == BATCH_QUERY:
            return listing.list_instances(self.query, world.fleet, world.config, self.hit)
        rules.check_content_type(content_type)
        if path == VIDEO_SETTING:
            asked = rules.read_settings_request(self.document)
            verdict = world.fleet.examine(asked.instance_ids, world.config)
            return self._write(verdict, self.entry.settings_digest, coin)
        ids = rules.read_ids_request(self.document)
        verdict = world.fleet.examine(ids, world.config, ownership_only=True)
        if path == BATCH_RESET:
            return self._write(verdict, None, coin)
        return refused(verdict.refusal) if verdict.refusal else listing.list_statuses(verdict.good)

    def _write(self, verdict: Verdict, digest: str | None, coin: Coin | None) -> Answer:
        world = self.world
        keep, instances = coin, verdict.good
        if verdict.refusal is not None:
            if world.config.on_refusal == "none":
                instances = []
            elif world.config.on_refusal == "random":
                keep = self._both(coin)
        written = world.fleet.write(instances, digest, self.entry.request_id, keep)
        self.entry.took_effect(written)
        return refused(verdict.refusal) if verdict.refusal else success()

    def _both(self, coin: Coin | None) -> Coin:
        rng = self.world.rng
        return lambda: rng.random() < 0.5 and (coin is None or coin())
