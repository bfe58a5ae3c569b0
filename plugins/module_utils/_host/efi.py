# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read and write variables of the UEFI firmware, as files of efivarfs. Private to this collection.

efibootmgr(8) is not needed, and would parse entries and format them again: a saved variable is written as it was.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .._paths import EFIVARS
from .reading import unless_gone

if TYPE_CHECKING:
    from collections.abc import Callable


def read_variables(is_wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Return the variables whose name ``is_wanted``, with their attributes; none if the host was not booted by UEFI.

    Raises OSError.
    """
    names: list[str] = unless_gone(lambda: sorted(path.name for path in EFIVARS.iterdir()), [])
    # An unreadable or just deleted variable is empty.
    found = {name: unless_gone((EFIVARS / name).read_bytes, b"") for name in names if is_wanted(name)}
    return {name: value for name, value in found.items() if value}


def write_variable(name: str, value: bytes) -> None:
    """Write a variable with its attributes. Raises OSError.

    efivarfs accepts a variable only in a single write. Boot entries and their order are not immutable files, unlike
    variables that the kernel does not know (variable_validate in drivers/firmware/efi/vars.c).
    """
    descriptor = os.open(EFIVARS / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        if os.write(descriptor, value) != len(value):
            raise OSError(f"cannot write the variable {name} of the firmware")
    finally:
        os.close(descriptor)


def delete_variable(name: str) -> None:
    """Delete a variable if it exists. Raises OSError."""
    (EFIVARS / name).unlink(missing_ok=True)
