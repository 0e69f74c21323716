# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Threads that try requests, so that the one thread that decides and writes never waits for the network."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Task = TypeVar("Task")
Value = TypeVar("Value")


class Workers(Generic[Task, Value]):
    """A fixed number of daemon threads: a process that was told to stop does not wait for the network to let go."""

    def __init__(self, count: int, perform: Callable[[Task], Value]) -> None:
        self._perform = perform
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        # No SimpleQueue: a signal that arrives just as its time-out ends makes CPython's wait for ever.
        self._done: queue.Queue[tuple[Task, Value | BaseException]] = queue.Queue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _number in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Task) -> None:
        self._tasks.put(task)

    def take_back(self) -> list[Task]:
        """The tasks that no thread has begun; none will."""
        tasks: list[Task] = []
        with contextlib.suppress(queue.Empty):
            while (task := self._tasks.get_nowait()) is not None:
                tasks.append(task)
        return tasks

    def done(self, seconds: float) -> list[tuple[Task, Value]]:
        """What is done by now; waits for the first up to that many seconds. Raises what a task raised."""
        found: list[tuple[Task, Value]] = []
        try:
            item = self._done.get(timeout=max(0.0, seconds))
            while True:
                task, value = item
                if isinstance(value, BaseException):
                    raise value
                found.append((task, value))
                item = self._done.get_nowait()
        except queue.Empty:
            return found

    def close(self) -> None:
        """Let the threads end after what they are at."""
        for _thread in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                self._done.put((task, self._perform(task)))
            except BaseException as error:
                self._done.put((task, error))
