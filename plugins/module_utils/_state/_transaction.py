# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""One open transaction of a database, as the SQL of the state store sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

Params = Mapping[str, Any]


class Transaction(ABC):
    """SQL with `:name` parameters; `{ids}` stands for "is one of these ids"."""

    #: Appended to a SELECT whose rows nobody else may change before the transaction ends.
    for_update = ""
    #: The function that returns the greatest of its arguments.
    greatest = "GREATEST"
    #: Whether writing transactions follow one upon the other, so that nothing moves between two statements.
    serial = False

    @abstractmethod
    def rows(
        self, sql: str, params: Params | None = None, ids: Collection[str] | None = None
    ) -> Sequence[tuple[Any, ...]]:
        """Returns the rows that a query finds."""

    @abstractmethod
    def change(self, sql: str, params: Params | None = None, ids: Collection[str] | None = None) -> int:
        """Returns how many rows were changed."""

    @abstractmethod
    def insert(self, sql: str, params: Params) -> int:
        """Insert one row; returns its key, the column `id`."""

    @abstractmethod
    def add_instances(self, service: int, claim: int, wants: Mapping[str, int]) -> int:
        """Insert the instances that are not there yet, under a claim that wants these settings, in the order given.

        Returns how many there were.
        """

    @abstractmethod
    def lease_now(self) -> float:
        """The store's clock for claims and doubts, in seconds: it does not jump when somebody sets a clock."""

    @abstractmethod
    def wall_now(self) -> float:
        """Seconds since the epoch, UTC."""

    def value(self, sql: str, params: Params | None = None) -> Any:
        """The first column of the first row, or None."""
        found = self.rows(sql, params)
        return found[0][0] if found else None


def numbers(keys: Collection[int | None]) -> str:
    """Keys of this store as the inside of an SQL list; never empty."""
    return ",".join(str(int(key)) for key in keys if key is not None) or "0"
