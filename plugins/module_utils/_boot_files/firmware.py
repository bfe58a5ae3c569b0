# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the UEFI firmware keeps about booting: boot entries, their order, revoked programs. Pure; private.

A variable is identified by its file name in efivarfs, and consists of four bytes of attributes and its content
(Documentation/filesystems/efivarfs.rst of Linux).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
_SHIM = "605dab50-e046-4300-abb6-3dd810dd8b23"

BOOT_ORDER = f"BootOrder-{_GLOBAL}"
SECURE_BOOT = f"SecureBoot-{_GLOBAL}"
SECURE_BOOT_OFF = b"\6\0\0\0\0"
"""The variable SECURE_BOOT while Secure Boot is off: attributes and one byte (UEFI specification 2.10, 3.3)."""
REVOCATIONS = (f"SbatLevelRT-{_SHIM}", "dbx-d719b2cb-3d3a-4596-a3bc-dad00e67656f", f"MokListXRT-{_SHIM}")
"""What shim and the firmware refuse to start: the generations of programs (SbatLevel), hashes and certificates."""

_ENTRY = re.compile(rf"Boot[0-9A-F]{{4}}-{_GLOBAL}")


@dataclass(frozen=True)
class Firmware:
    """The ``variables`` about booting by name; empty if the host was not booted by UEFI."""

    variables: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, str]:
        """The variables with their content in base64."""
        return {name: base64.b64encode(value).decode("ascii") for name, value in sorted(self.variables.items())}

    @classmethod
    def from_json(cls, found: Mapping[str, str]) -> Firmware:
        """The opposite of ``to_json``."""
        return cls({name: base64.b64decode(text) for name, text in found.items()})


def is_recorded(name: str) -> bool:
    """Whether a variable is about booting."""
    return name in (BOOT_ORDER, SECURE_BOOT, *REVOCATIONS) or is_entry(name)


def is_entry(name: str) -> bool:
    """Whether a variable is a boot entry."""
    return _ENTRY.fullmatch(name) is not None


def may_refuse(saved: Firmware, now: Firmware) -> bool:
    """Whether the firmware, or shim, may refuse to start the boot loaders that were saved together with ``saved``.

    With Secure Boot it may, if what is revoked has changed: updates of shim and of the firmware only ever revoke more.
    """
    off = now.variables.get(SECURE_BOOT, SECURE_BOOT_OFF) == SECURE_BOOT_OFF
    return not off and any(saved.variables.get(name) != now.variables.get(name) for name in REVOCATIONS)


def variables_to_write(saved: Firmware, now: Firmware) -> dict[str, bytes]:
    """The boot entries that are missing or differ, then the order of boot entries if it differs.

    Entries that were added stay, but are no longer in the order.
    """
    names = [*sorted(filter(is_entry, saved.variables)), *([BOOT_ORDER] if BOOT_ORDER in saved.variables else [])]
    differing = (name for name in names if saved.variables[name] != now.variables.get(name))
    return {name: saved.variables[name] for name in differing}
