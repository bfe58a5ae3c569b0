# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps on the host that several packages use: forbid hibernation and kexec, erase an LV. Private to this collection.

After hibernation the initramfs activates the origins, which starts the merges, and then the old kernel continues with
what it knew of their filesystems. A kernel that is started by kexec is one of the change, without the modules on /.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._errors import error_text
from .._paths import KEXEC_DISABLED, KEXEC_LIMIT, NO_HIBERNATION
from .._settings import NO_HIBERNATION_TEXT
from .._steps import HostStep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._steps import Runner


# The request of ioctl(2) that makes the kernel write zeros, by the device itself if it can (linux/fs.h).
_BLKZEROOUT = 0x127F
_AT_ONCE = 16 * 1024 * 1024
# In seconds. A device that takes longer for the few hundred megabytes of an auxiliary LV is in trouble.
_ERASE_TIMEOUT = 120


class _UntilReboot(HostStep):
    """It belongs to the merges, and ends at the next boot, so it does not count as a change."""

    changes = False


@dataclass(frozen=True)
class ForbidHibernation(_UntilReboot):
    """Make systemd refuse to hibernate until the next boot."""

    makes = "the file that forbids hibernation"

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "forbid_hibernation"}

    def carry_out(self, _runner: Runner) -> None:
        """Forbid it. Raises OSError."""
        forbid_hibernation()

    def undo(self, _runner: Runner) -> bool:
        """Allow it again; whether it was forbidden. Raises OSError."""
        return allow_hibernation()


@dataclass(frozen=True)
class AllowHibernation(_UntilReboot):
    """Let systemd hibernate again."""

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "allow_hibernation"}

    def carry_out(self, _runner: Runner) -> None:
        """Allow it. Raises OSError."""
        allow_hibernation()


@dataclass(frozen=True)
class ForbidKexec(_UntilReboot):
    """Let nobody load a kernel that the next reboot would start directly."""

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "forbid_kexec"}

    def carry_out(self, _runner: Runner) -> None:
        """Forbid it. Raises OSError."""
        forbid_kexec()


@dataclass(frozen=True)
class Erase(HostStep):
    """Overwrite auxiliary LVs with zeros: ``volumes`` are VG/LV, with their paths. Other LVs will get their blocks."""

    volumes: tuple[tuple[str, str], ...]

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "erase", "volumes": [name for name, _path in self.volumes]}

    def carry_out(self, runner: Runner) -> None:
        """Overwrite them. A failure is a warning, because they are removed next."""
        for name, path in self.volumes:
            if problem := _erase_problem(path):
                runner.warn(
                    f"{name} could not be overwritten before it was removed ({problem}), so what was in it can be read "
                    "in LVs that get its blocks"
                )


def _erase_problem(path: str) -> str:
    try:
        erase(path)
    except OSError as error:
        return error_text(error)
    return ""


def erase(path: str) -> None:
    """Overwrite a block device with zeros. Raises OSError, also if it is in use or takes too long."""
    end = time.monotonic() + _ERASE_TIMEOUT
    descriptor = os.open(path, os.O_WRONLY | os.O_EXCL)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        for start in range(0, size, _AT_ONCE):
            if time.monotonic() > end:
                raise OSError(errno.ETIMEDOUT, f"it took more than {_ERASE_TIMEOUT} s", path)
            fcntl.ioctl(descriptor, _BLKZEROOUT, struct.pack("QQ", start, min(_AT_ONCE, size - start)))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def forbid_hibernation() -> None:
    """Make systemd refuse to hibernate until the next boot. Raises OSError."""
    NO_HIBERNATION.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    NO_HIBERNATION.write_text(NO_HIBERNATION_TEXT, encoding="ascii")
    NO_HIBERNATION.chmod(0o644)


def allow_hibernation() -> bool:
    """Undo ``forbid_hibernation``. Return whether it was forbidden. Raises OSError."""
    if not NO_HIBERNATION.exists():
        return False
    NO_HIBERNATION.unlink()
    return True


def forbid_kexec() -> None:
    """Let nobody load a kernel for the next reboot. Only a reboot undoes this. Raises OSError."""
    if KEXEC_LIMIT.exists():
        KEXEC_LIMIT.write_text("0", encoding="ascii")
    else:
        KEXEC_DISABLED.write_text("1", encoding="ascii")
