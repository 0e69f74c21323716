# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Names for hosts: unique, good for Ansible, and never first one instance's and later another's. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping

# What means something in host patterns, in paths (of host_vars) or in templates, and what cannot be seen.
_UNFIT = re.compile(r"[\s/\\,:;&!*?~'\"`\[\]{}<>|\x00-\x1f\x7f]+")
# Ansible gives these a meaning of their own.
_RESERVED = frozenset({"all", "ungrouped", "localhost", "127.0.0.1", "::1"})


def fit(name: str) -> str:
    """The name with `_` in place of what Ansible would take for something else; may be empty."""
    text = _UNFIT.sub("_", name.strip())
    # Such as marks that turn the direction of writing.
    return "".join(character if character.isprintable() else "_" for character in text)


def host_names(wishes: Mapping[str, str], is_taken: Callable[[str, str], bool]) -> tuple[dict[str, str], list[str]]:
    """A host name for each instance id, from the name wished for it; and the names that were no good as they are.

    Without a wish it is the id. Where several instances wish for the same name, all of them get their id behind it, and
    none the bare name: which of them had it would depend on the others. The same goes for a name that means something
    to Ansible, or that `is_taken` (told the instance's id as well) by something else.
    """
    names = {instance_id: fit(wish) or fit(instance_id) for instance_id, wish in wishes.items()}
    refused: set[str] = set()
    while True:
        counts = Counter(names.values())
        bad = [
            instance_id
            for instance_id, name in names.items()
            if counts[name] > 1 or name in _RESERVED or is_taken(name, instance_id)
        ]
        if not bad:
            return names, sorted(refused)
        for instance_id in bad:
            refused.add(names[instance_id])
            names[instance_id] = f"{names[instance_id]}_{fit(instance_id)}"
