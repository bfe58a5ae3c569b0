# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot loaders for which restoring files is not enough, so that a backup would promise too much. Pure; private."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._boot_files.tree import Tree

_UNSUPPORTED = (
    (
        re.compile(r"(.*/)?limine(-bios)?\.(conf|cfg|sys)", re.IGNORECASE),
        "Limine",
        "its configuration may be enrolled in its program, and its boot sectors fit only one build",
    ),
    (
        re.compile(r"EFI/refind/.*\.conf", re.IGNORECASE),
        "rEFInd",
        "it boots every kernel that it finds, the newest first, so also one that the change has added",
    ),
    (
        re.compile(r"(.*/)?(lilo\.conf|yaboot\.conf|boot\.b)", re.IGNORECASE),
        "LILO or yaboot",
        "it reads kernels from the blocks that its installer has recorded",
    ),
)
_ZIPL = "s390x"


def loader_problems(trees: Sequence[Tree], machine: str) -> Iterator[str]:
    """Yield why the host might not boot although all files in ``trees`` were restored."""
    only = "only GRUB, systemd-boot, extlinux and the firmware of single-board computers are supported"
    if machine == _ZIPL:
        yield f"this host boots with zipl, which records the blocks of kernels on disk (zipl(8)): {only}"
    for pattern, name, reason in _UNSUPPORTED:
        found = sorted(tree.absolute(path) for tree in trees for path in tree.entries if pattern.fullmatch(path))
        if found:
            yield f"{found[0]} belongs to {name}: {reason}; {only}. If nothing boots with it, remove this file"
