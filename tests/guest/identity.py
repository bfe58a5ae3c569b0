# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Be another host for a while, or the same one after a change that replaced its machine-id."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import lvm
import storage

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINE = "00112233445566778899aabbccddeeff"
HOST = "5cc98959658b4035"


@contextmanager
def machine_id(content: str = MACHINE) -> Iterator[None]:
    """Have another machine-id temporarily. With the default, the tags of the host have HOST."""
    file = storage.BASE / "machine-id"
    file.write_text(f"{content}\n")
    lvm.run("mount", "--bind", str(file), "/etc/machine-id")
    try:
        yield
    finally:
        lvm.run("umount", "/etc/machine-id")
