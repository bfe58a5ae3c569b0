# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of the initramfs hook, and what it must be. Pure; private to this collection."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from .._paths import INITRAMFS_SCRIPT
from .program import PROGRAM


@dataclass(frozen=True)
class Script:
    """The script as a file: its size in bytes, its checksum, and its mode."""

    size: int
    sha256: str
    mode: int

    def to_result(self) -> dict[str, Any]:
        """The script as results show it."""
        return {"path": str(INITRAMFS_SCRIPT), "size": self.size, "sha256": self.sha256}

    def to_description(self) -> str:
        """The script as the diff shows it."""
        return f"{self.size} bytes, sha256 {self.sha256}, mode {self.mode:04o}"


WANTED = Script(len(PROGRAM.encode()), hashlib.sha256(PROGRAM.encode()).hexdigest(), 0o755)
"""The script of this version of the collection."""
