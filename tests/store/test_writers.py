# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writers that know nothing of each other, on overlapping sets of instances: threads, each with a store of its own."""

from __future__ import annotations

import random
import threading
from collections import defaultdict

from ansible_collections.koophone.fleet.plugins.module_utils._settings import Settings
from tests.store.acting import GRACE, LEASE, S, Stores, T, U

WRITERS = 6
ROUNDS = 12
INSTANCES = [f"i{number:02}" for number in range(30)]
WISHES = (S, T, U)


class _Fleet:
    """What is in flight, and what was carried out last: the truth, as an API would have it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight: dict[str, list[Settings]] = defaultdict(list)
        self.truth: dict[str, Settings] = {}
        self.conflicts: list[str] = []

    def send(self, ids: list[str], wish: Settings) -> None:
        with self._lock:
            for instance_id in ids:
                if any(other != wish for other in self._in_flight[instance_id]):
                    self.conflicts.append(instance_id)
                self._in_flight[instance_id].append(wish)
                self.truth[instance_id] = wish

    def answer(self, ids: list[str], wish: Settings) -> None:
        with self._lock:
            for instance_id in ids:
                self._in_flight[instance_id].remove(wish)


def test_writers_at_once_never_meet_and_what_is_known_at_the_end_is_so(repeated: Stores) -> None:
    fleet = _Fleet()
    errors: list[BaseException] = []

    def write(number: int) -> None:
        rng = random.Random(number)
        store = repeated.open_for_thread()
        try:
            for turn in range(ROUNDS):
                actor = repeated.actor_with(store, f"{number}-{turn}")
                wish = rng.choice(WISHES)
                result = actor.try_claim(dict.fromkeys(rng.sample(INSTANCES, rng.randint(1, 12)), wish))
                if result.claim is None:
                    continue
                ids = sorted(result.claim.instance_ids)
                lost = actor.mark(ids, wish)
                mine = [instance_id for instance_id in ids if instance_id not in lost]
                if rng.random() < 0.2:
                    actor.take_back(mine, wish)
                elif mine:
                    fleet.send(mine, wish)
                    fleet.answer(mine, wish)
                    if rng.random() < 0.8:
                        actor.confirm(mine, wish)
                    else:
                        actor.fail(mine, wish)
                if rng.random() < 0.5:
                    actor.renew()
                if rng.random() < 0.1:
                    store.forget(actor.run, actor.service, rng.sample(INSTANCES, 3))
                actor.release()
                actor.finish()
        except BaseException as error:
            errors.append(error)
        finally:
            store.close()

    # The tables are there before the race begins.
    repeated.actor("first").store.close()
    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert fleet.conflicts == []
    known = {instance_id: digest for instance_id, digest in repeated.known(INSTANCES).items() if digest is not None}
    assert known
    assert known == {instance_id: fleet.truth[instance_id].digest for instance_id in known}
    # Nobody holds anything any more; what was in doubt when somebody else took it over is so for its time only.
    repeated.let_pass(LEASE + GRACE)
    repeated.actor("last").claim_all(INSTANCES, S)
