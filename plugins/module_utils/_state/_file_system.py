# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Whether a file system can keep the promises of the state store."""

from __future__ import annotations

import re
from pathlib import Path

# Several machines would share the file, whose locks and clocks are one machine's; and a sync may only reach a cache.
_SHARED = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2"),
        *("smb3", "smbfs", "vboxsf", "fuse.ceph", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs"),
    )
)
_OCTAL = re.compile(r"\\([0-7]{3})")


def shared_by_machines(path: Path) -> str | None:
    """The type of the network file system that `path` is on; None where it is on none, or nobody can tell."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return network_type(path.resolve(), mounts)


def network_type(path: Path, mounts: str) -> str | None:
    """The same, given the text of `/proc/self/mounts` (see proc(5)); the last mount over the deepest folder counts."""
    deepest, found = -1, None
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        folder = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[1]))
        depth = len(folder.parts)
        if depth >= deepest and (folder == path or folder in path.parents):
            deepest, found = depth, fields[2]
    return found if found in _SHARED else None
