# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import signal

import pytest

from ansible_collections.koophone.fleet.plugins.module_utils._workers import Workers


def test_signals_that_arrive_as_the_wait_ends_do_not_make_it_wait_for_ever() -> None:
    # Each of these waits is interrupted close to its end; CPython's SimpleQueue survives only some hundreds of them.
    seconds = 0.002
    workers: Workers[int, int] = Workers(1, lambda task: task)
    chance = random.Random(1)
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: None)
    try:
        for _number in range(1500):
            signal.setitimer(signal.ITIMER_REAL, seconds + chance.uniform(-0.0003, 0.0003))
            assert workers.done(seconds) == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        workers.close()


def test_what_a_task_raises_is_raised_where_its_result_is_asked_for() -> None:
    def fail(task: int) -> int:
        raise ValueError(f"task {task}")

    workers: Workers[int, int] = Workers(1, fail)
    workers.submit(7)
    with pytest.raises(ValueError, match="task 7"):
        workers.done(10)
    workers.close()
