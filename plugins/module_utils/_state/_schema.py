# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""The tables of the state store, as SQL for both databases.

Times are in seconds: `started_at` and `ended_at` of runs, instances' `applied_at` and the history since the epoch
(UTC), all others on the store's own clock (`Transaction.lease_now`). Settings are stored once per distinct value.
"""

from __future__ import annotations

from ansible_collections.koophone.fleet.plugins.module_utils._state._interface import StateError

VERSION = 1

# {key}: an integer key that the database counts up. {real}: a double. {schema}: '' or the schema and a dot.
TABLES = (
    "CREATE TABLE {schema}services (id {key}, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE {schema}settings (id {key}, digest TEXT NOT NULL UNIQUE, canonical TEXT NOT NULL)",
    """
    CREATE TABLE {schema}runs (
        id {key}, run_id TEXT NOT NULL UNIQUE, service BIGINT NOT NULL,
        user_name TEXT NOT NULL, host TEXT NOT NULL, job TEXT NOT NULL,
        started_at {real} NOT NULL, ended_at {real},
        plan_digest TEXT, desired_digest TEXT, approved_plan TEXT, claimed_at {real},
        instances BIGINT, changed BIGINT, failed BIGINT, not_attempted BIGINT
    )
    """,
    """
    CREATE TABLE {schema}claims (
        id {key}, run BIGINT NOT NULL, lease_until {real} NOT NULL, grace {real} NOT NULL, broken INTEGER NOT NULL
    )
    """,
    # In the history, an adoption has an empty request id: nothing was sent.
    # known ... run: what was last confirmed; it is last applied only while known is 1 and marked is null.
    # claim ... claimed_generation: the claim, what its run wants to send, and what its confirmation must still find;
    # they stay when the claim is given back, and mean nothing without it.
    # marked: the settings that the claim's run may have sent, or is about to send.
    # doubt_...: what a request of an earlier try, claim or run may still bring, until when, and whose it was.
    # changed_...: who last changed what is remembered of the instance, and when.
    """
    CREATE TABLE {schema}instances (
        service BIGINT NOT NULL, instance_id {instance_id} NOT NULL, region TEXT,
        known INTEGER NOT NULL DEFAULT 0, settings BIGINT, applied_at {real}, request_id TEXT, run BIGINT,
        claim BIGINT, wants BIGINT,
        generation BIGINT NOT NULL DEFAULT 0, claimed_generation BIGINT NOT NULL DEFAULT 0,
        marked BIGINT,
        doubt_settings BIGINT, doubt_until {real} NOT NULL DEFAULT 0, doubt_run BIGINT,
        changed_at {real}, changed_run BIGINT,
        PRIMARY KEY (service, instance_id)
    ){instances_options}
    """,
    """
    CREATE TABLE {schema}history (
        service BIGINT NOT NULL, instance_id {instance_id} NOT NULL,
        settings BIGINT NOT NULL, applied_at {real} NOT NULL,
        request_id TEXT NOT NULL, run BIGINT NOT NULL,
        PRIMARY KEY (service, instance_id, run, request_id)
    ){instances_options}
    """,
    "CREATE INDEX history_by_age ON {schema}history (applied_at)",
)


# What leads from a version to the next: {1: ("ALTER TABLE {schema}instances …",)} would lead from 1 to 2.
MIGRATIONS: dict[int, tuple[str, ...]] = {}


def statements(
    *, key: str, real: str, instance_id: str = "TEXT", schema: str = "", instances_options: str = ""
) -> list[str]:
    """What makes the tables of a new store."""
    return [
        table.format(key=key, real=real, instance_id=instance_id, schema=schema, instances_options=instances_options)
        for table in TABLES
    ]


def migrations(version: int, *, schema: str = "") -> list[str]:
    """What leads from the tables of an older version to today's."""
    return [statement.format(schema=schema) for older in range(version, VERSION) for statement in MIGRATIONS[older]]


def check_version(version: int, name: str, *, reading: bool = False) -> None:
    """Raise `StateError` where the store is from a newer collection, or is to be read and from an older one."""
    if version > VERSION:
        raise StateError(
            f"the state store ({name}) was written by a newer koophone.fleet: its schema is {version}, and this one"
            f" knows up to {VERSION}. Nothing was written to it; update the collection"
        )
    if reading and version < VERSION:
        raise StateError(
            f"the state store ({name}) was written by an older koophone.fleet: its schema is {version}, not {VERSION}."
            " The first run outside check mode brings it up to date"
        )
